"""A dozen plain right losses of each framework, undecorated but for their operation and framework: each conforms."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import conformance

from conformance.frameworks.registry import info_of
from conformance.power.variants import own_folder
from conformance.results.reading import read
from conformance.results.records import Outcome
from conformance.workers.subjects import inspect

FILES = sorted((own_folder("variants") / "plain").glob("*.py"))
NEEDS = {"plain_keras": "keras-jax"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plain_losses_conform(path: Path, tmp_path: Path) -> None:
    framework = NEEDS.get(path.stem, path.stem.removeprefix("plain_"))
    if reason := info_of(framework).why_missing():
        pytest.skip(reason)
    assert len(inspect(path)) >= 12
    done = conformance("run", "--subject", str(path), "--dtype", "float32", "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    cells = read(tmp_path / "results" / f"{framework}.jsonl").cells
    assert {cell.outcome for cell in cells} <= {Outcome.PASS, Outcome.UNSUPPORTED, Outcome.NOT_RUN}
    passing = {cell.target.implementation for cell in cells if cell.outcome is Outcome.PASS and cell.quantity == "value"}
    assert len(passing) == len(inspect(path))
