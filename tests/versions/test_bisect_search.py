from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.results.records import Cell, Outcome, Target, Witness
from conformance.versions.search import BisectError, Cells, EnvironmentUnavailable, search, state_of

TARGET = Target(framework="jax", version="", implementation="mean", device="cpu", mode="eager", dtype="float16")


def cell(outcome: Outcome, *, observed: str = "", check: str = "mse/mean/case/a", answer: str = "") -> Cell:
    witness = Witness(shape=(1,), observed=observed) if observed else None
    return Cell(
        check=check,
        kind="behaviour" if answer else "case",
        operation="mse/mean",
        quantity="value",
        target=TARGET,
        outcome=outcome,
        witness=witness,
        answer=answer,
    )


def cells(*some: Cell) -> Cells:
    return {one.id: one for one in some}


GOOD, BAD = cells(cell(Outcome.PASS)), cells(cell(Outcome.FAIL, observed="inf"))


class Releases:
    """Releases 0 to n - 1; the cell changes at one of them, and some cannot be made. Remembers which were asked for."""

    def __init__(self, count: int, changes_at: int, broken: frozenset[int] = frozenset()) -> None:
        self.names = [str(number) for number in range(count)]
        self.changes_at = changes_at
        self.broken = broken
        self.asked: list[str] = []

    def run_release(self, release: str) -> Cells:
        self.asked.append(release)
        if int(release) in self.broken:
            raise EnvironmentUnavailable("no wheel")
        return GOOD if int(release) < self.changes_at else BAD


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))))
def test_it_finds_the_release_that_changed(case: tuple[int, int]) -> None:
    count, changes_at = case
    releases = Releases(count, changes_at)
    found = search(releases.names, releases.run_release)
    assert (found.before, found.after) == (str(changes_at - 1), str(changes_at))
    assert len(releases.asked) == len(set(releases.asked)) == found.looked
    assert found.looked <= 2 + count.bit_length()


@given(
    st.integers(3, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.frozensets(st.integers(1, n - 2), max_size=n - 2)))
)
def test_what_cannot_be_made_is_passed_over_and_told(case: tuple[int, int, frozenset[int]]) -> None:
    count, changes_at, broken = case
    releases = Releases(count, changes_at, broken)
    found = search(releases.names, releases.run_release)
    before, after = int(found.before), int(found.after)
    assert before < changes_at <= after
    assert {int(version) for version in found.skipped} == set(range(before + 1, after)) <= broken


def test_both_cells_are_shown() -> None:
    releases = Releases(5, 3)
    found = search(releases.names, releases.run_release)
    assert found.cell == "mse/mean/case/a:value@jax/mean/cpu/eager/float16"
    assert found.cell_before is not None
    assert found.cell_before.outcome is Outcome.PASS
    assert found.cell_after is not None
    assert found.cell_after.outcome is Outcome.FAIL


def test_cells_that_changed_with_it_are_named() -> None:
    other = cell(Outcome.PASS, check="mse/mean/case/b"), cell(Outcome.ERROR, check="mse/mean/case/b")
    seen = {"1": cells(cell(Outcome.PASS), other[0]), "2": cells(cell(Outcome.ERROR), other[1])}
    assert search(["1", "2"], seen.__getitem__).others == (other[0].id,)


def test_two_ends_that_do_not_differ_are_nothing_to_search() -> None:
    with pytest.raises(BisectError, match="1 and 2 do not differ in any of 1 cells"):
        search(["1", "2"], lambda _: GOOD)


def test_an_end_that_cannot_be_made_says_why() -> None:
    releases = Releases(4, 2, frozenset({3}))
    with pytest.raises(BisectError, match="3 could not be looked at: no wheel"):
        search(releases.names, releases.run_release)


def test_an_implementation_that_only_one_side_has_is_a_change() -> None:
    run_release: Callable[[str], Cells] = {"1": cells(), "2": GOOD}.__getitem__
    assert search(["1", "2"], run_release).cell_before is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (cell(Outcome.FAIL, observed="inf"), cell(Outcome.DEVIATION, observed="inf"), True),
        (cell(Outcome.FAIL, observed="inf"), cell(Outcome.FAIL, observed="nan"), False),
        (cell(Outcome.PASS, observed="0x1p+0"), cell(Outcome.PASS, observed="0x1.8p+0"), True),
        (cell(Outcome.PASS, answer="4.0"), cell(Outcome.PASS, answer="nan"), False),
        (cell(Outcome.PASS), cell(Outcome.ERROR), False),
    ],
)
def test_what_counts_as_a_change(one: Cell, other: Cell, same: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (state_of(one) == state_of(other)) is same
