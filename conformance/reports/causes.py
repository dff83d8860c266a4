"""Failing cells brought together: one finding per check and quantity, one cause for findings that look alike on the same targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from conformance.reports.text import targets_in_words, without_numbers
from conformance.results.records import Cell, Outcome


@dataclass(frozen=True)
class FailureGroup:
    """Cells of one outcome, check and quantity whose reasons begin alike."""

    cells: tuple[Cell, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome that all the cells have."""
        return self.cells[0].outcome

    @property
    def check(self) -> str:
        """The check that all the cells belong to."""
        return self.cells[0].check

    @property
    def quantity(self) -> str:
        """What was compared."""
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
        """The reason, in the numbers of the exemplar."""
        return self.representative.reason

    @cached_property
    def where(self) -> list[str]:
        """The targets that show it, folded into few words."""
        return targets_in_words(cell.target for cell in self.cells)


@dataclass(frozen=True)
class Cause:
    """Findings that probably have one cause: the same outcome and reason on the same devices, modes and dtypes."""

    findings: tuple[FailureGroup, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome that all the cells have."""
        return self.findings[0].outcome

    @property
    def level(self) -> str:
        """``must`` if any of the cells must pass."""
        return "must" if any(finding.level == "must" for finding in self.findings) else "should"

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells of all findings."""
        return tuple(cell for finding in self.findings for cell in finding.cells)

    @cached_property
    def representative(self) -> Cell:
        """The cell a person should look at first."""
        return min((finding.representative for finding in self.findings), key=readability_key)

    @property
    def reason(self) -> str:
        """The reason, in the numbers of the exemplar."""
        return self.representative.reason

    @property
    def quantities(self) -> tuple[str, ...]:
        """What was compared, over all findings."""
        return tuple(dict.fromkeys(finding.quantity for finding in self.findings))

    @property
    def frameworks(self) -> tuple[str, ...]:
        """The frameworks that show it."""
        return tuple(dict.fromkeys(cell.target.framework for cell in self.cells))

    @cached_property
    def where(self) -> list[str]:
        """The targets that show it, folded into few words."""
        return targets_in_words(cell.target for cell in self.cells)


@dataclass(frozen=True)
class Gap:
    """Cells without a verdict (unsupported, not run) that give the same reason in one framework."""

    framework: str
    outcome: Outcome
    reason: str
    cells: tuple[Cell, ...]

    @cached_property
    def where(self) -> list[str]:
        """The targets, folded into few words."""
        return targets_in_words(cell.target for cell in self.cells)


def gist(cell: Cell) -> str:
    """What a cell's reason says before it comes to figures, and whether these are infinite or not numbers.

    Figures differ from check to check where the defect is one; how the sentence begins does not.
    """
    words = without_numbers(cell.reason.replace(cell.quantity, "")).replace(" at element # of #", "")
    beginning, _, rest = words.partition("#")
    return beginning + "".join(f" {kind}" for kind in ("inf", "nan") if re.search(rf"\b{kind}\b", rest))


def causes(cells: Iterable[Cell], *outcomes: Outcome) -> tuple[Cause, ...]:
    """Bring the cells of these outcomes together by cause: in the order of the outcomes, then what has the most cells."""
    found: dict[tuple[Outcome, str, str, str], list[Cell]] = {}
    for cell in cells:
        if cell.outcome in outcomes:
            found.setdefault((cell.outcome, cell.check, cell.quantity, gist(cell)), []).append(cell)
    alike: dict[tuple[Outcome, str, frozenset[tuple[str, ...]]], list[FailureGroup]] = {}
    for (outcome, _, _, reason), members in found.items():
        places = frozenset((c.target.framework, c.target.version, c.target.device, c.target.mode, c.target.dtype) for c in members)
        alike.setdefault((outcome, reason, places), []).append(FailureGroup(tuple(members)))
    together = [Cause(tuple(findings)) for findings in alike.values()]
    return tuple(sorted(together, key=lambda cause: (cause.level != "must", outcomes.index(cause.outcome), -len(cause.cells))))


def gaps(cells: Iterable[Cell], *outcomes: Outcome) -> tuple[Gap, ...]:
    """Group cells without a verdict by framework and reason, the largest group first."""
    grouped: dict[tuple[str, Outcome, str], list[Cell]] = {}
    for cell in cells:
        if cell.outcome in outcomes:
            grouped.setdefault((cell.target.framework, cell.outcome, without_numbers(cell.reason)), []).append(cell)
    found = [Gap(framework, outcome, members[0].reason, tuple(members)) for (framework, outcome, _), members in grouped.items()]
    return tuple(sorted(found, key=lambda gap: (outcomes.index(gap.outcome), -len(gap.cells))))


def readability_key(cell: Cell) -> tuple[bool, int, int]:
    """A key that sorts the cells a person understands soonest first: those with a small witness."""
    witness = cell.witness
    if witness is None:
        return (True, 0, 0)
    return (False, prod(witness.shape), sum(map(len, (*witness.prediction, *witness.target))))
