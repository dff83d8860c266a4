"""Intervals of the value: relative to the sum of magnitudes, plus what may underflow, plus what may overflow on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.numerics.bounds.error_model import Roundings, RoundingStep
from conformance.numerics.bounds.interval import Floats, Interval
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.decode import Integers
from conformance.numerics.exact.number import ROOT_BITS, Number, square_root
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import FORMATS, Format, power_of_two

DIFFERENCE_OVERFLOWS = "difference overflows"
SQUARE_OVERFLOWS = "square overflows"
SUM_OVERFLOWS = "sum overflows"
WEIGHTED_OVERFLOWS = "weighted square overflows"
CAUTIOUS = Fraction(1) + Fraction(1, 1 << 20)
"""Widens a bound that was computed in float64 by far more than float64's own rounding."""
RADICAND_OVERFLOWS = "mean overflows before its root"
DIVISOR_UNDEFINED = "sum of weights undefined"
"""Rounding alone can bring Σw to zero, or it lies where its reciprocal or a flushed weight is."""


@dataclass(frozen=True)
class _Terms:
    """What the summands of one element of the value contribute to its bound, apart from their sum.

    ``largest_row``: of the sums of rows before they are weighted, where that is an order to add in. ``cancels``: an infinite summand would
    not decide the result, because a weight is negative, zero or read as zero.
    """

    underflow: Fraction
    largest_difference: Fraction
    magnitude: Fraction
    largest_term: Fraction
    cancels: bool
    largest_row: Fraction = Fraction(0)


def may_underflow(magnitude: Fraction, error: Fraction, fmt: Format) -> bool:
    """Whether a computed result that lies within ``error`` of ``magnitude`` can be below the normal range, and not an exact zero."""
    return magnitude + error > 0 and abs(magnitude) - error < fmt.smallest_normal


def lost_to_underflow(fmt: Format, *, flushes: bool) -> Fraction:
    """Largest absolute error of one underflowing result: λ/2 with gradual underflow, ν where it is flushed to zero."""
    return fmt.smallest_normal if flushes else fmt.smallest_subnormal / 2


def _terms(
    exact: Exact, elements: Integers, weights: Sequence[Number] | None, sum_of_terms: Fraction, steps: Roundings, *, flushes: bool
) -> _Terms:
    if not len(elements):
        return _Terms(Fraction(0), Fraction(0), Fraction(0), Fraction(0), cancels=False)
    if len(elements) == 1 and weights is None:
        return _one_term(exact, int(elements[0]), sum_of_terms, steps, flushes=flushes)
    fmt = steps.input
    smallest_normal = float(fmt.smallest_normal)
    p = exact.inputs.prediction.ravel()[elements].astype(np.float64)
    t = exact.inputs.target.ravel()[elements].astype(np.float64)
    with np.errstate(over="ignore"):
        d = np.abs(p - t)
    read_as_zero = np.zeros(len(elements))
    if flushes:
        for x in (p, t):
            read_as_zero += ((x != 0) & (np.abs(x) < smallest_normal)) * smallest_normal
    if weights is not None:
        return _weighted_terms(exact, elements, weights, read_as_zero, steps, flushes=flushes)
    factor = steps.definition.factor
    largest = abs(_finite(exact.difference(int(elements[int(np.argmax(d))]))))
    lost = lost_to_underflow(fmt, flushes=flushes)
    tiny = (d > 0) & (d < math.sqrt(2 * smallest_normal))  # its square may be below the normal range
    underflow = int(tiny.sum()) * lost + _times(d, 2 * read_as_zero) + _times(read_as_zero, read_as_zero)
    if factor != 1:  # it may be multiplied into each square, and that product may underflow too
        small = (d > 0) & (d < math.sqrt(2 * fmt.smallest_normal / factor))
        underflow += int(small.sum()) * lost / factor
    return _Terms(underflow, largest, sum_of_terms, max(factor, Fraction(1)) * largest * largest, cancels=False)


