"""Intervals of the gradients: one element each, so relative to the exact gradient and independent of n.

Those with respect to the target are the same, negated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from conformance.numerics.bounds.error_model import Evaluation, Roundings
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.partial_products import Scale
from conformance.numerics.bounds.value import (
    DIFFERENCE_OVERFLOWS,
    DIVISOR_UNDEFINED,
    may_underflow,
    relative_divisor_error,
    value_interval,
)
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.number import Number, finite
from conformance.numerics.formats import Format, exponent_of, floor_log2

PRODUCT_OVERFLOWS = "product overflows"
NARROW_SCALE = "narrow gradient scale"
"""G·2/N, rounded in the input format before it meets d, is subnormal there and has lost digits."""
ROOT_UNDEFINED = "root of zero"
"""The root may come out as 0, or as infinity: what it divides is then infinite, NaN or 0."""


class Gradients:
    """The interval of each distinct element of the gradient with respect to the prediction, one at a time."""

    def __init__(self, evaluation: Evaluation) -> None:
        exact = self._exact = evaluation.exact
        self._evaluation, self._flushes = evaluation, evaluation.flushes
        self._roots = _Roots(evaluation)
        self._made: dict[tuple[Number, bool], Roundings] = {}
        self._divided: dict[tuple[int, ...], _Divided] = {}
        self._known: dict[tuple[int, ...], _Common] = {}
        # Whether each element of the value has a divisor or a root of its own.
        self._apart = exact.definition.root or exact.definition.divisor in {Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS}
        self._divisor_errors: dict[int, Fraction | None] = {}

    def __len__(self) -> int:
        return len(self._exact.gradient_prediction.distinct)

    def divisor_error(self, position: int) -> Fraction | None:
        """The relative error of the divisor of a distinct element, as :func:`divisor_divisor_error` has it."""
        group = int(self._exact.group[position]) if self._exact.definition.divisor is Divisor.WEIGHTS else 0
        if group not in self._divisor_errors:
            self._divisor_errors[group] = relative_divisor_error(self._exact, group, flushes=self._flushes)
        return self._divisor_errors[group]

    def steps(self, divisor: Number, *, unit: bool) -> Roundings:
        """The roundings of an element; ``unit``: its upstream gradient is one."""
        key = (divisor, unit)
        if key not in self._made:
            self._made[key] = self._evaluation.roundings(Quantity.GRADIENT_PREDICTION, self._exact.summands, divisor, unit_upstream=unit)
        return self._made[key]

    def reciprocals(self, divisor: Fraction) -> tuple[Fraction, Fraction]:
        """What divides may do so at once, or by the sum of the weights and by the elements of a sample."""
        apart = self._exact.per_weight if self._exact.definition.divisor is Divisor.WEIGHTS else 1
        return apart / divisor, Fraction(1, apart)

    def _may_overflow(self, d: Fraction, upstream: Number, weight: Number, divisor: Number) -> bool:
        """Whether some product of these finite factors may come out infinite before it meets what is infinite and divides."""
        if not (isinstance(upstream, Fraction) and isinstance(weight, Fraction)):
            return False
        reciprocals = self.reciprocals(divisor) if isinstance(divisor, Fraction) else ()
        factors = (d, upstream, weight, self._exact.definition.factor, *reciprocals)
        largest = 2 * math.prod(max(abs(x), Fraction(1)) for x in factors)
        return largest * (1 + self.steps(divisor, unit=False).theta) >= self._exact.inputs.format.overflow_threshold

    def interval(self, position: int) -> Interval:
        """What is allowed for the distinct element ``position``."""
        exact = self._exact
        gradient, d = exact.gradient_prediction.distinct[position], exact.differences.distinct[position]
        upstream, weight, divisor = exact.scale(position)
        divisor_error = self.divisor_error(position)
        # Where a mask chooses nothing, a gradient is 0/0 or, where what is left out is cut out, exactly 0.
        if divisor_error is None or (exact.definition.masked and divisor == 0):
            return Interval.anything(gradient, DIVISOR_UNDEFINED)
        infinite = isinstance(divisor, float) and math.isinf(divisor)  # the sum of weights, of which one is
        if (infinite or self._roots.infinite(position)) and isinstance(d, Fraction):
            overflows = self._may_overflow(d, upstream, weight, divisor)  # and an infinite product times 1/inf is nan
            return Interval.anything(gradient, PRODUCT_OVERFLOWS) if overflows else Interval.special(gradient)
        root, divisor_error = self._roots.of(position, divisor_error)
        if divisor_error is None:
            return Interval.anything(gradient, ROOT_UNDEFINED)
        if not (isinstance(gradient, Fraction) and isinstance(d, Fraction)):
            if root is None and isinstance(upstream, Fraction) and isinstance(weight, Fraction) and isinstance(divisor, Fraction):
                is_zero = not (upstream and weight and divisor)
                if not is_zero and self._common(position, upstream, weight, divisor, divisor_error, None).scale.vanishes:
                    return Interval.anything(gradient, NARROW_SCALE)  # zero times infinity
            return Interval.special(gradient)
        common = self._common(position, finite(upstream), finite(weight), finite(divisor), divisor_error, root)
        return common.interval(gradient, d, exact.subnormal_inputs[position] if self._flushes else 0)

    def _common(
        self, position: int, upstream: Fraction, weight: Fraction, divisor: Fraction, divisor_error: Fraction, root: Fraction | None
    ) -> _Common:
        """What the distinct element ``position`` has in common with others, which is made once."""
        group = self._exact.group_of(position) if self._apart else 0
        key = (upstream.numerator, upstream.denominator, weight.numerator, weight.denominator, group)
        if key not in self._known:
            unit = upstream == 1 and root is None
            known = (divisor.numerator, divisor.denominator, unit, group)
            if known not in self._divided:
                reciprocals = (*self.reciprocals(divisor), *(() if root is None else (1 / (2 * root),)))
                self._divided[known] = _Divided(self.steps(divisor, unit=unit), reciprocals, divisor_error)
            self._known[key] = _Common(self._evaluation, self._divided[known], upstream, weight)
        return self._known[key]


@dataclass
class _Roots:
    """The root that a gradient is divided by twice, where the operation takes one, and what its error adds to the divisor's."""

    evaluation: Evaluation
    known: dict[int, tuple[Fraction | None, Fraction | None]] = field(default_factory=dict)

    def infinite(self, position: int) -> bool:
        """Whether that root is infinite: exactly, not because a format ends before it."""
        exact = self.evaluation.exact
        return exact.definition.root and exact.value.at(exact.group_of(position)) == math.inf

    def of(self, position: int, divisor_error: Fraction) -> tuple[Fraction | None, Fraction | None]:
        """The root of a distinct element's sum, None where there is none; the divisor error, None where the root may come out as 0.

        1/(2R) takes a division, a doubling and a product: three roundings at most.
        """
        exact = self.evaluation.exact
        if not exact.definition.root:
            return None, divisor_error
        group = exact.group_of(position)
        if group not in self.known:
            self.known[group] = self._of(group, divisor_error)
        return self.known[group]

    def _of(self, group: int, divisor_error: Fraction) -> tuple[Fraction | None, Fraction | None]:
        interval = value_interval(self.evaluation, group)
        root, lower = interval.exact, interval.lower
        if root == math.inf:
            return None, None  # it rounds to infinity, or is kept in a wider format
        if not isinstance(root, Fraction):
            return Fraction(1), divisor_error  # the gradient is nan, exactly
        if not isinstance(lower, Fraction) or lower <= 0 or interval.infinity or not isinstance(interval.upper, Fraction):
            return None, None
        off = max(root / lower - 1, interval.upper / root - 1)
        return root, 1 - (1 - divisor_error) / ((1 + off) * (1 + self.evaluation.output.rounding) ** 3)


