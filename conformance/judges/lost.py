"""How often what was asked was lost, and when it is not asked any more."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from conformance.results.records import Target

MAX_LOST = 3
"""After so many hangs or deaths an implementation is given up, if it answered nothing between, and otherwise its target."""


@dataclass
class LostCounts:
    """How often a runner was lost: in a row by each implementation, with no answer between, and in all by each target."""

    in_a_row: Counter[str] = field(default_factory=Counter)
    of_target: Counter[Target] = field(default_factory=Counter)
    reasons: dict[str | Target, str] = field(default_factory=dict)
    """Of each implementation and each target, the last."""

    def note(self, target: Target, reason: str) -> None:
        """Count one."""
        self.in_a_row[target.implementation] += 1
        self.of_target[target] += 1
        self.reasons[target.implementation] = self.reasons[target] = reason

    def note_answer(self, target: Target) -> None:
        """Its implementation has answered something."""
        del self.in_a_row[target.implementation]

    def given_up(self, target: Target) -> str:
        """Why nothing more is asked of a target; empty if it is."""
        if self.in_a_row[target.implementation] >= MAX_LOST:
            return f"given up after {MAX_LOST} hangs or deaths in a row; the last: {self.reasons[target.implementation]}"
        if self.of_target[target] >= MAX_LOST:
            return f"given up after {MAX_LOST} hangs or deaths of this target; the last: {self.reasons[target]}"
        return ""
