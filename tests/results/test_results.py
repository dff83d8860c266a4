"""The results file: what is written is read, what is broken is refused in a sentence, nothing is lost in a merge."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.results.merging import find, merge
from conformance.results.reading import Results, ResultsError, read, schema
from conformance.results.records import MAX_LINE, MAX_TEXT, Cell, Grade, Header, Outcome, RunEnvironment, Target, Witness
from conformance.results.writing import Writer

ANYTHING = st.text(st.characters(), max_size=40)
"""Every character there is: controls, NUL, surrogates, markup."""
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
NUMERALS = st.lists(ANYTHING, max_size=4).map(tuple)
COUNTS = st.integers(0, 2**63 - 1)
TARGETS = st.builds(Target, framework=ANYTHING, version=ANYTHING, implementation=ANYTHING, device=ANYTHING, mode=ANYTHING, dtype=ANYTHING)
WITNESSES = st.builds(
    Witness,
    shape=st.lists(COUNTS, max_size=4).map(tuple),
    prediction=NUMERALS,
    target=NUMERALS,
    weight=NUMERALS,
    upstream=NUMERALS,
    element=COUNTS,
    expected=ANYTHING,
    allowed=NUMERALS,
    observed=ANYTHING,
    recipe=ANYTHING,
)
CELLS = st.builds(
    Cell,
    check=ANYTHING,
    kind=st.sampled_from(["case", "bound", "law", "behaviour"]),
    level=st.sampled_from(["must", "should"]),
    operation=ANYTHING,
    quantity=ANYTHING,
    target=TARGETS,
    outcome=st.sampled_from(Outcome),
    reason=ANYTHING,
    flags=NUMERALS,
    error_u=NUMBERS,
    error_ulp=NUMBERS,
    error_over_bound=NUMBERS,
    grade=st.none() | st.sampled_from(Grade),
    witness=st.none() | WITNESSES,
    evaluations=COUNTS,
    seconds=st.floats(0, allow_infinity=False),
)
ENVIRONMENTS = st.builds(
    RunEnvironment,
    framework=ANYTHING,
    version=ANYTHING,
    python=ANYTHING,
    platform=ANYTHING,
    packages=st.dictionaries(ANYTHING, ANYTHING, max_size=3),
    flags=st.dictionaries(ANYTHING, ANYTHING, max_size=3),
    devices=NUMERALS,
)
HEADERS = st.builds(
    Header,
    run=ANYTHING,
    started=ANYTHING,
    suite_version=ANYTHING,
    specs_digest=ANYTHING,
    profile=ANYTHING,
    environment=ENVIRONMENTS,
    entries=st.dictionaries(ANYTHING, ANYTHING, max_size=3),
)
ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def header(run: str = "r1", digest: str = "d" * 64, framework: str = "numpy") -> Header:
    return Header(
        run=run,
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest=digest,
        profile="quick",
        environment=RunEnvironment(framework=framework, version="2.4.6"),
    )


def cell(check: str = "mse/mean/case/thirds", outcome: Outcome = Outcome.PASS, **fields: object) -> Cell:
    target = Target(framework="numpy", version="2.4.6", implementation="mean", device="cpu", mode="eager", dtype="float32")
    base = Cell(check=check, kind="case", operation="mse/mean", quantity="value", target=target, outcome=outcome)
    return Cell.model_validate(base.model_dump() | fields)


def written(path: Path, cells: list[Cell], head: Header | None = None, *, complete: bool = True) -> Path:
    with Writer(path, head or header()) as writer:
        for one in cells:
            writer.append(one)
        if complete:
            writer.close(1.5)
    return path


@given(head=HEADERS, cells=st.lists(CELLS, max_size=4, unique_by=lambda one: one.id), complete=st.booleans())
@ONE_FOLDER
def test_what_is_written_is_read(tmp_path: Path, head: Header, cells: list[Cell], *, complete: bool) -> None:
    results = read(written(tmp_path / "a.jsonl", cells, head, complete=complete))
    assert results.header == head
    assert list(results.cells) == cells
    assert results.complete is complete
    assert results.footer is None or results.footer.counts == Counter(one.outcome for one in cells)


def test_a_file_cut_at_any_byte_is_refused_within_its_header_and_incomplete_after_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [cell(), cell("other", Outcome.FAIL, reason="got 1 ÷ 3, expected 2/3")])
    whole, cells, cut = path.read_bytes(), read(path).cells, tmp_path / "cut.jsonl"
    for end in range(len(whole)):
        cut.write_bytes(whole[:end])
        if b"\n" not in whole[:end]:
            with pytest.raises(ResultsError, match="empty" if end == 0 else "found a record that was cut off, expected the header"):
                read(cut)
            continue
        results = read(cut)
        assert not results.complete
        assert results.cells == cells[: whole[:end].count(b"\n") - 1]


def test_what_follows_a_footer_is_refused_even_if_it_was_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [cell()])
    with path.open("ab") as file:
        file.write(b'{"record":"ce')
    with pytest.raises(ResultsError, match="found a record that was cut off after the footer"):
        read(path)


@given(at=st.integers(0, 10_000), put=st.binary(min_size=1, max_size=8))
@ONE_FOLDER
def test_a_damaged_file_is_refused_or_read_but_never_anything_else(tmp_path: Path, at: int, put: bytes) -> None:
    whole = written(tmp_path / "a.jsonl", [cell(), cell("other")]).read_bytes()
    at %= len(whole)
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(whole[:at] + put + whole[at + len(put) :])
    with contextlib.suppress(ResultsError):
        read(damaged)


HOSTILE_LINES = {
    "an integer of 5000 digits": '"evaluations":' + "9" * 5000,
    "an integer of 4000 digits": '"evaluations":' + "9" * 4000,
    "a negative count": '"evaluations":-1',
    "a float too large": '"seconds":1e999',
    "a number of 5000 digits for a float": '"seconds":' + "9" * 5000,
    "NaN": '"error_u":NaN',
    "Infinity": '"error_u":-Infinity',
    "nesting ten thousand deep": '"flags":' + "[" * 10_000 + "]" * 10_000,
    "a lone surrogate": '"reason":"\\ud800"',
    "an unknown key with an escape sequence": '"\\u001b[31mred":1',
    "a wrong type": '"reason":{"a":1}',
    "an outcome that does not exist": '"outcome":"skipped"',
    "a raw control character": '"reason":"\x07"',
    "a NUL between records": "\x00",
}


@pytest.mark.parametrize("fault", HOSTILE_LINES)
def test_a_hostile_line_is_refused_in_one_printable_sentence(tmp_path: Path, fault: str) -> None:
    path = written(tmp_path / "a.jsonl", [cell()], complete=False)
    good = path.read_text("utf-8").splitlines()[-1]
    with path.open("a", encoding="utf-8") as file:
        file.write(good[:-1].replace("thirds", "other") + "," + HOSTILE_LINES[fault] + "}\n")
    with pytest.raises(ResultsError) as caught:
        read(path)
    assert f"{path}:3: " in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_invalid_utf8_and_endless_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"record":"header\xff"}\n')
    with pytest.raises(ResultsError, match=r":1: "):
        read(path)
    path.write_bytes(b"x" * (MAX_LINE + 5))
    with pytest.raises(ResultsError, match="longer than"):
        read(path)


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [cell()])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path).complete


def test_the_order_of_records_is_checked(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.jsonl", [cell(), cell("other")]).read_text("utf-8").splitlines(keepends=True)
    for fault, order in {
        "expected the header": [1, 2],
        "a second header": [0, 0],
        "after the footer": [0, 1, 2, 3, 1],
        "a second time": [0, 1, 1],
        "the footer counts 2 cells, found 1": [0, 1, 3],
        "is empty": [],
    }.items():
        path = tmp_path / "b.jsonl"
        path.write_text("".join(lines[number] for number in order), "utf-8")
        with pytest.raises(ResultsError, match=fault):
            read(path)


def test_long_texts_are_cut_so_that_they_can_be_read_again(tmp_path: Path) -> None:
    results = read(written(tmp_path / "a.jsonl", [cell(reason="é" * 2 * MAX_LINE)]))
    assert len(results.cells[0].reason) == MAX_TEXT


def test_the_header_states_the_format(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [])
    assert json.loads(path.read_text("utf-8").splitlines()[0])["format"] == 1
    path.write_text(path.read_text("utf-8").replace('"format":1', '"format":2'), "utf-8")
    with pytest.raises(ResultsError, match="format"):
        read(path)


def test_every_written_line_satisfies_the_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = written(tmp_path / "a.jsonl", [cell(), cell("b", Outcome.FAIL, witness=Witness(shape=(1,), prediction=("0x1p+0",)))])
    validator = jsonschema.Draft202012Validator(schema())
    for line in path.read_text("utf-8").splitlines():
        validator.validate(json.loads(line))


def test_merge_refuses_results_of_different_specs(tmp_path: Path) -> None:
    one = read(written(tmp_path / "a.jsonl", [cell()]))
    other = read(written(tmp_path / "b.jsonl", [cell()], header(digest="e" * 64)))
    with pytest.raises(ResultsError, match="different specs"):
        merge([one, other])


def test_merge_refuses_a_copy_and_an_earlier_state_of_a_file(tmp_path: Path) -> None:
    whole = read(written(tmp_path / "a.jsonl", [cell(), cell("other")]))
    copy = read(written(tmp_path / "b.jsonl", [cell(), cell("other")]))
    earlier = read(written(tmp_path / "c.jsonl", [cell()], complete=False))
    with pytest.raises(ResultsError, match=rf"^{copy.path}: found a copy of {whole.path}, expected each results file once$"):
        merge([whole, copy])
    for order in ([earlier, whole], [whole, earlier]):
        with pytest.raises(ResultsError, match=rf"^{earlier.path}: found an earlier state of {whole.path}, expected"):
            merge(order)


def test_merge_refuses_a_file_that_ends_inside_a_record_and_keeps_one_that_ends_between_two(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [cell(), cell("other")], complete=False)
    assert [part.shortfall for part in merge([read(path)])] == ["did not reach its end"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ResultsError, match=rf"^{path}:3: the file ends in the middle of a record, expected whole records"):
        merge([read(path)])


def test_merge_loses_no_cells_of_runs_that_overlap(tmp_path: Path) -> None:
    first = read(written(tmp_path / "a.jsonl", [cell()]))
    again = read(written(tmp_path / "b.jsonl", [cell(outcome=Outcome.FAIL)], header("r2")))
    shard = read(written(tmp_path / "c.jsonl", [cell("other")]))  # the same run, another file
    assert merge([first, again, shard]) == [first, again, shard]


def test_find_refuses_a_file_that_is_given_twice_or_has_two_names(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [])
    assert find([path]) == find([tmp_path]) == [path]
    with pytest.raises(ResultsError, match=rf"^{path}: found the same file as {path}, expected each results file once$"):
        find([path, tmp_path])
    (tmp_path / "b.jsonl").symlink_to(path)
    with pytest.raises(ResultsError, match=rf"b\.jsonl: found the same file as {path}, expected"):
        find([tmp_path])


def test_find_names_a_folder_without_results_and_read_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match=r"holds no \*\.jsonl"):
        find([tmp_path / "empty"])
    with pytest.raises(ResultsError, match="expected a results file"):
        read(tmp_path / "missing.jsonl")


def test_a_killed_writer_leaves_an_incomplete_file(tmp_path: Path) -> None:
    results: Results = read(written(tmp_path / "a.jsonl", [cell()], complete=False))
    assert not results.complete
    assert len(results.cells) == 1


def test_a_packed_file_is_read_as_it_was(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.jsonl", [cell(), cell("other")])
    packed = tmp_path / "packed" / "a.jsonl.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert replace(read(packed), path=plain) == read(plain)
    assert find([packed.parent]) == [packed]
    with pytest.raises(ResultsError, match="found a copy of"):
        merge([read(plain), read(packed)])


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda packed: packed[:-20], "ended before the end-of-stream marker"),
        (lambda packed: packed[:-8] + bytes(8), "CRC check failed"),
        (lambda packed: packed[:12] + b"\xff" * 40 + packed[52:], "while decompressing data"),
        (lambda packed: b"\x1b[31m" + packed, r"Not a gzipped file (b'\x1b[')"),
        (lambda _: gzip.compress(b"0" * 100_000_000), "the line is longer than 1000000 bytes"),
    ],
)
def test_a_damaged_packed_file_is_refused_in_one_sentence(damage: Callable[[bytes], bytes], found: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(damage(gzip.compress(written(tmp_path / "a.jsonl", [cell()]).read_bytes())))
    with pytest.raises(ResultsError) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert found in str(refused.value)
    assert str(refused.value).isprintable()
