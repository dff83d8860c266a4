"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from conformance.checks.context import CheckContext
from conformance.checks.grading import CONSTANT_ULP, grade, tree_bound_u
from conformance.checks.tally import QuantityRecord, outcome_of
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import FORMATS
from conformance.results.records import AtSize, Grade, Outcome, Witness

Kind = Literal["case", "bound", "law", "behaviour"]
Level = Literal["must", "should"]


@dataclass(frozen=True)
class Finding:
    """What a check found out about one quantity of one target: a cell, less its address."""

    quantity: Quantity
    outcome: Outcome
    reason: str = ""
    flags: tuple[str, ...] = ()
    error_u: float | None = None
    error_ulp: float | None = None
    error_over_bound: float | None = None
    grade: Grade | None = None
    witness: Witness | None = None
    evaluations: int = 0
    answer: str = ""
    growth: tuple[AtSize, ...] = ()


class Check(Protocol):
    """One thing that must hold. ``id`` is stable and unique; ``why`` says in a sentence what goes wrong without it.

    How it is run depends on what it is about: an operation is evaluated, a procedure performed.
    """

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def level(self) -> Level: ...
    @property
    def why(self) -> str: ...
    @property
    def dtypes(self) -> Sequence[str]: ...
    @property
    def quantities(self) -> Sequence[Quantity]: ...


@runtime_checkable
class Evaluating(Check, Protocol):
    """A check of an operation."""

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """One finding for each quantity.

        Raises:
            NotAttested: what ran is not what was asked for.
            Exception: whatever the implementation raises; the engine makes it an error.
        """
        ...


def findings(
    context: CheckContext, tallies: Mapping[Quantity, QuantityRecord], grades: Mapping[Quantity, Grade | None] | None = None
) -> list[Finding]:
    """Turn finished tallies into findings; a passing one gets its grade, by default from its own worst error."""
    return [_finding(context, quantity, tally, grades) for quantity, tally in tallies.items()]


def _finding(context: CheckContext, quantity: Quantity, tally: QuantityRecord, grades: Mapping[Quantity, Grade | None] | None) -> Finding:
    outcome, reason = outcome_of(tally)
    flags = tuple(tally.flags)
    if outcome is Outcome.FAIL and tally.failed is not None:
        error_u, error_ulp = tally.failed.errors()
        return Finding(quantity, outcome, reason, flags, error_u, error_ulp, None, None, tally.failed.witness(), tally.evaluations)
    if outcome is not Outcome.PASS or tally.worst is None:
        return Finding(quantity, outcome, reason, flags, evaluations=tally.evaluations)
    chosen = grades[quantity] if grades is not None else _grade(context, quantity, tally, tally.worst.summands)
    witness = tally.worst.witness(arrays=8) if tally.worst.recipe else None  # a pinned case is its own witness
    return Finding(
        quantity, outcome, reason, flags, tally.error_u, tally.error_ulp, tally.error_over_bound, chosen, witness, tally.evaluations
    )


def _grade(context: CheckContext, quantity: Quantity, tally: QuantityRecord, summands: int) -> Grade:
    fmt = FORMATS[context.target.dtype]
    bound = 0.0
    if tally.error_ulp > CONSTANT_ULP:
        if quantity is not Quantity.VALUE:  # no element of it is a sum: what its few roundings add up to is the same for every n
            return Grade.CONSTANT
        bound = tree_bound_u(context.operation.definition, context.error_model, fmt, summands)
    return grade(
        error_u=tally.error_u,
        error_ulp=tally.error_ulp,
        correctly_rounded=tally.correctly_rounded,
        tree_bound=bound,
        n=summands,
        random=False,
    )


def operation_of(check: Check) -> str:
    """The operation a check belongs to: its id less kind and name."""
    return check.id.rsplit(f"/{check.kind}/", 1)[0]
