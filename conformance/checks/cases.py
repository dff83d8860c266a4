"""Pinned cases: one example from a spec, judged against the error model or against the case's own tighter rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from conformance.checks.base import EvaluatingCheck
from conformance.checks.context import CheckContext, Expect, inputs_in_domain
from conformance.checks.observe import observe
from conformance.checks.tally import QUANTITIES
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.definition import Quantity
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format
from conformance.specs.model import Case


def exactly(oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
    """The exact result and nothing else: for inputs whose every intermediate is representable. A narrower output rounds it once."""
    return _points(oracle, quantity, output, rounded=oracle.inputs.format.is_wider_than(output))


def rounded_once(oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
    """The exact result rounded once to the output format and nothing else."""
    return _points(oracle, quantity, output, rounded=True)


def _points(oracle: Exact, quantity: Quantity, output: Format, *, rounded: bool) -> Expectation:
    array = oracle.of(quantity)
    unsigned = quantity is Quantity.VALUE and oracle.element_weight is None
    intervals: Sequence[Interval]
    if not rounded and isinstance(array.distinct, ScaledIntegers):
        intervals = RelativeIntervals(array.distinct, (Fraction(0),), None, {})
    else:
        intervals = [Interval.special(output.round(x) if rounded and not isinstance(x, float) else x) for x in array.distinct]
    return Expectation(quantity, array.shape, output, intervals, array.index, unsigned, oracle.inputs.format.unit_for(output))


_RULES: dict[str, Expect | None] = {"": None, "exact": exactly, "correctly-rounded": rounded_once}


@dataclass(frozen=True, kw_only=True)
class CaseCheck(EvaluatingCheck):
    """A pinned example on one target."""

    kind = "case"
    case: Case
    supports_vmap: bool = True

    @classmethod
    def of(cls, operation: str, case: Case, quantities: tuple[Quantity, ...] = QUANTITIES) -> CaseCheck:
        """The check of a case."""
        return cls(
            operation=operation,
            name=case.id,
            why=case.why,
            level=case.level,
            quantities=quantities,
            dtypes=tuple(case.dtypes),
            shape=case.shape,
            case=case,
        )

    def look(self, context: CheckContext) -> None:
        """Evaluate the example once, in a shape of the domain."""
        inputs = inputs_in_domain(context, self.case.inputs(context.target.dtype))
        rule = _RULES[self.case.tighten]
        observe(context, inputs, key=(self.id, context.target.dtype, inputs.shape), recipe="", expect=rule, minimise=False)