def far_from_the_ends(fmt: Format, exponents: Iterable[int]) -> bool:
    """Whether no product of some factors can come near underflow or overflow, by the floors of their binary logarithms alone.

    A product is 2^low at least and less than 2^high. Roundings move it by less than a quarter of itself, and it may be doubled: it stays at
    2^(low−1) or above, where 2ν is the least that is not near, and below 2^(high+2).
    """
    low = high = 0
    for exponent in exponents:
        low, high = low + min(exponent, 0), high + max(exponent + 1, 0)
    return low - 2 >= fmt.emin and high + 2 <= fmt.emax


class _Divided:
    """What elements of one divisor, and of one root where there is any, have in common: ``factors`` are those that are no inputs.

    ``exponents`` are the floors of the binary logarithms of the factors, of those that are 1 too.
    """

    def __init__(self, steps: Roundings, reciprocals: Sequence[Fraction], divisor_error: Fraction) -> None:
        factors = (steps.definition.factor, *reciprocals)
        self.steps, self.theta = steps, steps.theta_with(divisor_error)
        self.factors = [abs(x) for x in factors if x != 1]
        self.exponents = [floor_log2(abs(x)) for x in factors if x]


class _Common:
    """What elements of one upstream gradient, weight and divisor have in common; ``exponents`` are those of the scale's factors."""

    def __init__(self, evaluation: Evaluation, divided: _Divided, upstream: Fraction, weight: Fraction) -> None:
        given, steps = [abs(x) for x in (upstream, weight) if x != 1], divided.steps
        ends_wider = steps.output.is_wider_than(steps.input)
        self.evaluation, self.steps = evaluation, steps
        self.scale = Scale(steps.input, (*given, *divided.factors), len(given), divided.theta, evaluation.flushes, ends_wider)
        self.exponents = [*(floor_log2(abs(x)) for x in (upstream, weight) if x), *divided.exponents]

    @cached_property
    def _little(self) -> bool:
        """Whether roundings move no product by more than a quarter of itself."""
        return self.scale.theta <= Fraction(1, 4)

    def _far(self, d: Fraction) -> bool:
        """Whether nothing can come near the ends of the range with that difference."""
        exponents = (*self.exponents, exponent_of(abs(d.numerator), d.denominator)) if d else self.exponents
        return self._little and far_from_the_ends(self.steps.input, exponents)

    def interval(self, gradient: Fraction, d: Fraction, subnormals: int) -> Interval:
        """What is allowed for an element with the difference ``d``, so many of whose prediction and target may be read as zero."""
        fmt, output, theta = self.steps.input, self.steps.output, self.scale.theta
        magnitude = abs(gradient)
        bound = rounding = theta * magnitude
        if not subnormals and self._far(d):
            return Interval(gradient, bound, gradient - bound, gradient + bound)
        moved = subnormals * fmt.smallest_normal / abs(d) if subnormals and d else Fraction(0)
        losses = self.scale.losses(d, moved)
        allowances = []
        wide = Fraction(0)
        if gradient:
            if moved:
                bound += moved * magnitude * (1 + theta)
            if losses.difference:
                bound += losses.difference
            if "cast" in self.steps.situation and may_underflow(magnitude, bound, output):
                bound += self.evaluation.lost(output)
            if losses.scale:
                wide = bound + losses.scale
                allowances.append(NARROW_SCALE)
        overflowing = [DIFFERENCE_OVERFLOWS] * losses.too_large + [PRODUCT_OVERFLOWS] * losses.overflows
        allowances += overflowing
        if overflowing and losses.vanishes:  # infinity times zero
            return Interval.anything(gradient, *allowances)
        infinity = (1 if gradient > 0 else -1) if overflowing else 0
        relative = bound is rounding or bound <= 2 * rounding
        return Interval.around(gradient, bound, output, infinity=infinity, wide=wide, allowances=allowances, relative=relative)
