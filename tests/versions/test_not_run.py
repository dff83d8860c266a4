from __future__ import annotations

from pathlib import Path

import pytest

from conformance.results.reading import read
from conformance.results.records import Outcome
from conformance.specs.load import load
from conformance.specs.model import Specs
from conformance.specs.targets import VersionEnvironment
from conformance.versions.not_run import mark, selection

OPTIONS = ("--mode", "eager", "--operation", "mse/none", "--check", "*/case/*")


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load()


def environment(version: str, label: str = "matrix") -> VersionEnvironment:
    return VersionEnvironment(f"jax-v{version}", "jax", version, "3.11", (f"jax=={version}",), label)


def test_what_has_no_results_is_not_run_with_its_version_and_its_reason(tmp_path: Path, specs: Specs) -> None:
    assert mark(tmp_path, specs, [environment("0.4.13")], selection(OPTIONS)) == ["jax-v0.4.13"]
    (file,) = tmp_path.rglob("*.jsonl")
    results = read(file)
    assert results.complete
    assert {results.version_of(cell) for cell in results.cells} == {"0.4.13"}
    assert {cell.outcome for cell in results.cells} == {Outcome.NOT_RUN}
    assert {cell.operation for cell in results.cells} == {"mse/none"}
    assert {cell.kind for cell in results.cells} == {"case"}
    assert "jax-v0.4.13 wrote no results" in results.cells[0].reason


def test_what_has_results_is_left_alone(tmp_path: Path, specs: Specs) -> None:
    own = tmp_path / "jax-v0.4.13" / "results" / "jax.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text("not read\n")
    assert mark(tmp_path, specs, [environment("0.4.13"), environment("0.10.2")], selection(OPTIONS)) == ["jax-v0.10.2"]
    assert own.read_text() == "not read\n"


def test_a_second_time_nothing_is_marked(tmp_path: Path, specs: Specs) -> None:
    mark(tmp_path, specs, [environment("0.4.13")], selection(OPTIONS))
    assert mark(tmp_path, specs, [environment("0.4.13")], selection(OPTIONS)) == []


def test_what_is_not_of_the_matrix_is_not_missed(tmp_path: Path, specs: Specs) -> None:
    assert mark(tmp_path, specs, [environment("0.4.13", "older-torch")], selection(OPTIONS)) == []
