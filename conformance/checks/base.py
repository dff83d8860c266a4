"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from conformance.checks.context import CheckContext
from conformance.checks.grading import CONSTANT_ULP, grade, tree_bound_u
from conformance.checks.tally import QUANTITIES, QuantityRecord, outcome_of
from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.formats import FORMATS
from conformance.results.records import AtSize, Grade, Outcome, Witness
from conformance.specs.model import Level

Kind = Literal["case", "bound", "law", "behaviour"]


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


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold for an operation. Its id is stable and unique; ``why`` says in a sentence what goes wrong without it.

    How it is run depends on what it is about: an operation is evaluated, a procedure performed.
    """

    kind: ClassVar[Kind]
    operation: str
    name: str
    why: str
    level: Level = "must"
    quantities: tuple[Quantity, ...] = QUANTITIES
    dtypes: tuple[str, ...] = tuple(FORMATS)
    shape: Shape | None = None
    """That of the prediction and the target of a pinned case, the same in every dtype."""
    needs_extra_calls: bool = False
    """Whether it asks for functions beside value and gradients, which some targets compile."""
    rarely_offered: bool = False
    """Whether few implementations offer what it asks for, so that asking one of each operation would not do."""
    only_subjects: bool = False
    """Whether it is asked of subjects alone, and of each in one dtype and mode."""
    claims: str = ""
    """What a subject's domain must claim for it to be judged; elsewhere what is found is told."""
    supports_vmap: bool = False
    """Whether it holds of the members of a batch too: it asks for values and gradients, and for nothing else."""

    @property
    def id(self) -> str:
        """``operation/kind/name``."""
        return f"{self.operation}/{self.kind}/{self.name}"


class EvaluatingCheck(Check):
    """A check of an operation, which is evaluated."""

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """One finding for each quantity.

        Raises:
            ExecutionMismatch: what ran is not what was asked for.
            Exception: whatever the implementation raises; the engine makes it an error.
        """
        context.tallies = {quantity: QuantityRecord() for quantity in self.quantities}
        self.look(context)
        return findings(context)

    def look(self, context: CheckContext) -> None:
        """Evaluate, and write what is seen into the tallies of the context."""
        raise NotImplementedError


def findings(context: CheckContext) -> list[Finding]:
    """Turn finished tallies into findings; a passing one gets its grade, by default from its own worst error."""
    return [_finding(context, quantity, tally) for quantity, tally in context.tallies.items()]


def _finding(context: CheckContext, quantity: Quantity, tally: QuantityRecord) -> Finding:
    outcome, reason = outcome_of(tally)
    found = Finding(quantity, outcome, reason, tuple(tally.flags), evaluations=tally.evaluations, growth=tally.growth)
    if outcome is Outcome.FAIL and tally.failed is not None:
        error_u, error_ulp = tally.failed.errors()
        return replace(found, error_u=error_u, error_ulp=error_ulp, witness=tally.failed.witness())
    if outcome is not Outcome.PASS or tally.worst is None:
        return found
    return replace(
        found,
        error_u=tally.error_u,
        error_ulp=tally.error_ulp,
        error_over_bound=tally.error_over_bound,
        grade=tally.grade or _grade(context, quantity, tally, tally.worst.summands),
        witness=tally.worst.witness(arrays=8) if tally.worst.recipe else None,  # a pinned case is its own witness
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
