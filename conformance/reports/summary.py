"""Many cells in one place of the matrix: how many of each outcome, the worst error, the worst grade, the flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from conformance.reports.text import GLYPHS, PARTIAL
from conformance.results import Cell, Grade, Outcome

WORST_FIRST = (Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.NOT_RUN, Outcome.UNSUPPORTED, Outcome.PASS)
"""The order in which outcomes are shown, and in which one of many stands for all."""

BEST_GRADE_FIRST = tuple(Grade)


@dataclass(frozen=True)
class Tally:
    """How many cells there are of each outcome. The six are counted apart and always add up to the total."""

    counts: Mapping[Outcome, int]

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> Tally:
        """Count the outcomes of these cells."""
        counted = Counter(cell.outcome for cell in cells)
        return cls({outcome: counted[outcome] for outcome in WORST_FIRST})

    def __getitem__(self, outcome: Outcome) -> int:
        return self.counts[outcome]

    def __iter__(self) -> Iterator[tuple[Outcome, int]]:
        return iter(self.counts.items())

    @property
    def total(self) -> int:
        """Every cell, whatever its outcome."""
        return sum(self.counts.values())

    @property
    def worst(self) -> Outcome | None:
        """The worst outcome that occurs; None where there is no cell."""
        return next((outcome for outcome in WORST_FIRST if self.counts[outcome]), None)

    @property
    def partial(self) -> bool:
        """Whether some cells pass and the others have no verdict."""
        return bool(self.counts[Outcome.PASS]) and self.worst in (Outcome.NOT_RUN, Outcome.UNSUPPORTED)

    @property
    def glyph(self) -> str:
        """The sign of the worst outcome, or the half circle where all that could run passes."""
        return "" if self.worst is None else PARTIAL if self.partial else GLYPHS[self.worst]

    def denominator(self) -> str:
        """``186/221 · 17 unsupported · 18 not run``: the passes, all cells, and where the difference went."""
        words = {Outcome.DEVIATION: "deviation", Outcome.NOT_RUN: "not run"}
        apart = [(count, words.get(outcome, outcome.value)) for outcome, count in self if count and outcome is not Outcome.PASS]
        named = [f"{count:,} {word}{'s' if word in ('error', 'deviation') and count > 1 else ''}" for count, word in apart]
        return " · ".join([f"{self.counts[Outcome.PASS]:,}/{self.total:,}", *named])


def error_in_u(cell: Cell) -> float:
    """The cell's error in u, at most two for each ulp.

    Among normal numbers an ulp is never more than 2 u, so this changes nothing. Below them the distance of two neighbours
    is nearly all of their size, and an error relative to that size would drown every other one in the place.
    """
    error = cell.error_u or 0.0
    return error if cell.error_ulp is None else min(error, 2 * cell.error_ulp)


@dataclass(frozen=True)
class Summary:
    """What a number of cells come to."""

    cells: tuple[Cell, ...]

    def __bool__(self) -> bool:
        return bool(self.cells)

    @cached_property
    def tally(self) -> Tally:
        """The outcomes, counted."""
        return Tally.of(self.cells)

    @cached_property
    def least_accurate(self) -> Cell | None:
        """The passing cell with the worst error in u: its witness shows where the accuracy goes."""
        measured = [cell for cell in self.cells if cell.outcome is Outcome.PASS and cell.error_u is not None]
        return max(measured, key=error_in_u, default=None)

    @property
    def worst_error_u(self) -> float | None:
        """The worst error found in a passing cell, in u: a lower bound of the true one."""
        return error_in_u(self.least_accurate) if self.least_accurate else None

    @cached_property
    def worst_grade(self) -> Grade | None:
        """The worst grade among the cells that have one."""
        return max((cell.grade for cell in self.cells if cell.grade), key=BEST_GRADE_FIRST.index, default=None)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Every flag raised by any cell."""
        return tuple(sorted({flag for cell in self.cells for flag in cell.flags}))

    @cached_property
    def broken(self) -> int:
        """How many cells that must pass fail or end in an error."""
        return sum(cell.level == "must" and cell.outcome in (Outcome.FAIL, Outcome.ERROR) for cell in self.cells)

    @property
    def badness(self) -> tuple[float, ...]:
        """A key that sorts the worst first: what must pass and does not, then by outcome, then by error."""
        tally = self.tally
        return (-self.broken, *(-tally[outcome] for outcome in WORST_FIRST[:-1]), -(self.worst_error_u or 0.0))

    def as_dict(self) -> dict[str, object]:
        """Put the summary into plain types."""
        return {
            "outcomes": {outcome.value: count for outcome, count in self.tally if count},
            "total": self.tally.total,
            "worst": self.tally.worst.value if self.tally.worst else None,
            "worst_error_u": self.worst_error_u,
            "worst_grade": self.worst_grade.value if self.worst_grade else None,
            "flags": list(self.flags),
            "denominator": self.tally.denominator(),
        }
