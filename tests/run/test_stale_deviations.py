"""Deviations that no cell met: a shard cannot know of them, all shards of a run together do, as a run without shards does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from command import conformance

from conformance.results.merging import merge
from conformance.results.reading import Results, read
from conformance.results.records import Cell, Header, Outcome, RunEnvironment, Shard, Target
from conformance.results.shards import combined
from conformance.results.writing import Writer
from conformance.run.ledger import complaints_of_shards
from conformance.specs.load import load
from conformance.specs.model import Deviation, Specs

CHECK = "mse/mean/case/number-2"
UNMET = f"numpy.toml: {CHECK}: it matched no cell of this run"


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load()


def deviating(specs: Specs, framework: str = "numpy", implementation: str = "mine") -> Specs:
    """The specs with nothing but one deviation, of the second case."""
    where = {"framework": (framework,), "implementation": (implementation,)}
    signature = {"outcome": "fail", "observed": "inf"}
    deviation = Deviation(CHECK, "value", where, signature, "Because.", "", date(9999, 1, 1), Path("numpy.toml"))
    return replace(specs, deviations=(deviation,))


def shard(folder: Path, number: int, digest: str, selection: dict[str, tuple[str, ...]] | None = None) -> Path:
    """One of two shards of a run of NumPy, with a case of its own: the first passes, the second was not run."""
    header = Header(
        run=f"r{number}",
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest=digest,
        profile="quick",
        selection=selection or {},
        shard=Shard(number=number, of=2),
        environment=RunEnvironment(framework="numpy", version="2.4.6"),
    )
    target = Target(framework="numpy", version="2.4.6", implementation="mine", device="cpu", mode="eager", dtype="float32")
    cell = Cell(
        check=f"mse/mean/case/number-{number}",
        kind="case",
        operation="mse/mean",
        quantity="value",
        target=target,
        outcome=Outcome.PASS if number == 1 else Outcome.NOT_RUN,
    )
    path = folder / f"numpy-{number}-of-2.jsonl"
    with Writer(path, header) as writer:
        writer.append(cell)
        writer.close(1.0)
    return path


def together(*paths: Path) -> list[Results]:
    return combined(merge(map(read, paths)))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (("numpy", "mine"), []),  # the cell of the second shard meets it
        (("numpy", "another"), [UNMET]),
        (("torch", "mine"), []),  # of which nothing ran
    ],
)
def test_all_shards_name_the_deviations_that_no_cell_of_any_met(
    specs: Specs, tmp_path: Path, where: tuple[str, str], said: list[str]
) -> None:
    whole = together(*(shard(tmp_path, number, specs.digest) for number in (1, 2)))
    assert complaints_of_shards(deviating(specs, *where), whole) == said


def test_of_less_than_everything_nothing_is_said(specs: Specs, tmp_path: Path) -> None:
    paths = [shard(tmp_path, number, specs.digest) for number in (1, 2)]
    unmet = deviating(specs, implementation="another")
    assert complaints_of_shards(unmet, together(paths[0])) == []
    assert complaints_of_shards(replace(unmet, digest="of other specs"), together(*paths)) == []
    selected = [shard(tmp_path, number, specs.digest, {"dtype": ("float32",)}) for number in (1, 2)]
    assert complaints_of_shards(unmet, together(*selected)) == []


def test_a_report_of_all_shards_exits_as_the_run_would(specs: Specs, tmp_path: Path) -> None:
    """The documented deviations of NumPy are about none of these cells."""
    paths = [shard(tmp_path, number, specs.digest) for number in (1, 2)]
    alone = conformance("report", paths[0], "-o", tmp_path / "one")
    assert (alone.returncode, alone.stderr) == (3, "")
    both = conformance("report", *paths, "-o", tmp_path / "both")
    assert both.returncode == 1
    assert "it matched no cell of this run" in both.stderr
