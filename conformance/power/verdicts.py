"""The verdict on one variant: what has rejected it, with which seeds, and what is still worth asking."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from conformance.power.variants import Variant
from conformance.results.records import Cell, Outcome
from conformance.run.plan import CheckReply, PlannedCheck

REJECTS = frozenset({Outcome.FAIL, Outcome.ERROR})


@dataclass
class Verdict:
    """What the checks have said so far. With the first seed everything is asked, with further seeds only what they can change."""

    variant: Variant
    first_seed: int
    kills: dict[str, Cell] = field(default_factory=dict)
    """For each check that rejected it with the first seed, the first cell that did."""
    always: bool = False
    """Whether something rejected it that drew nothing: every seed does."""
    killed_with: set[int] = field(default_factory=set)
    accusations: list[tuple[int, Cell]] = field(default_factory=list)
    passes: int = 0
    lost: bool = False
    _settled: set[tuple[str, str]] = field(default_factory=set)
    """What has answered without drawing anything: it would say the same again."""

    def needs(self, item: PlannedCheck, seed: int, *, stop_at_first_kill: bool = False) -> bool:
        """Whether an answer could still change the verdict; if ``stop_at_first_kill``, one check that rejects a mutant is enough."""
        if self.lost or item.skip_reason:
            return False
        if seed == self.first_seed and not (stop_at_first_kill and self.variant.is_mutant):
            return True
        if (item.check.id, item.target.id) in self._settled:
            return False
        return not (self.variant.is_mutant and (self.always or seed in self.killed_with))

    def note(self, item: PlannedCheck, seed: int, answer: CheckReply) -> None:
        """Take an answer into account."""
        if not answer.uses_random_inputs:
            self._settled.add((item.check.id, item.target.id))
        self.lost |= answer.lost
        self.passes += sum(cell.outcome is Outcome.PASS for cell in answer.cells)
        rejecting = [cell for cell in answer.cells if cell.outcome in REJECTS]
        if not self.variant.is_mutant:
            # What only ``should`` hold is no accusation: a plain loop is right, and not as accurate as a tree.
            self.accusations += [(seed, cell) for cell in rejecting if cell.level == "must"]
        elif rejecting:
            self.killed_with.add(seed)
            self.always |= not answer.uses_random_inputs or answer.lost
            if seed == self.first_seed:
                self.kills.setdefault(item.check.id, rejecting[0])

    def survived(self, seeds: Collection[int]) -> list[int]:
        """The seeds with which nothing rejected it."""
        return [] if self.always else [seed for seed in seeds if seed not in self.killed_with]

    def how(self, seeds: Collection[int]) -> str:
        """In a word: a mutant is killed only if every seed kills it, an equivalent variant accepted only if something passed."""
        if self.variant.is_mutant:
            return "survived" if self.survived(seeds) else "killed"
        return "accused" if self.accusations or not self.passes else "accepted"
