"""JUnit XML: what the usual schemas share, true counts, and no character that XML cannot hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_run import full_run
from test_reports_rendering import HOSTILE, hostile_results
from test_reports_table import CELLS, cell, results

from conformance.reports.junit import junit
from conformance.reports.table import ResultTable
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome

RESULTS = ("error", "failure", "skipped")


def written(parts: list[Results], *, strict: bool = False) -> ET.Element:
    """The root of the document, after it was held to the schemas."""
    source = junit(ResultTable.of(parts), strict=strict)
    root = ET.fromstring(source)  # noqa: S314 - our own document
    assert_fits_the_schemas(root)
    return root


def assert_fits_the_schemas(root: ET.Element) -> None:
    """The rules that the usual schemas share. A host name, which only some of them ask for, is in no results file."""
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time"} <= set(suite.attrib)
        assert set(suite.attrib) <= {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", "2026-01-01T00:00:00"))
        kinds = [child.tag for child in suite]
        assert kinds[0] in {"properties", "testcase"}
        assert set(kinds[1:]) <= {"testcase"}
        for each in suite.iter("property"):
            assert set(each.attrib) == {"name", "value"}
            assert not list(each)
    for test in root.iter("testcase"):
        assert set(test.attrib) == {"classname", "name", "time"}
        assert test.get("classname")
        assert test.get("name")
        tags = [child.tag for child in test]
        assert tags in ([], *([tag] for tag in RESULTS), ["system-out"])
        for child in test:
            assert set(child.attrib) == {"error": {"message", "type"}, "failure": {"message", "type"}, "skipped": {"message"}}.get(
                child.tag, set()
            )
            assert not list(child)
    for parent in (root, *root):
        tests = list(parent.iter("testcase"))
        assert parent.get("tests") == str(len(tests))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert parent.get(attribute) == str(sum(test.find(tag) is not None for test in tests))
        assert float(parent.get("time", "")) >= 0


def judged_tests(root: ET.Element) -> Iterator[ET.Element]:
    """The tests without that of the run itself."""
    return (test for test in root.iter("testcase") if test.get("name") != "the run reached its end")


@given(st.lists(st.lists(CELLS, max_size=12, unique_by=lambda one: one.id), max_size=3), st.booleans())
@settings(deadline=None)
def test_any_run_is_a_valid_document(files: list[list[Cell]], strict: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
    root = written([results(cells, f"r{number}") for number, cells in enumerate(files)], strict=strict)
    broken = any(
        one.outcome in (Outcome.FAIL, Outcome.ERROR) and (strict or one.level == "must") and one.kind != "behaviour"
        for cells in files
        for one in cells
    )
    assert any(test.find("failure") is not None or test.find("error") is not None for test in judged_tests(root)) is (broken or not files)


def test_a_large_run_has_a_test_for_each_target_and_kind_and_no_name_twice() -> None:
    root = written(full_run())
    tests = list(judged_tests(root))
    names = [(test.get("classname"), test.get("name")) for test in tests]
    assert len(set(names)) == len(names)
    cells = [one for part in full_run() for one in part.cells]
    assert len(names) == len({(one.target.id, one.operation, one.kind) for one in cells})
    assert len(names) < len(cells) / 20
    assert "tensorflow cpu graph" in {name for name, _ in names}
    assert "keras.losses.mean float16 mse/mean/case" in {name for _, name in names}


def test_a_failure_has_its_reason_its_checks_and_how_to_run_it_again() -> None:
    (test,) = judged_tests(written([results([cell(Outcome.FAIL, check="mse/mean/case/a", reason="found 1, expected 2"), cell(check="b")])]))
    assert (test.get("classname"), test.get("name")) == ("a cpu eager", "i float32 mse/mean/case")
    (failure,) = test
    assert failure.attrib == {"message": "1 of 2 cells: found 1, expected 2", "type": "failure"}
    assert (failure.text or "").splitlines() == [
        "fail: found 1, expected 2 (1 cell: mse/mean/case/a:value)",
        "conformance replay mse/mean/case/a:value@a/i/cpu/eager/float32",
    ]


def test_what_was_not_judged_is_skipped_with_its_reasons() -> None:
    cells = [cell(Outcome.UNSUPPORTED, reason="no such reduction"), cell(Outcome.NOT_RUN, check="y", reason="left out by the profile")]
    (test,) = judged_tests(written([results(cells)]))
    (skipped,) = test
    assert skipped.tag == "skipped"
    assert (skipped.get("message") or "").startswith("not run and unsupported: ")
    assert {line.partition(":")[0] for line in (skipped.text or "").splitlines()} == {"not-run", "unsupported"}


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (cell(Outcome.DEVIATION, check="y", reason="accumulates in float16"), "deviation: accumulates"),
        (cell(Outcome.NOT_RUN, check="y", reason="too long"), "not-run: too long"),
        (cell(Outcome.FAIL, check="y", reason="found 1", level="should"), "fail (should): found 1"),
    ],
)
def test_what_is_short_of_a_pass_is_told_in_the_output(one: Cell, word: str) -> None:
    (test,) = judged_tests(written([results([cell(), one])]))
    (output,) = test
    assert output.tag == "system-out"
    assert (output.text or "").startswith(word)


def test_what_only_should_hold_fails_strictly() -> None:
    part = results([cell(Outcome.ERROR, reason="raised", level="should")])
    assert [test[0].tag for test in judged_tests(written([part]))] == ["system-out"]
    assert [test[0].tag for test in judged_tests(written([part], strict=True))] == ["error"]


def test_neither_a_cut_off_run_nor_an_empty_one_passes() -> None:
    assert written([results([cell()], complete=False)]).get("errors") == "1"
    assert written([]).get("errors") == "1"
    assert written([results([])]).get("skipped") == "1"
    assert written([results([cell()])]).get("errors") == "0"


def test_two_versions_of_a_framework_do_not_share_names() -> None:
    parts = [results([cell()]), results([cell(target=cell().target.model_copy(update={"version": "2"}))])]
    assert {test.get("classname") for test in judged_tests(written(parts))} == {"a 1 cpu eager", "a 2 cpu eager"}


@pytest.mark.parametrize("first", range(len(HOSTILE)))
def test_no_text_breaks_the_document(first: int) -> None:
    written([hostile_results(HOSTILE[first:] + HOSTILE[:first], complete=bool(first % 2))])


@given(st.lists(st.text(st.characters(), max_size=60), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_any_text_can_be_held(texts: list[str]) -> None:
    written([hostile_results(texts)])