def _one_term(exact: Exact, element: int, square: Fraction, steps: Roundings, *, flushes: bool) -> _Terms:
    """The same of one element without a weight, in scalars."""
    fmt, factor = steps.input, steps.definition.factor
    smallest_normal = float(fmt.smallest_normal)
    p, t = float(exact.inputs.prediction.ravel()[element]), float(exact.inputs.target.ravel()[element])
    d = abs(p - t)
    read_as_zero = sum(smallest_normal for x in (p, t) if flushes and 0 < abs(x) < smallest_normal)
    lost = lost_to_underflow(fmt, flushes=flushes)
    largest = abs(_finite(exact.difference(element)))
    underflow = lost if 0 < d < math.sqrt(2 * smallest_normal) else Fraction(0)
    if read_as_zero:
        moved = np.array([read_as_zero])
        underflow += _times(np.array([d]), 2 * moved) + _times(moved, moved)
    if factor != 1 and 0 < d < math.sqrt(2 * fmt.smallest_normal / factor):
        underflow += lost / factor
    return _Terms(underflow, largest, square, max(factor, Fraction(1)) * largest * largest, cancels=False)


def _weighted_terms(
    exact: Exact, elements: Integers, weights: Sequence[Number], read_as_zero: Floats, steps: Roundings, *, flushes: bool
) -> _Terms:
    fmt, factor = steps.input, steps.definition.factor
    lost = lost_to_underflow(fmt, flushes=flushes)
    cancels = any(_finite(w) < 2 * lost for w in weights)
    signed = any(_finite(w) < 0 for w in weights)
    underflow = largest = largest_term = magnitude = Fraction(0)
    squares = []
    for element, w, moved in zip(elements.tolist(), weights, read_as_zero.tolist(), strict=True):
        weight, difference = abs(_finite(w)), abs(_finite(exact.difference(element)))
        square = difference * difference
        squares.append(square)
        product = weight * square
        magnitude, largest, largest_term = magnitude + product, max(largest, difference), max(largest_term, product)
        error = weight * Fraction(moved) * (2 * difference + Fraction(moved))
        if may_underflow(square, steps.theta * square, fmt):
            error += weight * lost
        if weight != 1 and may_underflow(product, error + steps.theta * product, fmt):
            error += lost
        if factor != 1 and may_underflow(factor * product, factor * (error + steps.theta * product), fmt):
            error += lost / factor
        if flushes and weight < fmt.smallest_normal:
            error += product
        if flushes and signed:
            error += fmt.smallest_normal  # a partial sum of terms of both signs may be subnormal
        underflow += error
    length = _row_length(exact, steps) if "rows" in steps.situation else 1
    largest_row = max((sum(squares[start : start + length], Fraction(0)) for start in range(0, len(squares), length)), default=Fraction(0))
    return _Terms(underflow, largest, magnitude, max(factor, Fraction(1)) * largest_term, cancels, largest_row)


def _row_length(exact: Exact, steps: Roundings) -> int:
    """How many elements have a mean of their own, where rows are averaged first."""
    return max(exact.shape[-1] if steps.definition.divisor is Divisor.LAST_AXIS and exact.shape else exact.per_weight, 1)


def _lost_in_rows(exact: Exact, elements: Integers, weights: Sequence[Number] | None, steps: Roundings, *, flushes: bool) -> Fraction:
    """What the means of rows may lose where they are subnormal, or come to be so with their weight, though no square is.

    Like the sum, not yet divided. A row whose mean lies within a factor of four of the normal range is counted: float64 tells that.
    """
    length = _row_length(exact, steps)
    if "rows" not in steps.situation or not 1 < length <= len(elements):  # each element alone has no rows
        return Fraction(0)
    fmt, accumulator = steps.input, steps.accumulator
    p = exact.inputs.prediction.ravel()[elements].astype(np.float64).reshape(-1, length)
    t = exact.inputs.target.ravel()[elements].astype(np.float64).reshape(-1, length)
    with np.errstate(over="ignore", under="ignore"):
        d = p - t
        means = np.square(d).mean(axis=-1)
    used = d.any(axis=-1)
    small, lost = 4 * float(fmt.smallest_normal), lost_to_underflow(fmt, flushes=flushes)
    rounded = lost if accumulator == fmt else lost + lost_to_underflow(accumulator, flushes=flushes)
    if weights is None:
        return int((used & (means < small)).sum()) * length * rounded
    total = Fraction(0)
    for row, mean in zip(np.flatnonzero(used).tolist(), means[used].tolist(), strict=True):  # Python's floats become inf without a warning
        weight = abs(_finite(weights[row * length]))
        total += weight * rounded if mean < small else 0
        total += lost if weight and float(weight) * mean < small else 0
    return length * total


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


