"""The table model: nothing is lost, denominators add up, the worst stands for the many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.reports.table import WORST_FIRST, OutcomeCounts, ResultTable, Summary
from conformance.reports.text import format_error, printable, targets_in_words
from conformance.results.reading import Results
from conformance.results.records import Cell, Footer, Grade, Header, Outcome, RunEnvironment, Target

NAMES = st.sampled_from(["a", "b", "*"])
CELLS = st.builds(
    Cell,
    check=st.sampled_from(["x", "y", "*"]),
    kind=st.just("case"),
    level=st.sampled_from(["must", "should"]),
    operation=NAMES,
    quantity=NAMES,
    target=st.builds(Target, framework=NAMES, version=NAMES, implementation=NAMES, device=NAMES, mode=NAMES, dtype=NAMES),
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(["", "got 1", "got 2", "crashed"]),
    error_u=st.none() | st.floats(0, 100),
    grade=st.none() | st.sampled_from(Grade),
    flags=st.sampled_from([(), ("flushes subnormals",)]),
)


def results(cells: list[Cell], run: str = "r1", *, complete: bool = True) -> Results:
    header = Header(
        run=run,
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest="d",
        profile="quick",
        environment=RunEnvironment(framework="a", version="1"),
    )
    footer = Footer(cells=len(cells), counts=dict(OutcomeCounts.of(cells)), seconds=1) if complete else None
    return Results(Path("a.jsonl"), header, tuple(cells), footer)


def cell(outcome: Outcome = Outcome.PASS, *, check: str = "x", dtype: str = "float32", **fields: object) -> Cell:
    target = Target(framework="a", version="1", implementation="i", device="cpu", mode="eager", dtype=dtype)
    base = Cell(check=check, kind="case", operation="mse/mean", quantity="value", target=target, outcome=outcome)
    return Cell.model_validate(base.model_dump() | fields)


@given(st.lists(st.lists(CELLS, max_size=12, unique_by=lambda one: one.id), max_size=3))
@settings(deadline=None)
def test_every_view_of_the_table_adds_up_to_the_cells(files: list[list[Cell]]) -> None:
    table = ResultTable.of([results(cells, f"r{number}") for number, cells in enumerate(files)])
    everything = sum(len(cells) for cells in files)
    assert table.total.tally.total == everything
    assert sum(count for count in table.total.tally.values()) == everything
    for section in table.sections:
        assert sum(len(row.cells) for row in section.rows) == len(section.cells)
        assert sum(len(row.cells) for row in section.modes) == len(section.cells)
        for row in (*section.rows, *section.modes):
            parts = {(c.operation, c.quantity, c.target.dtype) for c in row.cells}
            held = [row.at(operation=operation, quantity=quantity, dtype=dtype) for operation, quantity, dtype in parts]
            assert sum(summary.tally.total for summary in held) == row.summary.tally.total
    broken = sum(len(cause.cells) for cause in table.failures)
    assert broken == table.total.tally[Outcome.FAIL] + table.total.tally[Outcome.ERROR]
    assert sum(len(cause.cells) for cause in table.deviations) == table.total.tally[Outcome.DEVIATION]
    assert sum(len(gap.cells) for gap in table.gaps) == table.total.tally[Outcome.UNSUPPORTED] + table.total.tally[Outcome.NOT_RUN]
    json.dumps(table.summary(), allow_nan=False)


@given(st.lists(st.sampled_from(Outcome), max_size=30))
def test_a_denominator_names_every_cell(outcomes: list[Outcome]) -> None:
    written = OutcomeCounts.of([cell(outcome) for outcome in outcomes]).denominator()
    passed, _, rest = written.partition("/")
    total, *apart = rest.split(" · ")
    assert int(total) == len(outcomes)
    assert int(passed) + sum(int(part.split()[0]) for part in apart) == len(outcomes)


def test_the_denominator_reads_as_promised() -> None:
    cells = [cell()] * 186 + [cell(Outcome.UNSUPPORTED)] * 17 + [cell(Outcome.NOT_RUN)] * 18
    assert OutcomeCounts.of(cells).denominator() == "186/221 · 18 not run · 17 unsupported"


@pytest.mark.parametrize("worst", WORST_FIRST)
def test_the_worst_outcome_stands_for_all(worst: Outcome) -> None:
    better = WORST_FIRST[WORST_FIRST.index(worst) :]
    assert Summary(tuple(cell(outcome) for outcome in reversed(better))).tally.worst is worst


def test_errors_count_only_where_a_cell_passes() -> None:
    summary = Summary((cell(error_u=2.0, grade=Grade.FAITHFUL), cell(Outcome.FAIL, error_u=900.0), cell(error_u=3.0, grade=Grade.LINEAR)))
    assert summary.worst_error_u == 3.0
    assert summary.worst_grade is Grade.LINEAR
    assert Summary((cell(Outcome.FAIL, error_u=900.0),)).worst_error_u is None


def test_one_defect_on_many_targets_is_one_cause() -> None:
    cells = [
        cell(Outcome.FAIL, check=check, dtype=dtype, reason=f"got 0x1.{dtype[-2:]}p+3")
        for check in "xy"
        for dtype in ("float16", "float64")
    ]
    (cause,) = ResultTable.of([results(cells)]).failures
    assert [finding.check for finding in cause.findings] == ["x", "y"]
    assert cause.where == ["a · i · cpu · eager · float16, float64"]


def test_different_reasons_are_different_causes() -> None:
    cells = [
        cell(Outcome.FAIL, reason="got inf"),
        cell(Outcome.FAIL, check="y", reason="got nan"),
        cell(Outcome.ERROR, check="z", reason="got nan"),
    ]
    assert [cause.reason for cause in ResultTable.of([results(cells)]).failures] == ["got nan", "got inf", "got nan"]


def test_two_runs_of_the_same_cells_stand_side_by_side_and_disagree() -> None:
    table = ResultTable.of([results([cell()]), results([cell(Outcome.FAIL)], "r2"), results([cell(check="other")], "r1")])
    assert [(section.run, len(section.cells)) for section in table.sections] == [("r1", 2), ("r2", 1)]
    ((first, second),) = table.disagreements
    assert (first.outcome, second.outcome) == (Outcome.PASS, Outcome.FAIL)


def test_an_incomplete_run_never_conforms() -> None:
    table = ResultTable.of([results([cell()], complete=False)])
    assert not table.conforms
    assert table.verdict == table.sections[0].verdict == "incomplete"
    assert table.sections[0].denominator == "1/1 so far"


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], "nothing ran"),
        ([Outcome.UNSUPPORTED], "nothing ran"),
        ([Outcome.PASS, Outcome.NOT_RUN], "conforms"),
        ([Outcome.PASS, Outcome.DEVIATION], "conforms with deviations"),
        ([Outcome.PASS, Outcome.ERROR], "does not conform"),
        ([Outcome.FAIL], "does not conform"),
    ],
)
def test_the_verdict(outcomes: list[Outcome], verdict: str) -> None:
    table = ResultTable.of([results([cell(outcome, check=str(number)) for number, outcome in enumerate(outcomes)])])
    assert table.verdict == verdict
    assert table.conforms is verdict.startswith("conforms")


def test_what_only_should_pass_breaks_no_conformance() -> None:
    table = ResultTable.of([results([cell(), cell(Outcome.FAIL, check="y", level="should")])])
    assert table.conforms
    assert len(table.failures) == 1


def test_targets_fold_into_few_words() -> None:
    targets = [
        Target(framework="torch", version="2", implementation=name, device="cpu", mode=mode, dtype=dtype)
        for name in ("mse_loss", "MSELoss")
        for mode in ("eager", "compile")
        for dtype in ("float64", "float16")
    ]
    assert targets_in_words(targets) == ["torch · mse_loss, MSELoss · cpu · eager, compile · float16, float64"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [(None, ""), (0.0, "0"), (0.001, "<0.01"), (0.05, "0.05"), (1.96, "2.0"), (12.34, "12"), (8190.0, "8,190"), (1.7e308, "2e308")],
)
def test_figures_are_short(error: float | None, shown: str) -> None:
    assert format_error(error) == shown


@given(st.text(st.characters()))
def test_visible_text_is_one_line_that_can_be_seen(text: str) -> None:
    assert printable(text).replace(" ", "").isprintable()
    assert len(printable(text, 30)) <= 30
    printable(text).encode("utf-8")
