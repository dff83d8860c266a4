"""Going on with an interrupted run: what had finished is kept, nothing runs twice, and nothing of another run is mixed in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import subjects
from test_engine import CASES

from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.registry import frameworks
from conformance.judges.process import JudgeProcess
from conformance.judges.protocol import Reply, Request
from conformance.mistake import Mistake
from conformance.results.lock import lock_folder
from conformance.results.reading import Results, read
from conformance.results.records import Header, Outcome
from conformance.results.writing import WriteError, Writer
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES, Profile, profile_of
from conformance.run.resume import load_resume_point
from conformance.specs.load import load


def task(
    folder: Path, subject: Path, *, resume: bool = False, profile: Profile = PROFILES["quick"], checks: tuple[str, ...] = CASES
) -> Run:
    return Run(load(), profile, Selection(subjects=(subject,), checks=checks), folder, resume=resume)


def execute(run: Run, info: FrameworkInfo | None = None) -> Path:
    (path,) = run.execute([info or frameworks()["numpy"]], jobs=1)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("finished")
    subject = subjects.write(folder, subjects.RIGHT)
    return execute(task(folder / "out", subject)), subject


@pytest.fixture
def interrupted(finished: tuple[Path, Path], tmp_path: Path) -> Callable[[int], Path]:
    """Makes the file that a run leaves which is killed after so many bytes; of a negative number, before the end."""

    def make(size: int) -> Path:
        path = tmp_path / "numpy.jsonl"
        path.write_bytes(finished[0].read_bytes()[:size])
        return path

    return make


def ends(path: Path) -> list[int]:
    """Where each line of the file ends."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [sum(map(len, lines[:count])) for count in range(1, len(lines) + 1)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The checks that a judge is asked for."""
    seen: list[str] = []
    ask = JudgeProcess.run

    def noting(self: JudgeProcess, request: Request) -> Reply:
        seen.append(request.check)
        return ask(self, request)

    monkeypatch.setattr(JudgeProcess, "run", noting)
    return seen


def same(found: Results, expected: Results) -> bool:
    return [c.model_copy(update={"seconds": 0.0}) for c in found.cells] == [c.model_copy(update={"seconds": 0.0}) for c in expected.cells]


@pytest.mark.parametrize(
    ("cells", "more", "missing"),
    [
        (0, 0, 3),
        (3, 0, 2),  # a whole check
        (4, 0, 2),  # a check in part: it is run again
        (6, 40, 1),  # half a record
        (9, 0, 0),  # only the footer
        (9, 5, 0),
    ],
)
def test_only_what_is_missing_is_run(
    cells: int, more: int, missing: int, finished: tuple[Path, Path], interrupted: Callable[[int], Path], asked: list[str]
) -> None:
    whole, subject = finished
    path = interrupted(ends(whole)[cells] + more)
    kept = path.read_bytes()[: ends(whole)[cells - cells % 3]]
    assert execute(task(path.parent, subject, resume=True)) == path
    assert len(asked) == missing
    results = read(path)
    assert results.complete
    assert same(results, read(whole))
    assert path.read_bytes().startswith(kept)
    assert results.header == read(whole).header


def test_a_complete_run_is_left_as_it_is(finished: tuple[Path, Path], interrupted: Callable[[int], Path], asked: list[str]) -> None:
    whole, subject = finished
    path = interrupted(10**9)
    execute(task(path.parent, subject, resume=True))
    assert path.read_bytes() == whole.read_bytes()
    assert asked == []


def test_where_there_is_nothing_to_go_on_with_all_of_it_is_run(finished: tuple[Path, Path], tmp_path: Path) -> None:
    whole, subject = finished
    for content in (None, b"", whole.read_bytes()[:40]):
        if content is not None:
            (tmp_path / "numpy.jsonl").write_bytes(content)
        assert same(read(execute(task(tmp_path, subject, resume=True))), read(whole))


def test_a_framework_that_was_not_there_is_run_once_it_is(finished: tuple[Path, Path], tmp_path: Path) -> None:
    absent = FrameworkInfo("numpy", requires=("no_such_module",))
    path = execute(task(tmp_path, finished[1]), absent)
    assert {cell.outcome for cell in read(path).cells} == {Outcome.NOT_RUN}
    assert same(read(execute(task(tmp_path, finished[1], resume=True))), read(finished[0]))