def relative_divisor_error(exact: Exact, group: int, *, flushes: bool) -> Fraction | None:
    """Bound on the relative error of the computed divisor of a value element: that of Σw, 0 for every count.

    None where rounding may bring Σw to zero, or where Σw is so small or so large that it or its reciprocal may be subnormal or infinite.
    """
    divisor = exact.divisors[group]
    if exact.definition.divisor is not Divisor.WEIGHTS or not isinstance(divisor, Fraction):
        return Fraction(0)
    if exact.definition.masked and divisor <= power_of_two(exact.inputs.format.accumulator.precision):
        return Fraction(0)  # a number of ones is counted exactly
    weights = [abs(_finite(w)) for w in exact.weights[group * exact.summands : (group + 1) * exact.summands]]
    total = sum(weights, Fraction(0))
    if not total:
        return Fraction(0)  # 0/0, whatever the order
    fmt = exact.inputs.format
    error = (len(weights) - 1) * fmt.accumulator.unit_roundoff * total
    if flushes:
        error += 2 * len(weights) * fmt.smallest_normal  # each weight read as zero, and each partial sum
    if error >= abs(divisor) or total + error >= fmt.largest / 2:
        return None
    # Weights of samples may be added as they are, or each as often as its sample has elements.
    closest, furthest = (abs(divisor) - error) / exact.per_weight, abs(divisor) + error
    if closest < 2 * fmt.smallest_normal or 2 * furthest * fmt.smallest_normal > 1 or closest * fmt.largest < 2:
        return None
    return error / abs(divisor)


@dataclass(frozen=True)
class _Bounded:
    """A finite exact number, how far a conforming result may be off, and the names of what may overflow on the way."""

    value: Fraction
    bound: Fraction
    allowances: tuple[str, ...]
    relative: bool


def value_interval(exact: Exact, model: Sequence[RoundingStep], position: int, output: Format, *, flushes: bool) -> Interval:
    """The interval of one element of the value, ``position`` counting the distinct elements of ``exact.value``."""
    if exact.definition.root:
        return _root_interval(exact, model, position, output, flushes=flushes)
    found = _bounded(exact, model, position, output, flushes=flushes)
    if isinstance(found, Interval):
        return found
    infinity = 1 if found.allowances else 0
    return Interval.around(found.value, found.bound, output, infinity=infinity, allowances=found.allowances, relative=found.relative)


def _root_interval(exact: Exact, model: Sequence[RoundingStep], position: int, output: Format, *, flushes: bool) -> Interval:
    """The roots of both ends of what is allowed for the radicand; the error model counts a rounding of the root twice in it.

    The radicand may overflow where the root is finite. No root of a number of a format is subnormal there, and none overflows.
    """
    found = _bounded(exact, model, position, output, flushes=flushes)
    if isinstance(found, Interval):
        root = square_root(found.exact)
        return Interval.anything(root, *found.allowances) if found.undefined else Interval.special(root)
    value = square_root(found.value)
    if not isinstance(value, Fraction):
        return Interval.special(value)  # of a negative number
    lowest = _finite(square_root(max(found.value - found.bound, Fraction(0))))
    highest = _finite(square_root(found.value + found.bound)) * (1 + power_of_two(1 - ROOT_BITS))
    allowances = found.allowances
    if found.value + found.bound >= output.overflow_threshold:
        allowances = (*allowances, RADICAND_OVERFLOWS)
    off = max(value - lowest, highest - value)
    return Interval.around(value, off, output, infinity=1 if allowances else 0, allowances=allowances, relative=found.relative)


