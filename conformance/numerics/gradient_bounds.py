"""Intervals of the gradients: one element each, so relative to the exact gradient and independent of n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.errormodel import Roundings, Step
from conformance.numerics.exact import Exact, Number
from conformance.numerics.formats import Format
from conformance.numerics.interval import Interval
from conformance.numerics.value_bounds import DIFFERENCE_OVERFLOWS, lost_to_underflow, may_underflow

PRODUCT_OVERFLOWS = "product overflows"
NARROW_SCALE = "narrow gradient scale"
"""G·2/N, rounded in the input format before it meets d, is subnormal there and has lost digits."""


def gradient_intervals(exact: Exact, model: Sequence[Step], quantity: Quantity, output: Format, *, flushes: bool) -> list[Interval]:
    """The interval of every distinct element of the gradient with respect to the prediction or the target.

    Raises:
        ValueError: for a quantity that is neither.
    """
    if quantity is Quantity.GRADIENT_TARGET:
        mirrored = gradient_intervals(exact, model, Quantity.GRADIENT_PREDICTION, output, flushes=flushes)
        return [_negated(interval) for interval in mirrored]
    if quantity is not Quantity.GRADIENT_PREDICTION:
        raise ValueError(f"{quantity}: found no bound for it, expected a gradient with respect to prediction or target")
    upstreams, weights, divisors = exact.scales
    gradients = exact.of(quantity).distinct
    made: dict[tuple[Number, bool], Roundings] = {}
    intervals = []
    subnormal_inputs = exact.subnormal_inputs if flushes else [0] * len(gradients)
    for gradient, d, upstream, weight, divisor, subnormals in zip(
        gradients, exact.differences.distinct, upstreams, weights, divisors, subnormal_inputs, strict=True
    ):
        if not (isinstance(gradient, Fraction) and isinstance(d, Fraction)):
            intervals.append(Interval.special(gradient))
            continue
        key = (divisor, upstream == 1)
        if key not in made:
            made[key] = Roundings(
                model,
                exact.definition,
                quantity,
                exact.inputs.format,
                output,
                exact.summands,
                divisor,
                weighted=exact.element_weight is not None,
                unit_upstream=upstream == 1,
            )
        intervals.append(_interval(made[key], gradient, d, upstream, weight, divisor, subnormals, flushes=flushes))
    return intervals


def _negated(interval: Interval) -> Interval:
    return replace(interval, exact=-interval.exact, lower=-interval.upper, upper=-interval.lower, infinity=-interval.infinity)


def _far_from_the_ends(steps: Roundings, *factors: Fraction) -> bool:
    """Whether no product of some of the factors can come near underflow or overflow, by exponents alone."""
    low = high = 0
    for factor in factors:
        exponent = abs(factor.numerator).bit_length() - factor.denominator.bit_length()
        low, high = low + min(exponent, 0), high + max(exponent, 0)
    return low - 6 > steps.input.emin and high + 6 < steps.input.emax


def _interval(
    steps: Roundings,
    gradient: Fraction,
    d: Fraction,
    upstream: Number,
    weight: Number,
    divisor: Number,
    subnormals: int,
    *,
    flushes: bool,
) -> Interval:
    assert isinstance(upstream, Fraction)
    assert isinstance(weight, Fraction)
    assert isinstance(divisor, Fraction)
    fmt = steps.input
    theta = steps.theta
    if steps.definition.divisor is Divisor.WEIGHTS:
        theta = (1 + theta) * (1 + steps.summands * steps.accumulator.unit_roundoff) - 1
    rounding = theta * abs(gradient)
    scale = 2 * steps.definition.factor / divisor
    if d and upstream and weight and not subnormals and _far_from_the_ends(steps, d, upstream, weight, scale):
        return Interval(gradient, rounding, gradient - rounding, gradient + rounding)
    product = _Product(abs(d), abs(upstream), abs(weight), abs(scale), theta, fmt)
    bound = rounding + product.underflow(flushes=flushes) + subnormals * fmt.smallest_normal * product.all_but_d
    if "cast" in steps.situation and may_underflow(abs(gradient), bound, steps.output):
        bound += lost_to_underflow(steps.output, flushes=flushes)
    narrow = product.narrow_scale(flushes=flushes)
    names = product.overflows()
    infinity = (1 if gradient > 0 else -1) if names and gradient else 0
    if narrow:
        names = [NARROW_SCALE, *names]
    wide = bound + narrow if narrow else Fraction(0)
    return Interval.around(gradient, bound, steps.output, infinity=infinity, wide=wide, names=names, relative=bound <= 2 * rounding)


@dataclass(frozen=True)
class _Product:
    """The magnitudes of the factors d, G, w and 2·factor/N, which meet in some order, and what may go wrong on the way."""

    d: Fraction
    upstream: Fraction
    weight: Fraction
    scale: Fraction
    theta: Fraction
    format: Format

    @property
    def all_but_d(self) -> Fraction:
        return self.scale * self.upstream * self.weight

    @property
    def partial(self) -> list[tuple[Fraction, Fraction]]:
        """Every product that has d in it, with the product of the factors that are still to come."""
        d, g, w, s = self.d, self.upstream, self.weight, self.scale
        return [(d, g * w * s), (d * s, g * w), (d * g, s * w), (d * w, s * g), (d * g * w * s, Fraction(1))]

    def underflow(self, *, flushes: bool) -> Fraction:
        """Absolute error of products that may underflow, scaled by what follows; d itself underflows only where it is flushed."""
        lost = lost_to_underflow(self.format, flushes=flushes)
        losing = [
            rest
            for partial, rest in self.partial[0 if flushes else 1 :]
            if partial and may_underflow(partial, self.theta * partial, self.format)
        ]
        return sum((lost * max(rest, Fraction(1)) for rest in losing), Fraction(0))

    def narrow_scale(self, *, flushes: bool) -> Fraction:
        """What is lost where G·2/N is rounded in the input format before it meets d, and is subnormal there; 0 where it is not."""
        lost = lost_to_underflow(self.format, flushes=flushes)
        narrow = [x for x in (self.upstream * self.scale, self.all_but_d) if self.d and may_underflow(x, self.theta * x, self.format)]
        return lost * self.d * max(self.weight, Fraction(1)) if narrow else Fraction(0)

    def overflows(self) -> list[str]:
        """Names of what may overflow on the way to a finite gradient."""
        names = [DIFFERENCE_OVERFLOWS] if self.d >= self.format.overflow_threshold else []
        largest = max([2 * partial for partial, _ in self.partial] + ([self.all_but_d] if self.d else []))
        return [*names, PRODUCT_OVERFLOWS] if largest * (1 + self.theta) >= self.format.overflow_threshold else names
