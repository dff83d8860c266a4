"""Pinned cases: one example from a spec, judged against the error model or against the case's own tighter rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from conformance.checks.base import Finding, Kind, Level, findings
from conformance.checks.context import CheckContext, Expect
from conformance.checks.tally import QUANTITIES, new_tallies
from conformance.numerics.bounds.interval import Expectation, Interval
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format
from conformance.specs.model import Case


def exactly(oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
    """The exact result and nothing else: for inputs whose every intermediate is representable."""
    return _points(oracle, quantity, output, rounded=False)


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


@dataclass(frozen=True)
class CaseCheck:
    """A pinned example on one target."""

    operation: str
    case: Case
    quantities: tuple[Quantity, ...] = QUANTITIES
    kind: Kind = "case"

    @property
    def id(self) -> str:
        """``operation/case/name``."""
        return f"{self.operation}/case/{self.case.id}"

    @property
    def level(self) -> Level:
        """must or should."""
        return self.case.level

    @property
    def why(self) -> str:
        """What goes wrong without it."""
        return self.case.why

    @property
    def dtypes(self) -> Sequence[str]:
        """The dtypes the case is declared for."""
        return self.case.dtypes

    @property
    def shape(self) -> Shape:
        """Shape of its prediction and target, the same in every dtype."""
        return self.case.shape

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """Evaluate the example once."""
        tallies = new_tallies(*self.quantities)
        inputs = self.case.inputs(context.target.dtype)
        rule = _RULES[self.case.tighten]
        context.observe(tallies, inputs, key=(self.id, context.target.dtype), recipe="", expect=rule, minimise=False)
        return findings(context, tallies)