def _bounded(exact: Exact, model: Sequence[RoundingStep], position: int, output: Format, *, flushes: bool) -> _Bounded | Interval:
    """The value before a root is taken, with its bound; an interval where nothing rounds or nothing can be said."""
    value = exact.radicand.distinct[position]
    definition = exact.definition
    divisor_error = relative_divisor_error(exact, position, flushes=flushes) if definition.divisor is Divisor.WEIGHTS else Fraction(0)
    if divisor_error is None and isinstance(exact.sums[position], Fraction):
        return Interval.anything(value, DIVISOR_UNDEFINED)
    elements = exact.elements_of_value(position)
    if divisor_error is None or not isinstance(value, Fraction):
        met = _meets_an_overflow(exact, position, elements)
        return Interval.anything(value, SQUARE_OVERFLOWS) if met else Interval.special(value)
    weights = None if exact.element_weight is None else exact.weights[elements[0] : elements[-1] + 1] if len(elements) else []
    steps = Roundings(
        model,
        definition,
        Quantity.VALUE,
        exact.inputs.format,
        output,
        len(elements),
        exact.divisor_of_value(position),
        weighted=exact.weighted,
        unit_upstream=True,
    )
    terms = _terms(exact, elements, weights, _finite(exact.sums[position]), steps, flushes=flushes)
    theta = (1 + steps.theta) / (1 - divisor_error) - 1
    scale = abs(definition.factor / _finite(steps.divisor))
    rounding = theta * terms.magnitude * scale
    underflow = terms.underflow + _lost_in_rows(exact, elements, weights, steps, flushes=flushes)
    bound = rounding + underflow * (1 + theta) * scale
    bound += _last_losses(steps, abs(value), bound, flushes=flushes)
    allowances = _overflows(terms, steps)
    if allowances and terms.cancels:
        return Interval.anything(value, *allowances)
    cancels = terms.magnitude * scale > 2 * abs(value)  # the error is then one of the terms, not of what is left of them
    return _Bounded(value, bound, tuple(allowances), relative=bound <= 2 * rounding and not cancels)


def _meets_an_overflow(exact: Exact, position: int, elements: Integers) -> bool:
    """Whether the sum is infinite, and a finite term whose weight is of the other sign or zero may overflow: together they are nan."""
    total = exact.sums[position]
    if not exact.weighted or isinstance(total, Fraction) or math.isnan(total):
        return False
    fmt, sign = exact.inputs.format, -1 if total < 0 else 1
    for element in elements.tolist():
        difference, weight = exact.difference(element), exact.weights[element]
        if not isinstance(difference, Fraction) or not isinstance(weight, Fraction) or sign * weight >= fmt.smallest_normal:
            continue
        if difference**2 * max(abs(weight), Fraction(1)) * (1 + fmt.rounding) ** 4 >= fmt.overflow_threshold:
            return True
    return False


def _last_losses(steps: Roundings, value: Fraction, bound: Fraction, *, flushes: bool) -> Fraction:
    """What the division, the factor and the cast of the sum may lose to underflow, in either order of the first two."""
    factor, divisor = steps.definition.factor, abs(_finite(steps.divisor))
    # Each with the least number that it may produce, relative to the value, and with what its loss is multiplied by afterwards.
    last = []
    if divisor != 1:
        last.append((steps.accumulator, min(1 / factor, Fraction(1)), max(factor, Fraction(1))))
    if factor != 1:
        last.append((steps.input, min(divisor, Fraction(1)), max(1 / divisor, Fraction(1))))
    if "cast" in steps.situation:
        last.append((steps.output, Fraction(1), Fraction(1)))
    total = Fraction(0)
    for fmt, least, rest in last:
        if may_underflow(least * value, least * (bound + total), fmt):
            total += lost_to_underflow(fmt, flushes=flushes) * rest
    return total


def _overflows(terms: _Terms, steps: Roundings) -> list[str]:
    fmt, accumulator, factor = steps.input, steps.accumulator, steps.definition.factor
    v = 1 + fmt.rounding
    allowances = []
    if terms.largest_difference >= fmt.overflow_threshold:
        allowances.append(DIFFERENCE_OVERFLOWS)
    if terms.largest_difference**2 * v**2 >= fmt.overflow_threshold:
        allowances.append(SQUARE_OVERFLOWS)
    if (steps.weighted or factor > 1) and terms.largest_term * v**4 >= fmt.overflow_threshold:
        allowances.append(WEIGHTED_OVERFLOWS if steps.weighted else SQUARE_OVERFLOWS)
    holds_the_sum = fmt if "sum-apart" in steps.situation else accumulator
    if max(terms.magnitude * max(factor, Fraction(1)), terms.largest_row) * (1 + steps.theta) >= holds_the_sum.overflow_threshold:
        allowances.append(SUM_OVERFLOWS)
    return allowances
