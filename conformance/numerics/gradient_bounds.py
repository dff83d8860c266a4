"""Intervals of the gradients: one element each, so relative to the exact gradient and independent of n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
                model, exact.definition, quantity, exact.inputs.format, output, exact.summands, divisor,
                weighted=exact.element_weight is not None, unit_upstream=upstream == 1,
            )  # fmt: skip
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
    steps: Roundings, gradient: Fraction, d: Fraction, upstream: Number, weight: Number, divisor: Number, subnormals: int, *, flushes: bool
) -> Interval:
    assert isinstance(upstream, Fraction)
    assert isinstance(weight, Fraction)
    assert isinstance(divisor, Fraction)
    fmt, output = steps.input, steps.output
    theta = steps.theta
    if steps.definition.divisor is Divisor.WEIGHTS:
        theta = (1 + theta) * (1 + steps.summands * steps.accumulator.unit_roundoff) - 1
    bound = theta * abs(gradient)
    if d and upstream and weight and not subnormals and _far_from_the_ends(steps, d, upstream, weight, 2 * steps.definition.factor / divisor):
        return Interval(gradient, bound, gradient - bound, gradient + bound)
    lost = lost_to_underflow(fmt, flushes=flushes)
    g, w = abs(upstream), abs(weight)
    scale = abs(2 * steps.definition.factor / divisor)
    magnitude = abs(gradient)
    bound += subnormals * fmt.smallest_normal * scale * g * w  # subnormal inputs read as zero
    # The factors d, G, w and 2/N meet in some order; a partial product that underflows is scaled by what follows.
    partial_products = ((abs(d), g * w * scale), (abs(d) * scale, g * w), (abs(d) * g, scale * w), (abs(d) * w, scale * g), (magnitude, Fraction(1)))
    for partial, rest in partial_products[0 if flushes else 1 :]:  # a difference itself underflows only where it is flushed
        if may_underflow(partial, theta * partial, fmt):
            bound += lost * max(rest, Fraction(1)) if partial else 0
    if "cast" in steps.situation and may_underflow(magnitude, bound, output):
        bound += lost_to_underflow(output, flushes=flushes)
    names = []
    wide = Fraction(0)
    for narrow in (g * scale, g * w * scale):
        if d and may_underflow(narrow, theta * narrow, fmt):
            wide = max(wide, bound + lost * abs(d) * max(w, Fraction(1)))
    if wide:
        names.append(NARROW_SCALE)
    infinity = 0
    grown = 1 + theta
    if abs(d) >= fmt.overflow_threshold:
        names.append(DIFFERENCE_OVERFLOWS)
    if max(2 * abs(d), *(partial * 2 for partial, _ in partial_products), g * w * scale if d else Fraction(0)) * grown >= fmt.overflow_threshold:
        names.append(PRODUCT_OVERFLOWS)
    if (DIFFERENCE_OVERFLOWS in names or PRODUCT_OVERFLOWS in names) and gradient:
        infinity = 1 if gradient > 0 else -1
    return Interval.around(gradient, bound, output, infinity=infinity, wide=wide, names=names, relative=bound <= 2 * theta * magnitude)
