"""Intervals of the value: relative to the sum of magnitudes, plus what may underflow, plus what may overflow on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.numerics.decode import Integers
from conformance.numerics.definition import Divisor, Over, Quantity
from conformance.numerics.errormodel import Roundings, Step
from conformance.numerics.exact import Exact, Number
from conformance.numerics.formats import FORMATS, Format
from conformance.numerics.interval import Interval

DIFFERENCE_OVERFLOWS = "difference overflows"
SQUARE_OVERFLOWS = "square overflows"
SUM_OVERFLOWS = "sum overflows"
WEIGHTED_OVERFLOWS = "weighted square overflows"
CAUTIOUS = Fraction(1) + Fraction(1, 1 << 20)
"""Widens a bound that was computed in float64 by far more than float64's own rounding."""


@dataclass(frozen=True)
class _Terms:
    """What the summands of one element of the value contribute to its bound, apart from their sum."""

    underflow: Fraction
    largest_difference: Fraction
    magnitude: Fraction
    largest_term: Fraction
    signed: bool


def may_underflow(magnitude: Fraction, error: Fraction, fmt: Format) -> bool:
    """Whether a computed result that lies within ``error`` of ``magnitude`` can be below the normal range, and not an exact zero."""
    return magnitude + error > 0 and abs(magnitude) - error < fmt.smallest_normal


def lost_to_underflow(fmt: Format, *, flushes: bool) -> Fraction:
    """Largest absolute error of one underflowing result: λ/2 with gradual underflow, ν where it is flushed to zero."""
    return fmt.smallest_normal if flushes else fmt.smallest_subnormal / 2


def _terms(
    exact: Exact, elements: Integers, weights: Sequence[Number] | None, sum_of_terms: Fraction, fmt: Format, *, flushes: bool
) -> _Terms:
    inputs = exact.inputs
    p = inputs.prediction.ravel()[elements].astype(np.float64)
    t = inputs.target.ravel()[elements].astype(np.float64)
    with np.errstate(over="ignore"):
        d = np.abs(p - t)
    tiny = (d > 0) & (d < math.sqrt(2 * float(fmt.smallest_normal)))  # its square may be below the normal range
    lost = lost_to_underflow(fmt, flushes=flushes)
    if not len(elements):
        return _Terms(Fraction(0), Fraction(0), Fraction(0), Fraction(0), signed=False)
    largest = abs(_finite(exact.difference(int(elements[int(np.argmax(d))]))))
    subnormal_inputs = np.zeros(len(elements))
    if flushes:
        smallest_normal = float(fmt.smallest_normal)
        for x in (p, t):
            subnormal_inputs += ((x != 0) & (np.abs(x) < smallest_normal)) * smallest_normal
    if weights is None:
        moved = _times(d, 2 * subnormal_inputs) + _times(subnormal_inputs, subnormal_inputs)
        return _Terms(int(tiny.sum()) * lost + moved, largest, sum_of_terms, largest * largest, signed=False)
    underflow = largest_term = magnitude = Fraction(0)
    for i, w in enumerate(weights):
        weight = abs(_finite(w))
        square = _finite(exact.difference(int(elements[i]))) ** 2
        magnitude += weight * square
        largest_term = max(largest_term, weight * square)
        if tiny[i]:
            underflow += weight * lost
        if may_underflow(weight * square, weight * lost, fmt):
            underflow += lost
        if flushes:
            one = slice(i, i + 1)
            underflow += weight * (_times(d[one], 2 * subnormal_inputs[one]) + _times(subnormal_inputs[one], subnormal_inputs[one]))
            underflow += weight * square if weight < fmt.smallest_normal else Fraction(0)
            underflow += fmt.smallest_normal  # a partial sum of terms of both signs may be subnormal
    signed = any(_finite(w) < 0 for w in weights)
    return _Terms(underflow, largest, magnitude, largest_term, signed)


def _times(a: np.typing.NDArray[np.float64], b: np.typing.NDArray[np.float64]) -> Fraction:
    """Σ a·b, never too small: each product in float64 with a last-place allowance, and λ for one that underflows."""
    used = b > 0
    if not used.any():
        return Fraction(0)
    with np.errstate(over="ignore"):
        products = a[used] * b[used]
    return sum((Fraction(float(x)) for x in products), Fraction(0)) * CAUTIOUS + len(products) * FORMATS["float64"].smallest_subnormal


def _finite(x: Number) -> Fraction:
    assert isinstance(x, Fraction), "special values are dealt with before bounds are"
    return x


def value_interval(exact: Exact, model: Sequence[Step], position: int, output: Format, *, flushes: bool) -> Interval:
    """The interval of one element of the value, ``position`` counting the distinct elements of ``exact.value``."""
    value = exact.value.distinct[position]
    if not isinstance(value, Fraction):
        return Interval.special(value)
    fmt = exact.inputs.format
    definition = exact.definition
    elements = exact.elements_of_value(position)
    weights = None if exact.element_weight is None else exact.weights[elements[0] : elements[-1] + 1] if len(elements) else []
    divisor = exact.divisor_of_value(position)
    steps = Roundings(
        model, definition, Quantity.VALUE, fmt, output, len(elements), divisor, weighted=weights is not None, unit_upstream=True
    )
    terms = _terms(exact, elements, weights, _finite(exact.sums[position]), fmt, flushes=flushes)
    scale = abs(definition.factor / _finite(divisor))
    theta = steps.theta
    if definition.divisor is Divisor.WEIGHTS and weights:
        drift = (len(weights) - 1) * steps.accumulator.unit_roundoff * sum(abs(_finite(w)) for w in weights) / abs(_finite(divisor))
        if drift >= 1:
            return Interval(value, Fraction(0), -math.inf, math.inf, undefined=True, names=("sum of weights undefined",))
        theta = (1 + theta) / (1 - drift) - 1
    rounding = theta * terms.magnitude * scale
    bound = rounding + terms.underflow * (1 + theta) * scale
    if definition.over is not Over.NONE or scale != 1:
        for scaled, chosen in ((scale != 1, steps.accumulator), ("cast" in steps.situation, output)):
            if scaled and may_underflow(abs(value), bound, chosen):
                bound += lost_to_underflow(chosen, flushes=flushes)
    names = _overflows(terms, steps)
    if names and terms.signed:
        return Interval(value, bound, -math.inf, math.inf, undefined=True, names=tuple(names))
    return Interval.around(
        value, bound, output, infinity=(1 if definition.factor > 0 else -1) if names else 0, names=names, relative=bound <= 2 * rounding
    )


def _overflows(terms: _Terms, steps: Roundings) -> list[str]:
    fmt, accumulator = steps.input, steps.accumulator
    v = 1 + fmt.rounding
    names = []
    if terms.largest_difference >= fmt.overflow_threshold:
        names.append(DIFFERENCE_OVERFLOWS)
    if terms.largest_difference**2 * v**2 >= fmt.overflow_threshold:
        names.append(SQUARE_OVERFLOWS)
    if steps.weighted and terms.largest_term * v**3 >= fmt.overflow_threshold:
        names.append(WEIGHTED_OVERFLOWS)
    if terms.magnitude * (1 + steps.theta) >= accumulator.overflow_threshold:
        names.append(SUM_OVERFLOWS)
    return names
