"""What the spec files say, as frozen values: operations, procedures, cases, error model, deviations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.definition import Definition, Inputs, Quantity, Shape
from conformance.numerics.formats import Array
from conformance.numerics.procedures.exact_run import ExactResult, Exacts
from conformance.specs.arrays import Numbers

Level = Literal["must", "should"]


@dataclass(frozen=True)
class Allowance:
    """A second outcome that a case permits beside the interval, for which dtypes, and why.

    ``inf``: an infinity of the exact number's sign, from an overflow on the way. ``narrow-scale``: a gradient further off, from a
    scale that lost digits below the normal range.
    """

    quantity: Quantity
    outcome: Literal["inf", "narrow-scale"]
    because: str
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catch:
    """A mistake that a case catches, with what a mistaken implementation would return, exactly."""

    mistake: str
    returns: Mapping[Quantity, Numbers]


@dataclass(frozen=True, eq=False)
class PinnedCase:
    """What every case has. ``id`` is the name in its file; the check is ``<operation>/case/<id>``.

    ``flags`` says what goes wrong for a user whose implementation fails the case: name and sentence.
    """

    id: str
    why: str
    level: Level
    dtypes: tuple[str, ...]
    file: Path
    flags: Mapping[str, str]


@dataclass(frozen=True)
class Case(PinnedCase):
    """A pinned example. ``inputs(dtype)`` makes its arrays, of ``shape``, with ``upstream`` of the value's shape (1 unless stated).

    ``stated`` holds what the file says the exact value and gradients are: lint has compared it with the oracle, so nothing else needs
    it but a person who reads.
    """

    shape: Shape
    inputs: Callable[[str], Inputs]
    tighten: Literal["", "exact", "correctly-rounded"]
    allow: tuple[Allowance, ...]
    stated: Mapping[Quantity, Numbers]
    catches: tuple[Catch, ...]


@dataclass(frozen=True)
class Operation:
    """One spec file. ``laws`` and ``families`` name checks that apply, from ``conformance.checks``."""

    name: str
    title: str
    definition: Definition
    cases: tuple[Case, ...]
    laws: tuple[str, ...]
    families: tuple[str, ...]
    file: Path
    accuracy: str = ""
    """The grade that values should have however many elements are summed; empty where none is asked for."""

    def checks(self) -> Iterator[str]:
        """The id of every check of the operation: its cases, then its bounds, then its laws."""
        yield from (f"{self.name}/case/{case.id}" for case in self.cases)
        yield from (f"{self.name}/bound/{family}" for family in self.families)
        if self.accuracy:
            yield f"{self.name}/bound/accuracy"
        yield from (f"{self.name}/law/{law}" for law in self.laws)


@dataclass(frozen=True, eq=False)
class Stated:
    """Exact numbers that a file states, and the key they stand under."""

    key: str
    numbers: Exacts


@dataclass(frozen=True, eq=False)
class ProcedureCase(PinnedCase):
    """A pinned run of a procedure, in which nothing rounds. ``task(dtype)`` is what an implementation is given.

    ``stated`` holds all that must come back, by quantity and name; lint has compared it with the oracle, ``exactly``.
    """

    task: Callable[[str], Any]
    exactly: Callable[[], ExactResult]
    stated: Mapping[Quantity, Mapping[str, Stated]]


@dataclass(frozen=True)
class Procedure:
    """The other sort of operation: several steps, of which several arrays come back. One spec file; its folder is its family."""

    name: str
    title: str
    cases: tuple[ProcedureCase, ...]
    file: Path

    def checks(self) -> Iterator[str]:
        """The id of every check of the procedure."""
        yield from (f"{self.name}/case/{case.id}" for case in self.cases)


@dataclass(frozen=True)
class Deviation:
    """A documented departure: where, exactly how, why, and until when it may stand unreviewed.

    ``check`` and ``quantity`` may be globs. ``where`` maps a key of the target to the strings it may equal, ``version`` to one
    specifier such as ``>=2.13,<2.22``. ``signature`` always has ``outcome``; ``observed`` is a Fraction, or one of the strings
    ``inf``, ``-inf``, ``nan``; ``dtype`` and ``shape`` (such as ``(0,)``) are strings; ``error_u_min`` and ``error_u_max`` are Fractions.
    """

    check: str
    quantity: str
    where: Mapping[str, tuple[str, ...]]
    signature: Mapping[str, str | Fraction]
    because: str
    url: str
    review_by: date
    file: Path


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument of a question. ``given``: as a tensor of the framework, or as it is: a NumPy array, or Python lists or a number."""

    dtype: str
    given: Literal["tensor", "numpy", "read-only", "python"]
    array: Callable[[], Array]


@dataclass(frozen=True)
class Question:
    """What is asked of every implementation of some operations, and not judged. ``operations`` are names, not globs.

    ``weight`` is None for operations without weights.
    """

    id: str
    title: str
    why: str
    operations: tuple[str, ...]
    prediction: Argument
    target: Argument
    weight: Argument | None
    file: Path


@dataclass(frozen=True)
class Policy:
    """What targets are declared to do, where more than one thing is right, and why. ``where`` as in :class:`Deviation`."""

    policy: str
    where: Mapping[str, tuple[str, ...]]
    answer: str
    because: str
    url: str
    file: Path


@dataclass(frozen=True)
class Specs:
    """Everything under ``specs/``. ``digest`` is the SHA-256 of all files that decide an outcome.

    ``laws`` and ``families`` map each name that an operation may use to what it demands.
    """

    root: Path
    operations: Mapping[str, Operation]
    error_model: tuple[RoundingStep, ...]
    deviations: tuple[Deviation, ...]
    digest: str
    laws: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    behaviours: tuple[Question, ...] = ()
    policies: tuple[Policy, ...] = ()
    procedures: Mapping[str, Procedure] = field(default_factory=dict)

    @property
    def both(self) -> tuple[Operation | Procedure, ...]:
        """Everything that an implementation may claim to compute: operations of both sorts."""
        return (*self.operations.values(), *self.procedures.values())

    @property
    def titles(self) -> dict[str, str]:
        """The title of each, by name."""
        return {one.name: one.title for one in self.both}

    def checks(self) -> Iterator[str]:
        """The id of every check of every operation that is judged: the questions have nothing to deviate from."""
        for operation in self.both:
            yield from operation.checks()
