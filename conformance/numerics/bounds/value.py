"""Intervals of the value: relative to the sum of magnitudes, plus what may underflow, plus what may overflow on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.numerics.bounds.error_model import Evaluation, Roundings
from conformance.numerics.bounds.interval import Floats, Interval
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.decode import Integers
from conformance.numerics.exact.number import ROOT_BITS, Number, finite, square_root
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


def _times(a: Floats, b: Floats) -> Fraction:
    """Σ a·b, never too small: each product in float64 with a last-place allowance, and λ for one that underflows."""
    used = b > 0
    if not used.any():
        return Fraction(0)
    with np.errstate(over="ignore"):
        products = a[used] * b[used]
    return sum((Fraction(float(x)) for x in products), Fraction(0)) * CAUTIOUS + len(products) * FORMATS["float64"].smallest_subnormal


def relative_divisor_error(exact: Exact, group: int, *, flushes: bool) -> Fraction | None:
    """Bound on the relative error of the computed divisor of a value element: that of Σw, 0 for every count.

    None where rounding may bring Σw to zero, or where Σw is so small or so large that it or its reciprocal may be subnormal or infinite.
    """
    divisor = exact.divisors[group]
    if exact.definition.divisor is not Divisor.WEIGHTS or not isinstance(divisor, Fraction):
        return Fraction(0)
    if exact.definition.masked and divisor <= power_of_two(exact.inputs.format.accumulator.precision):
        return Fraction(0)  # a number of ones is counted exactly
    weights = [abs(finite(w)) for w in exact.weights[group * exact.summands : (group + 1) * exact.summands]]
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
class _Sum:
    """One element of the value: the ``elements`` that it sums, with their weights, and its roundings. ``squares``: its exact sum."""

    evaluation: Evaluation
    elements: Integers
    weights: Sequence[Number] | None
    squares: Fraction
    steps: Roundings

    def terms(self) -> _Terms:
        """What the summands contribute to the bound."""
        if not len(self.elements):
            return _Terms(Fraction(0), Fraction(0), Fraction(0), Fraction(0), cancels=False)
        if len(self.elements) == 1 and self.weights is None:
            return self._one_term(int(self.elements[0]))
        fmt, factor = self.steps.input, self.steps.definition.factor
        smallest_normal = float(fmt.smallest_normal)
        p, t = self._arrays()
        with np.errstate(over="ignore"):
            d = np.abs(p - t)
        read_as_zero = np.zeros(len(self.elements))
        if self.evaluation.flushes:
            for x in (p, t):
                read_as_zero += ((x != 0) & (np.abs(x) < smallest_normal)) * smallest_normal
        if self.weights is not None:
            return self._weighted_terms(self.weights, read_as_zero)
        largest = self._difference(int(self.elements[int(np.argmax(d))]))
        lost = self.evaluation.lost(fmt)
        tiny = (d > 0) & (d < math.sqrt(2 * smallest_normal))  # its square may be below the normal range
        underflow = int(tiny.sum()) * lost + _times(d, 2 * read_as_zero) + _times(read_as_zero, read_as_zero)
        if factor != 1:  # it may be multiplied into each square, and that product may underflow too
            small = (d > 0) & (d < math.sqrt(2 * fmt.smallest_normal / factor))
            underflow += int(small.sum()) * lost / factor
        return _Terms(underflow, largest, self.squares, max(factor, Fraction(1)) * largest * largest, cancels=False)

    def _one_term(self, element: int) -> _Terms:
        """The same of one element without a weight, in scalars."""
        inputs, fmt, factor = self.evaluation.exact.inputs, self.steps.input, self.steps.definition.factor
        smallest_normal = float(fmt.smallest_normal)
        p, t = float(inputs.prediction.ravel()[element]), float(inputs.target.ravel()[element])
        d = abs(p - t)
        read_as_zero = sum(smallest_normal for x in (p, t) if self.evaluation.flushes and 0 < abs(x) < smallest_normal)
        lost, largest = self.evaluation.lost(fmt), self._difference(element)
        underflow = lost if 0 < d < math.sqrt(2 * smallest_normal) else Fraction(0)
        if read_as_zero:
            moved = np.array([read_as_zero])
            underflow += _times(np.array([d]), 2 * moved) + _times(moved, moved)
        if factor != 1 and 0 < d < math.sqrt(2 * fmt.smallest_normal / factor):
            underflow += lost / factor
        return _Terms(underflow, largest, self.squares, max(factor, Fraction(1)) * largest * largest, cancels=False)

    def _weighted_terms(self, weights: Sequence[Number], read_as_zero: Floats) -> _Terms:
        fmt, factor, theta, flushes = self.steps.input, self.steps.definition.factor, self.steps.theta, self.evaluation.flushes
        lost = self.evaluation.lost(fmt)
        cancels = any(finite(w) < 2 * lost for w in weights)
        signed = any(finite(w) < 0 for w in weights)
        underflow = largest = largest_term = magnitude = Fraction(0)
        squares = []
        for element, w, moved in zip(self.elements.tolist(), weights, read_as_zero.tolist(), strict=True):
            weight, difference = abs(finite(w)), self._difference(element)
            square = difference * difference
            squares.append(square)
            product = weight * square
            magnitude, largest, largest_term = magnitude + product, max(largest, difference), max(largest_term, product)
            error = weight * Fraction(moved) * (2 * difference + Fraction(moved))
            if may_underflow(square, theta * square, fmt):
                error += weight * lost
            if weight != 1 and may_underflow(product, error + theta * product, fmt):
                error += lost
            if factor != 1 and may_underflow(factor * product, factor * (error + theta * product), fmt):
                error += lost / factor
            if flushes and weight < fmt.smallest_normal:
                error += product
            if flushes and signed:
                error += fmt.smallest_normal  # a partial sum of terms of both signs may be subnormal
            underflow += error
        length = self._row_length if "rows" in self.steps.situation else 1
        rows = (sum(squares[start : start + length], Fraction(0)) for start in range(0, len(squares), length))
        return _Terms(underflow, largest, magnitude, max(factor, Fraction(1)) * largest_term, cancels, max(rows, default=Fraction(0)))

    def _arrays(self) -> tuple[Floats, Floats]:
        """Prediction and target of the elements."""
        inputs = self.evaluation.exact.inputs
        p, t = (array.ravel()[self.elements].astype(np.float64) for array in (inputs.prediction, inputs.target))
        return p, t

    def _difference(self, element: int) -> Fraction:
        return abs(finite(self.evaluation.exact.difference(element)))

    @property
    def _row_length(self) -> int:
        """How many elements have a mean of their own, where rows are averaged first."""
        exact = self.evaluation.exact
        return max(exact.shape[-1] if exact.definition.divisor is Divisor.LAST_AXIS and exact.shape else exact.per_weight, 1)

    def lost_in_rows(self) -> Fraction:
        """What the means of rows may lose where they are subnormal, or come to be so with their weight, though no square is.

        Like the sum, not yet divided. A row whose mean lies within a factor of four of the normal range is counted: float64 tells that.
        """
        length, weights = self._row_length, self.weights
        if "rows" not in self.steps.situation or not 1 < length <= len(self.elements):  # each element alone has no rows
            return Fraction(0)
        fmt, accumulator = self.steps.input, self.steps.accumulator
        p, t = (x.reshape(-1, length) for x in self._arrays())
        with np.errstate(over="ignore", under="ignore"):
            d = p - t
            means = np.square(d).mean(axis=-1)
        used = d.any(axis=-1)
        small, lost = 4 * float(fmt.smallest_normal), self.evaluation.lost(fmt)
        rounded = lost if accumulator == fmt else lost + self.evaluation.lost(accumulator)
        if weights is None:
            return int((used & (means < small)).sum()) * length * rounded
        total = Fraction(0)
        for row, mean in zip(
            np.flatnonzero(used).tolist(), means[used].tolist(), strict=True
        ):  # Python's floats become inf without a warning
            weight = abs(finite(weights[row * length]))
            total += weight * rounded if mean < small else 0
            total += lost if weight and float(weight) * mean < small else 0  # Python's floats become inf without a warning
        return length * total

    def last_losses(self, value: Fraction, bound: Fraction) -> Fraction:
        """What the division, the factor and the cast of the sum may lose to underflow, in either order of the first two."""
        steps = self.steps
        factor, divisor = steps.definition.factor, abs(finite(steps.divisor))
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
                total += self.evaluation.lost(fmt) * rest
        return total


@dataclass(frozen=True)
class _Bounded:
    """A finite exact number, how far a conforming result may be off, and the names of what may overflow on the way."""

    value: Fraction
    bound: Fraction
    allowances: tuple[str, ...]
    relative: bool


def value_interval(evaluation: Evaluation, position: int) -> Interval:
    """The interval of one element of the value, ``position`` counting the distinct elements of ``exact.value``.

    That of a root has the roots of both ends of what is allowed for the radicand; the error model counts a rounding of the root twice in
    it. The radicand may overflow where the root is finite. No root of a number of a format is subnormal there, and none overflows.
    """
    output, rooted = evaluation.output, evaluation.exact.definition.root
    found = _bounded(evaluation, position)
    if isinstance(found, Interval):
        if not rooted:
            return found
        root = square_root(found.exact)
        return Interval.anything(root, *found.allowances) if found.undefined else Interval.special(root)
    value, off, allowances = found.value, found.bound, found.allowances
    if rooted:
        root = square_root(found.value)
        if not isinstance(root, Fraction):
            return Interval.special(root)  # of a negative number
        lowest = finite(square_root(max(found.value - off, Fraction(0))))
        highest = finite(square_root(found.value + off)) * (1 + power_of_two(1 - ROOT_BITS))
        if found.value + off >= output.overflow_threshold:
            allowances = (*allowances, RADICAND_OVERFLOWS)
        value, off = root, max(root - lowest, highest - root)
    return Interval.around(value, off, output, infinity=1 if allowances else 0, allowances=allowances, relative=found.relative)


def _bounded(evaluation: Evaluation, position: int) -> _Bounded | Interval:
    """The value before a root is taken, with its bound; an interval where nothing rounds or nothing can be said."""
    exact = evaluation.exact
    value, definition = exact.radicand.distinct[position], exact.definition
    by_weights = definition.divisor is Divisor.WEIGHTS
    divisor_error = relative_divisor_error(exact, position, flushes=evaluation.flushes) if by_weights else Fraction(0)
    if divisor_error is None and isinstance(exact.sums[position], Fraction):
        return Interval.anything(value, DIVISOR_UNDEFINED)
    elements = exact.elements_of_value(position)
    if divisor_error is None or not isinstance(value, Fraction):
        met = _meets_an_overflow(exact, position, elements)
        return Interval.anything(value, SQUARE_OVERFLOWS) if met else Interval.special(value)
    weights = None if exact.element_weight is None else exact.weights[elements[0] : elements[-1] + 1] if len(elements) else []
    steps = evaluation.roundings(Quantity.VALUE, len(elements), exact.divisor_of_value(position))
    summed = _Sum(evaluation, elements, weights, finite(exact.sums[position]), steps)
    terms = summed.terms()
    theta = steps.theta_with(divisor_error)
    scale = abs(definition.factor / finite(steps.divisor))
    rounding = theta * terms.magnitude * scale
    bound = rounding + (terms.underflow + summed.lost_in_rows()) * (1 + theta) * scale
    bound += summed.last_losses(abs(value), bound)
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
