"""The verdict on one miniature: what has rejected it, with which seeds, and what is still worth asking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from conformance.power.variants import Miniature
from conformance.results.records import Cell, Outcome
from conformance.run.plan import Item

REJECTS = frozenset({Outcome.FAIL, Outcome.ERROR})
How = Literal["killed", "survived", "accepted", "accused"]


@dataclass(frozen=True)
class CheckReply:
    """What one check said of a miniature. ``drawn``: with another seed it may say something else; ``lost``: it took its worker down."""

    cells: Sequence[Cell]
    drawn: bool
    lost: bool = False


@dataclass
class Verdict:
    """What the checks have said so far. With the first seed everything is asked, with further seeds only what they can change."""

    miniature: Miniature
    first_seed: int
    kills: dict[str, Cell] = field(default_factory=dict)
    """For each check that rejected it with the first seed, the first cell that did."""
    always: bool = False
    """Whether something rejected it that drew nothing: every seed does."""
    killed_with: set[int] = field(default_factory=set)
    asked_with: set[int] = field(default_factory=set)
    accusations: list[tuple[int, Cell]] = field(default_factory=list)
    passes: int = 0
    lost: bool = False
    _settled: set[str] = field(default_factory=set)
    """What has answered without drawing anything: it would say the same again."""

    def needs(self, item: Item, seed: int, *, once: bool = False) -> bool:
        """Whether an answer could still change the verdict. ``once``: one check that rejects it is enough."""
        if self.lost or item.left_out:
            return False
        if seed == self.first_seed and not (once and self.miniature.wrong):
            return True
        if item.request.model_dump_json() in self._settled:
            return False
        return not (self.miniature.wrong and (self.always or seed in self.killed_with))

    def note(self, item: Item, seed: int, answer: CheckReply) -> None:
        """Take an answer into account."""
        self.asked_with.add(seed)
        if not answer.drawn:
            self._settled.add(item.request.model_dump_json())
        self.lost |= answer.lost
        self.passes += sum(cell.outcome is Outcome.PASS for cell in answer.cells)
        rejecting = [cell for cell in answer.cells if cell.outcome in REJECTS]
        if not self.miniature.wrong:
            # What only ``should`` hold is no accusation: a plain loop is right, and not as accurate as a tree.
            self.accusations += [(seed, cell) for cell in rejecting if cell.level == "must"]
        elif rejecting:
            self.killed_with.add(seed)
            self.always |= not answer.drawn or answer.lost
            if seed == self.first_seed:
                self.kills.setdefault(item.check.id, rejecting[0])

    def survived(self, seeds: Collection[int]) -> list[int]:
        """The seeds with which nothing rejected it."""
        return [] if self.always else [seed for seed in seeds if seed not in self.killed_with]

    def how(self, seeds: Collection[int]) -> How:
        """The verdict in a word: a wrong one is killed only if it is with every seed, a right one accepted only if something passed."""
        if self.miniature.wrong:
            return "survived" if self.survived(seeds) else "killed"
        return "accused" if self.accusations or not self.passes else "accepted"
