"""Shards: disjoint, stable, and together the run without them, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli.output import read_results
from conformance.frameworks.registry import frameworks
from conformance.mistake import Mistake
from conformance.reports.table import ResultTable
from conformance.reports.write import write_all
from conformance.results.merging import find, merge
from conformance.results.reading import Results, read
from conformance.results.records import Shard, Target
from conformance.results.shards import combined, holds, shard_of
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES
from conformance.specs.load import load

CHECKS = ("*/case/*-thirds", "*/law/swap")
OPERATIONS = ("mse/mean", "mse/sum")
COUNT = 3
WHEN = "2026-11-23T00:00:00+00:00"


def run(folder: Path, shard: Shard | None = None) -> Path:
    """NumPy's own entry points, and devices that are not here."""
    selection = Selection(operations=OPERATIONS, checks=CHECKS)
    info = replace(frameworks()["numpy"], device_kinds=("cpu", "cuda", "tpu"))
    (path,) = Run(load(), PROFILES["quick"], selection, folder, shard=shard).execute([info], jobs=1)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("shards")
    shards = [run(folder / str(number), Shard(number=number, of=COUNT)) for number in range(1, COUNT + 1)]
    return run(folder / "whole"), shards


def timeless(path: Path) -> Path:
    """The file with the run's id and every time the same."""
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    records[0] |= {"run": "r", "started": WHEN}
    for record in records[1:]:
        record["seconds"] = 0.5 if record["record"] == "cell" else len(records) / 2 - 1
    text = "".join(json.dumps(record) + "\n" for record in records)
    copy = path.with_name(f"timeless-{path.name}")
    copy.write_text(text, "utf-8")
    return copy


def test_shards_are_disjoint_and_together_the_run(runs: tuple[Path, list[Path]]) -> None:
    whole, shards = runs
    parts = [read(path) for path in shards]
    assert all(part.cells and part.complete and part.header.shard for part in parts)
    assert sum(len(part.cells) for part in parts) == len(read(whole).cells)
    assert {cell.id for part in parts for cell in part.cells} == {cell.id for cell in read(whole).cells}
    assert {cell.target.device for cell in read(whole).cells} == {"cpu", "cuda", "tpu"}


def test_shards_make_the_byte_same_reports_in_any_order(runs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    """All that differs are the run's id, times, and the name of the file they were read from."""
    whole, shards = (timeless(runs[0]), [timeless(path) for path in runs[1]])
    (merged,) = combined(merge(map(read, [shards[2], shards[0], shards[1]])))
    assert merged.complete
    written = {}
    for name, results in (("whole", read(whole)), ("merged", merged)):
        write_all(ResultTable.of([replace(results, path=Path("numpy.jsonl"))]), tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        written[name] = {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in files}
    assert len(written["whole"]) > 4
    differing = [name for name, content in written["whole"].items() if written["merged"].get(name) != content]
    assert differing == []


def test_the_table_of_a_run_as_it_was_is_byte_same_too(runs: tuple[Path, list[Path]]) -> None:
    """It has no times and no run ids."""
    whole, shards = runs
    assert json.dumps(ResultTable.of([read(whole)]).summary()) == json.dumps(ResultTable.of(combined(map(read, shards))).summary())


def test_a_shard_runs_again_as_it_did(runs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    again = read(run(tmp_path, Shard(number=2, of=COUNT)))

    def timeless_cells(results: Results) -> list[object]:
        return [cell.model_copy(update={"seconds": 0.0}) for cell in results.cells]

    assert timeless_cells(again) == timeless_cells(read(runs[1][1]))


def test_missing_shards_are_named(runs: tuple[Path, list[Path]]) -> None:
    (merged,) = read_results([runs[1][1]])
    assert not merged.complete
    assert merged.shortfall == "lacks shards 1, 3 of 3"
    (merged,) = read_results([runs[1][0], runs[1][1]])
    assert merged.shortfall == "lacks shard 3 of 3"
    assert ResultTable.of([merged]).verdict in {"incomplete", "does not conform"}


def test_a_shard_that_comes_twice_stays_apart(runs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    again = tmp_path / "again.jsonl"
    lines = runs[1][0].read_text("utf-8").splitlines(keepends=True)
    again.write_text(lines[0].replace('"run":"', '"run":"again-') + "".join(lines[1:]), "utf-8")
    whole, other = read_results([*runs[1], again])
    assert whole.complete
    assert other.shortfall == "lacks shards 2, 3 of 3"


def test_an_unfinished_shard_leaves_the_run_incomplete(runs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(runs[1][0].read_bytes().splitlines(keepends=True)[:-1]))
    (merged,) = read_results([cut, *runs[1][1:]])
    assert merged.shortfall == "did not reach its end"


def test_shards_of_other_seeds_do_not_mix(runs: tuple[Path, list[Path]], tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(runs[1][1].read_text("utf-8").replace('"seed":0', '"seed":1', 1), "utf-8")
    assert [part.shortfall for part in read_results([runs[1][0], other])] == ["lacks shards 2, 3 of 3", "lacks shards 1, 3 of 3"]


def test_the_hash_is_the_same_everywhere_and_in_every_version() -> None:
    target = Target(framework="torch", version="2.13.0", implementation="mse_loss.mean", device="cpu", mode="eager", dtype="float32")
    for one in (target, target.model_copy(update={"version": "2.14.0"})):
        assert [number for number in range(1, 9) if holds(Shard(number=number, of=8), one)] == [3]


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "1/1001", "a/b", "1/3/5", "-1/3", "1 / 3", "٣/٣", "1/99999999999999"])
def test_what_is_no_shard_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(Mistake, match=r"found .*, expected i/n with i from 1 to n, and n at most 1000, such as 2/8"):
        shard_of(text)
    assert shard_of("2/8") == Shard(number=2, of=8)


def test_a_shard_makes_no_complaint_of_deviations_that_it_did_not_meet(tmp_path: Path) -> None:
    for shard, count in ((None, 1), (Shard(number=1, of=2), 0)):
        task = Run(load(), PROFILES["quick"], Selection(), tmp_path, shard=shard)
        task.ran.append(("numpy", "2.4.6"))
        assert bool([found for found in task.complaints() if "matched no cell" in found]) == count


def test_files_of_shards_have_names_of_their_own(runs: tuple[Path, list[Path]]) -> None:
    assert [path.name for path in find(runs[1])] == [f"numpy-{number}-of-3.jsonl" for number in (1, 2, 3)]