def test_a_framework_that_is_gone_costs_no_cells(finished: tuple[Path, Path], interrupted: Callable[[int], Path]) -> None:
    path = interrupted(ends(finished[0])[3])
    before = path.read_bytes()
    with pytest.raises(Mistake, match=r"numpy\.jsonl: version: found '2.*', expected none as of this run: go on"):
        execute(task(path.parent, finished[1], resume=True), FrameworkInfo("numpy", requires=("no_such_module",)))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"profile": profile_of("quick", 7)}, "seed: found 0, expected 7 as of this run"),
        ({"profile": PROFILES["full"]}, "profile: found 'quick', expected 'full'"),
        ({"checks": CASES[:1]}, r"selection: found \{'check'"),
    ],
)
def test_another_run_is_refused(
    options: dict[str, Any], sentence: str, finished: tuple[Path, Path], interrupted: Callable[[int], Path]
) -> None:
    path = interrupted(ends(finished[0])[3])
    before = path.read_bytes()
    with pytest.raises(Mistake, match=sentence) as refused:
        execute(task(path.parent, finished[1], resume=True, **options))
    assert str(refused.value).isprintable()
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["specs_digest", "suite_version", "environment", "entries"])
def test_every_other_header_is_another_run(key: str, finished: tuple[Path, Path]) -> None:
    header = read(finished[0]).header
    changes: dict[str, Any] = {"environment": header.environment.model_copy(update={"version": "1.0"}), "entries": {"a": "b"}}
    other = Header.model_validate(header.model_dump() | {key: changes.get(key, "other")})
    with pytest.raises(Mistake, match="go on as it was begun, or run without --resume"):
        load_resume_point(finished[0], other, ())


def test_a_changed_subject_is_another_run(finished: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    changed = subjects.write(tmp_path / "a", subjects.RIGHT, "# changed")
    path = execute(task(tmp_path, finished[1]))
    with pytest.raises(Mistake, match="selection"):
        execute(task(path.parent, changed, resume=True))


def test_a_file_that_is_no_results_file_is_not_overwritten(finished: tuple[Path, Path], interrupted: Callable[[int], Path]) -> None:
    path = interrupted(10)
    path.write_text("notes\n", "utf-8")
    with pytest.raises(Mistake, match=r":1: .*Invalid JSON"):
        execute(task(path.parent, finished[1], resume=True))
    assert path.read_text("utf-8") == "notes\n"


def test_a_deviation_that_was_kept_is_still_one(tmp_path: Path) -> None:
    """The ledger sees it a second time, and complains no more and no less than the first time."""
    selection = Selection(operations=("mse/mean",), implementations=("written-out.mean",), dtypes=("bfloat16",), checks=("*/case/*",))
    first = Run(load(), PROFILES["quick"], selection, tmp_path)
    before = read(execute(first))
    assert any(cell.outcome is Outcome.DEVIATION for cell in before.cells)
    again = Run(load(), PROFILES["quick"], selection, tmp_path, resume=True)
    assert read(execute(again)) == before
    assert again.complaints() == first.complaints()


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path / "out"),
        pytest.raises(Mistake, match="found another run that writes into this folder"),
        lock_folder(tmp_path / "out"),
    ):
        pass
    with lock_folder(tmp_path / "out"):
        pass


def test_a_record_that_cannot_be_written_leaves_those_before_it(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the bytes are taken, and then there is no room: both halves are undone."""
    results = read(finished[0])
    path = tmp_path / "a.jsonl"
    with Writer(path, results.header) as writer:
        writer.append(*results.cells[:3])
        whole = path.read_bytes()
        taken = writer._file.write
        room = iter((100,))

        class Full:
            def write(self, content: bytes) -> int:
                if (left := next(room, None)) is None:
                    raise OSError(28, os.strerror(28))
                return int(taken(content[:left]))

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        file = writer._file
        monkeypatch.setattr(writer, "_file", Full())
        with pytest.raises(WriteError, match=r"a\.jsonl: No space left on device; expected room for another record"):
            writer.append(*results.cells[3:])
    assert path.read_bytes() == whole
    assert read(path).cells == results.cells[:3]
