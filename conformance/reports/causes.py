"""Failing cells brought together: one finding per check and quantity, one cause for findings that look alike on the same targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from conformance.reports.text import group_by, targets_in_words, without_numbers
from conformance.results.records import Cell, Outcome


@dataclass(frozen=True)
class CellGroup:
    """Cells of one outcome that are told as one: of a check and quantity, of a cause, or without a verdict for one reason."""

    cells: tuple[Cell, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome that all the cells have."""
        return self.cells[0].outcome

    @property
    def framework(self) -> str:
        """The framework of the first cell, and of all where cells are grouped by it."""
        return self.cells[0].target.framework

    @property
    def check(self) -> str:
        """The check of the first cell, and of all where cells are grouped by it."""
        return self.cells[0].check

    @property
    def quantity(self) -> str:
        """What was compared in the first cell, and in all where cells are grouped by it."""
        return self.cells[0].quantity

    @property
    def level(self) -> str:
        """``must`` if any of the cells must pass."""
        return "must" if any(cell.level == "must" for cell in self.cells) else "should"

    @cached_property
    def representative(self) -> Cell:
        """The cell a person should look at first: the one whose witness is smallest."""
        return min(self.cells, key=readability_key)

    @property
    def reason(self) -> str:
        """The reason, in the numbers of the representative."""
        return self.representative.reason

    @cached_property
    def where(self) -> list[str]:
        """The targets that show it, folded into few words."""
        return targets_in_words(cell.target for cell in self.cells)


@dataclass(frozen=True)
class Cause(CellGroup):
    """Findings that probably have one cause: the same outcome and reason on the same devices, modes and dtypes."""

    findings: tuple[CellGroup, ...]

    @property
    def checks(self) -> list[tuple[str, str]]:
        """The checks, each with its quantities."""
        by_check = group_by(self.findings, lambda finding: finding.check)
        return [(check, ", ".join(finding.quantity for finding in found)) for check, found in by_check.items()]


def normalized_reason(cell: Cell) -> str:
    """What a cell's reason says before it comes to figures, and whether these are infinite or not numbers.

    Figures differ from check to check where the defect is one; how the sentence begins does not.
    """
    words = without_numbers(cell.reason.replace(cell.quantity, "")).replace(" at element # of #", "")
    beginning, _, rest = words.partition("#")
    return beginning + "".join(f" {kind}" for kind in ("inf", "nan") if re.search(rf"\b{kind}\b", rest))


def causes(cells: Iterable[Cell], *outcomes: Outcome) -> tuple[Cause, ...]:
    """Bring the cells of these outcomes together by cause: in the order of the outcomes, then what has the most cells."""
    chosen = (cell for cell in cells if cell.outcome in outcomes)
    found = group_by(chosen, lambda cell: (cell.outcome, cell.check, cell.quantity, normalized_reason(cell)))
    alike: dict[tuple[object, ...], list[CellGroup]] = {}
    for (outcome, _, _, reason), members in found.items():
        places = frozenset((t.framework, t.version, t.device, t.mode, t.dtype) for t in (cell.target for cell in members))
        alike.setdefault((outcome, reason, places), []).append(CellGroup(tuple(members)))
    together = [Cause(tuple(cell for finding in findings for cell in finding.cells), tuple(findings)) for findings in alike.values()]
    return tuple(sorted(together, key=lambda cause: (cause.level != "must", outcomes.index(cause.outcome), -len(cause.cells))))


def gaps(cells: Iterable[Cell], *outcomes: Outcome) -> tuple[CellGroup, ...]:
    """Group cells without a verdict by framework and reason, the largest group first."""
    chosen = (cell for cell in cells if cell.outcome in outcomes)
    grouped = group_by(chosen, lambda cell: (cell.target.framework, cell.outcome, without_numbers(cell.reason)))
    found = (CellGroup(tuple(members)) for members in grouped.values())
    return tuple(sorted(found, key=lambda gap: (outcomes.index(gap.outcome), -len(gap.cells))))


def readability_key(cell: Cell) -> tuple[bool, int, int]:
    """A key that sorts the cells a person understands soonest first: those with a small witness."""
    witness = cell.witness
    if witness is None:
        return (True, 0, 0)
    return (False, prod(witness.shape), sum(map(len, (*witness.prediction, *witness.target))))
