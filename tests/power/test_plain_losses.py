"""A dozen plain right losses, undecorated but for their operation and framework: each conforms."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import conformance

from conformance.power.variants import own_folder
from conformance.results.reading import read
from conformance.results.records import Outcome
from conformance.workers.subjects import inspect

FILES = [own_folder("variants") / "plain" / "plain_numpy.py"]
"""Those of other frameworks take minutes each: `conformance run --dtype float32 --subject FILE` for every file beside this one."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plain_losses_conform(path: Path, tmp_path: Path) -> None:
    framework = path.stem.removeprefix("plain_")
    assert len(inspect(path)) >= 12
    done = conformance("run", "--subject", str(path), "--dtype", "float32", "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [cell for cell in read(tmp_path / "results" / f"{framework}.jsonl").cells if cell.level == "must"]
    assert {cell.outcome for cell in cells} <= {Outcome.PASS, Outcome.UNSUPPORTED, Outcome.NOT_RUN}
    passing = {cell.target.implementation for cell in cells if cell.outcome is Outcome.PASS and cell.quantity == "value"}
    assert len(passing) == len(inspect(path))
