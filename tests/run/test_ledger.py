"""Documented deviations at work: a cell that departs as documented is one, and whatever else happens is complained about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from conformance.results.records import Cell, Outcome, Target, Witness
from conformance.run.ledger import DeviationLedger
from conformance.specs.model import Deviation

TODAY = dt.date(2026, 11, 23)
CHECK = "mse/mean/case/mean-sum-overflows-float16"
THREAD = "https://github.com/tensorflow/tensorflow/issues/56890"
RAN = [("tensorflow", "2.21.0")]
TARGET = Target(framework="tensorflow", version="2.21.0", implementation="written-out.mean", device="cpu", mode="eager", dtype="float16")
WHERE = {"framework": ("tensorflow",), "version": (">=2.13,<2.22",), "mode": ("eager", "graph")}


def deviation(
    signature: Mapping[str, str | Fraction],
    *,
    check: str = CHECK,
    quantity: str = "value",
    where: Mapping[str, tuple[str, ...]] = WHERE,
    url: str = THREAD,
    review_by: dt.date = dt.date(2027, 6, 30),
) -> Deviation:
    return Deviation(
        check, quantity, where, {"outcome": "fail", **signature}, "It sums in float16.", url, review_by, Path("tensorflow.toml")
    )


def cell(
    observed: str | None = "inf",
    *,
    outcome: Outcome = Outcome.FAIL,
    kind: str = "case",
    check: str = CHECK,
    quantity: str = "value",
    error_u: float | None = None,
    flags: tuple[str, ...] = (),
    target: Target = TARGET,
) -> Cell:
    witness = None if observed is None else Witness(shape=(4,), observed=observed)
    return Cell.model_validate(
        {
            "check": check,
            "kind": kind,
            "operation": "mse/mean",
            "quantity": quantity,
            "target": target,
            "outcome": outcome,
            "reason": "value: found another number",
            "flags": flags,
            "error_u": error_u,
            "witness": witness,
        }
    )


def ledger(*deviations: Deviation) -> DeviationLedger:
    return DeviationLedger(deviations, TODAY)


INF: dict[str, str | Fraction] = {"observed": "inf"}
EXACTLY = [
    (INF, cell("inf")),
    ({"observed": "nan"}, cell("nan")),
    ({"observed": "-inf"}, cell("-inf")),
    ({"observed": Fraction(15, 4)}, cell("0x1.ep+1")),
    ({"observed": Fraction(0)}, cell("-0x0.0p+0")),
    ({"error_u_min": Fraction(3)}, cell("0x1p+0", error_u=3.0)),
    ({"error_u_min": Fraction(3), "error_u_max": Fraction(8)}, cell("0x1p+0", error_u=8.0)),
    ({"shape": "(0,)"}, cell("shape (0,)")),
    ({"dtype": "float32"}, cell("0x1p+0", flags=("sum overflows", "returns float32"))),
    ({"outcome": "error"}, cell(None, outcome=Outcome.ERROR)),
    ({"outcome": "error", "dtype": "float32"}, cell(None, outcome=Outcome.ERROR, flags=("returns float32",))),
]


@pytest.mark.parametrize(("signature", "found"), EXACTLY)
def test_a_cell_that_departs_exactly_as_documented_is_a_deviation(signature: dict[str, str | Fraction], found: Cell) -> None:
    book = ledger(deviation(signature))
    applied = book.apply(found)
    assert applied.outcome is Outcome.DEVIATION
    assert applied.reason == f"It sums in float16. ({THREAD})"
    assert applied == found.model_copy(update={"outcome": Outcome.DEVIATION, "reason": applied.reason})
    assert book.complaints(RAN, everything=True) == []


def test_without_a_thread_the_reason_has_no_empty_parentheses() -> None:
    assert ledger(deviation(INF, url="")).apply(cell()).reason == "It sums in float16."


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (INF, cell("nan")),
        (INF, cell("0x1.fffffep+127")),
        (INF, cell(None)),
        (INF, cell("shape (0,)")),
        ({"shape": "(0,)"}, cell("shape (0, 3)")),
        ({"shape": "()"}, cell("0x1p+0")),
        ({"shape": "(0,)"}, cell(None)),
        ({"observed": Fraction(15, 4)}, cell("inf")),
        ({"error_u_min": Fraction(3)}, cell("0x1p+0", error_u=2.0)),
        ({"error_u_max": Fraction(8)}, cell("0x1p+0", error_u=9.0)),
        ({"error_u_min": Fraction(3)}, cell("inf")),
        ({"error_u_max": Fraction(8)}, cell("inf")),
        ({"dtype": "float32"}, cell("0x1p+0", flags=("returns float64",))),
        (INF, cell(None, outcome=Outcome.ERROR)),
        ({"outcome": "error"}, cell("inf")),
        ({"outcome": "error", "dtype": "float32"}, cell(None, outcome=Outcome.ERROR)),
    ],
)
def test_a_cell_that_departs_differently_stays_what_it_is(signature: dict[str, str | Fraction], found: Cell) -> None:
    book = ledger(deviation(signature))
    assert book.apply(found) is found
    assert book.complaints(RAN, everything=False) == [f"tensorflow.toml: {CHECK}: {found.id} deviates differently: {found.reason}"]


def test_a_pinned_cell_that_passes_no_longer_deviates() -> None:
    book = ledger(deviation(INF))
    found = cell("0x1.388p+15", outcome=Outcome.PASS)
    assert book.apply(found) is found
    assert book.complaints(RAN, everything=True) == [f"tensorflow.toml: {CHECK}: {found.id} no longer deviates"]


@pytest.mark.parametrize("kind", ["bound", "law"])
def test_a_generated_check_may_pass_or_fail_with_any_number(kind: str) -> None:
    check = f"mse/mean/{kind}/anything"
    book = ledger(deviation(INF, check="mse/mean/*"))
    passing = cell(None, outcome=Outcome.PASS, kind=kind, check=check)
    failing = cell("0x1p+0", kind=kind, check=check, error_u=5.0)
    assert book.apply(passing) is passing
    assert book.apply(failing).outcome is Outcome.DEVIATION
    assert book.complaints(RAN, everything=True) == []


def test_a_generated_check_is_still_held_to_outcome_and_dtype() -> None:
    check = "mse/mean/bound/ordinary"
    book = ledger(deviation({"dtype": "float32"}, check=check), deviation({"outcome": "error", "dtype": "float32"}, check=check))
    for found in (cell("0x1p+0", kind="bound", check=check), cell(None, kind="bound", check=check, outcome=Outcome.ERROR)):
        assert book.apply(found) is found
    narrower = cell(None, kind="bound", check=check, outcome=Outcome.ERROR, flags=("returns float32",))
    assert book.apply(narrower).outcome is Outcome.DEVIATION
    assert book.complaints(RAN, everything=True) == []  # the cell itself fails the run: no more is known


@pytest.mark.parametrize(
    "elsewhere",
    [
        cell(target=TARGET.model_copy(update={"mode": "xla"})),
        cell(target=TARGET.model_copy(update={"version": "2.22.0"})),
        cell(target=TARGET.model_copy(update={"framework": "torch"})),
        cell(quantity="gradient/prediction"),
        cell(check="mse/mean/case/mean-thirds"),
    ],
)
def test_a_cell_that_is_not_covered_is_left_alone(elsewhere: Cell) -> None:
    book = ledger(deviation(INF))
    assert book.apply(elsewhere) is elsewhere
    assert book.complaints(RAN, everything=False) == []


def test_of_several_deviations_that_cover_a_cell_the_one_that_fits_decides() -> None:
    book = ledger(deviation({"observed": "nan"}, check="mse/mean/case/*"), deviation(INF))
    assert book.apply(cell("inf")).outcome is Outcome.DEVIATION
    assert book.apply(cell("nan")).outcome is Outcome.DEVIATION
    assert book.complaints(RAN, everything=True) == []


def test_past_its_review_date_it_is_still_a_deviation_and_fails_the_run() -> None:
    book = ledger(deviation(INF, review_by=dt.date(2026, 11, 22)))
    assert book.apply(cell()).outcome is Outcome.DEVIATION
    assert book.complaints(RAN, everything=False) == [f"tensorflow.toml: {CHECK}: its review date 2026-11-22 has passed"]


def test_on_its_review_date_it_still_stands() -> None:
    book = ledger(deviation(INF, review_by=TODAY))
    book.apply(cell())
    assert book.complaints(RAN, everything=True) == []


def test_the_same_complaint_is_made_once() -> None:
    book = ledger(deviation(INF, review_by=dt.date(2026, 11, 22)))
    for mode in ("eager", "graph"):
        book.apply(cell(target=TARGET.model_copy(update={"mode": mode})))
    assert len(book.complaints(RAN, everything=True)) == 1


UNMATCHED = [f"tensorflow.toml: {CHECK}: it matched no cell of this run"]


@pytest.mark.parametrize(
    ("ran", "everything", "complaints"),
    [
        (RAN, True, UNMATCHED),
        ([*RAN, ("torch", "2.13.0")], True, UNMATCHED),
        (RAN, False, []),
        ([("tensorflow", "2.22.0")], True, []),
        ([("torch", "2.13.0")], True, []),
        ([], True, []),
    ],
)
def test_unmatched_only_after_a_run_of_everything_on_a_version_it_is_about(
    ran: list[tuple[str, str]],
    everything: bool,  # noqa: FBT001 - a column of the table above
    complaints: list[str],
) -> None:
    book = ledger(deviation(INF))
    book.apply(cell(quantity="gradient/prediction"))
    assert book.complaints(ran, everything=everything) == complaints


def test_a_deviation_of_several_frameworks_is_unmatched_where_any_of_them_ran() -> None:
    book = ledger(deviation(INF, where={"framework": ("torch", "tensorflow"), "version": (">=2",), "mode": ("eager",)}))
    assert book.complaints(RAN, everything=True) == UNMATCHED


@pytest.mark.parametrize("outcome", [Outcome.NOT_RUN, Outcome.UNSUPPORTED])
def test_a_cell_without_a_verdict_is_never_a_deviation(outcome: Outcome) -> None:
    book = ledger(deviation(INF), deviation({"outcome": "error"}))
    found = cell(None, outcome=outcome)
    assert book.apply(found) is found
    assert book.complaints(RAN, everything=False) == []


def test_what_the_profile_left_out_is_not_held_against_a_deviation() -> None:
    book = ledger(deviation(INF))
    book.apply(cell(None, outcome=Outcome.NOT_RUN))
    assert book.complaints(RAN, everything=True) == []


def test_a_deviation_whose_cells_are_all_unsupported_by_now_is_unmatched() -> None:
    book = ledger(deviation(INF))
    book.apply(cell(None, outcome=Outcome.UNSUPPORTED))
    assert book.complaints(RAN, everything=True) == UNMATCHED
