"""What changes for someone who ports: the lines of advice, each with a cell of both sides that shows what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Literal

from conformance.reports.compare.formulas import SYMBOLS
from conformance.reports.compare.sides import Side
from conformance.reports.text import printable
from conformance.results.records import Cell

MOST = 15
"""As many lines are shown in a text that a person reads to its end."""


_LINK = re.compile(r"\s*\(https?://[^\s()]+\)$")


def without_link(reason: str) -> str:
    """A reason without the address of a page that ends it: that is in the cell."""
    return _LINK.sub("", printable(reason, 400))


class Topic(StrEnum):
    """What a line is about, in the order in which they are shown."""

    REDUCTION = "Reduction"
    AXIS = "Axis"
    DIVISOR = "Divisor"
    WEIGHTS = "Weights and masks"
    DTYPES = "Dtypes"
    ARGUMENTS = "Shapes and arguments"
    ACCURACY = "Accuracy"
    RANGE = "Range"
    EDGES = "Edge cases"
    RUNNING = "Modes, training, streams"


class Severity(IntEnum):
    """How much it hurts who does not know, worst first."""

    OTHER_NUMBER = 0
    """Another loss or another gradient, and nothing says so."""
    LOST = 1
    """Digits, range or a result are lost."""
    REFUSED = 2
    """An exception: it is seen at once."""
    SPELLING = 3
    """The same, written otherwise."""
    GAINED = 4
    """What was lost before is there now: numbers change, for the better."""


Aspect = Literal["operation", "answer", "answered", "raised", "flag", "no flag", "dtype", "outcome", "error"]


@dataclass(frozen=True)
class CellRef:
    """One cell, what of it is looked at, and the words of the line that rest on it."""

    cell: Cell
    aspect: Aspect
    said: str


@dataclass(frozen=True)
class Evidence:
    """A cell of each side."""

    a: CellRef
    b: CellRef

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types."""
        sides = {"from": self.a, "to": self.b}
        return {name: {"cell": shown.cell.id, "aspect": shown.aspect, "said": shown.said} for name, shown in sides.items()}


@dataclass(frozen=True)
class Replacement:
    """What was written before, and what is written instead; ``what`` both compute. Without ``old``: what to do."""

    new: str
    old: str = ""
    what: str = ""

    def as_dict(self) -> dict[str, str]:
        """Put it into plain types."""
        return {"what": self.what, "instead_of": self.old, "write": self.new}


@dataclass(frozen=True)
class Advice:
    """One line: what changes, why that matters, what to write instead, and the cells of both sides that show it."""

    topic: Topic
    severity: Severity
    says: str
    write: tuple[Replacement, ...]
    evidence: tuple[Evidence, ...]
    because: str = ""
    also: tuple[str, ...] = ()
    """Further things of which the same can be said."""

    @property
    def words(self) -> str:
        """Everything the line says, in one string."""
        swaps = (part for swap in self.write for part in (swap.what, swap.old, swap.new))
        return "\n".join(part for part in (self.says, *self.also, self.because, *swaps) if part)

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types."""
        return {
            "topic": self.topic.value,
            "bite": self.severity.name.lower().replace("_", "-"),
            "says": self.says,
            "also": list(self.also),
            "because": self.because,
            "write": [swap.as_dict() for swap in self.write],
            "evidence": [pair.as_dict() for pair in self.evidence],
        }


@dataclass(frozen=True)
class Unchanged:
    """What does not change: what to write for an operation, or something that both sides do alike."""

    says: str
    write: tuple[Replacement, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types."""
        return {"says": self.says, "write": [swap.as_dict() for swap in self.write], "evidence": [pair.as_dict() for pair in self.evidence]}


@dataclass(frozen=True)
class PortingReport:
    """All advice for who ports from one side to the other, most important first within each topic, and what stays the same."""

    a: Side
    b: Side
    advice: tuple[Advice, ...]
    same: tuple[Unchanged, ...]

    @classmethod
    def of(cls, a: Side, b: Side, advice: Iterable[Advice], same: Iterable[Unchanged]) -> PortingReport:
        """Put the lines into their order."""
        topics = list(Topic)
        return cls(a, b, tuple(sorted(advice, key=lambda line: (topics.index(line.topic), line.severity))), tuple(same))

    @cached_property
    def shown(self) -> tuple[Advice, ...]:
        """The lines that a short text shows: the mildest are left out, of them the last first."""
        kept = sorted(range(len(self.advice)), key=lambda number: (self.advice[number].severity, number))[:MOST]
        return tuple(self.advice[number] for number in sorted(kept))

    @property
    def left_out(self) -> tuple[Advice, ...]:
        """The others."""
        return tuple(line for line in self.advice if line not in self.shown)

    @property
    def symbols(self) -> Mapping[str, str]:
        """The symbols that occur in what is to be written, and what they mean."""
        said = " ".join([*(swap.new for line in self.advice for swap in line.write), *(line.says for line in self.advice)])
        tokens = set(said.replace("(", " ").replace(")", " ").replace(",", " ").split())
        return {symbol: meaning for symbol, meaning in SYMBOLS.items() if symbol in tokens}

    @property
    def incomplete(self) -> tuple[str, ...]:
        """The frameworks whose runs did not reach their end."""
        return tuple(dict.fromkeys(side.framework for side in (self.a, self.b) if not side.complete))

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types, all lines of it."""
        return {
            "format": 1,
            "from": _side(self.a),
            "to": _side(self.b),
            "advice": [line.as_dict() for line in self.advice],
            "same": [same.as_dict() for same in self.same],
            "symbols": dict(self.symbols),
        }


def _side(side: Side) -> dict[str, object]:
    return {
        "framework": side.framework,
        "version": side.version,
        "entry_points": {entry.implementation: entry.text for entry in side.entries},
        "complete": side.complete,
        "chosen": side.chosen,
    }
