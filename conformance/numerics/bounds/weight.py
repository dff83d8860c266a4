"""Intervals of the gradient with respect to the weights: squares, scaled, and less the value where the weights divide too.

For a division by a count it is Σ factor·d²·G/divisor over the elements of a weight, whose terms cannot cancel but by G. For a division by
W = Σw it is Σ (factor·d² − value)·G/W, whose two parts may: the bound is relative to the sum of magnitudes (Higham, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from conformance.numerics.bounds.error_model import Evaluation
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.value import DIVISOR_UNDEFINED, SQUARE_OVERFLOWS, may_underflow, relative_divisor_error, value_interval
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.decode import fractions
from conformance.numerics.exact.number import Number, finite
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import floor_log2, power_of_two

NEAR_THE_ENDS = "partial product near the ends of the range"
"""A product of some of square, value, upstream gradient and reciprocals lies where it may overflow, underflow or be flushed to zero."""
_MARGIN = 16
"""The roundings of a partial product move it by far less than this factor."""


@dataclass(frozen=True)
class _Group:
    """What the elements of one value share: the reciprocal of its divisor, and for a division by Σw its error and the value's part."""

    reciprocal: Fraction
    divisor_error: Fraction
    value: Fraction
    value_bound: Fraction


def weight_intervals(evaluation: Evaluation) -> list[Interval]:
    """The interval of every element of the gradient with respect to the weights.

    Raises:
        ValueError: the operation has no such gradient.
    """
    exact = evaluation.exact
    gradients = exact.of(Quantity.GRADIENT_WEIGHT).distinct
    row = exact.size // max(len(gradients), 1)
    indices = sorted(set(exact.group.tolist()))
    by_weights = exact.definition.divisor is Divisor.WEIGHTS
    values = {index: value_interval(evaluation, index) for index in indices} if by_weights else {}
    groups = {index: _group(evaluation, index, values.get(index)) for index in indices}
    upstreams = fractions(exact.inputs.upstream)
    rows = (range(i * row, (i + 1) * row) for i in range(len(gradients)))
    undefined = {index for index, value in values.items() if value.undefined}
    return [
        Interval.anything(gradient, SQUARE_OVERFLOWS)
        if not isinstance(gradient, Fraction) and undefined.intersection(exact.group[elements].tolist())  # what is subtracted may be nan
        else _interval(evaluation, gradient, elements, groups, upstreams)
        for gradient, elements in zip(gradients, rows, strict=True)
    ]


def _interval(
    evaluation: Evaluation, gradient: Number, elements: Sequence[int], groups: Mapping[int, _Group | str], upstreams: Sequence[Number]
) -> Interval:
    """What is allowed for the gradient of one weight, that of ``elements``."""
    exact, fmt = evaluation.exact, evaluation.exact.inputs.format
    if any(exact.divisors[int(exact.group[element])] == 0 for element in elements):
        return Interval.anything(gradient, DIVISOR_UNDEFINED)  # what is divided may underflow to 0
    if not isinstance(gradient, Fraction):
        overflows = exact.definition.divisor is Divisor.WEIGHTS and _a_square_overflows(exact, elements)
        return Interval.anything(gradient, SQUARE_OVERFLOWS) if overflows else Interval.special(gradient)
    magnitude = value_error = divisor_error = Fraction(0)
    unit = True
    for element in elements:
        index = int(exact.group[element])
        group, upstream = groups[index], finite(upstreams[index])  # what is not finite makes the gradient special
        square = exact.definition.factor * finite(exact.difference(element)) ** 2
        if isinstance(group, str):
            return Interval.anything(gradient, group)
        if _near_the_ends(evaluation, group, square, upstream, element):
            return Interval.anything(gradient, NEAR_THE_ENDS)
        scale = abs(upstream) * group.reciprocal
        magnitude += (square + abs(group.value)) * scale
        value_error += group.value_bound * scale
        divisor_error = max(divisor_error, group.divisor_error)
        unit &= upstream == 1
    if magnitude * _MARGIN >= fmt.largest:
        return Interval.anything(gradient, NEAR_THE_ENDS)
    divisor = exact.divisors[int(exact.group[elements[0]])] if elements else Fraction(1)
    count = len(elements)
    theta = evaluation.roundings(Quantity.GRADIENT_WEIGHT, count, divisor, unit_upstream=unit).theta_with(divisor_error, times=2)
    bound = rounding = theta * magnitude + (1 + theta) * value_error
    if may_underflow(abs(gradient), rounding, fmt):  # the sum itself, whose terms lie in the normal range
        bound += (count + 1) * fmt.smallest_normal
    cancels = magnitude > 2 * abs(gradient)
    return Interval.around(gradient, bound, evaluation.output, relative=bound <= 2 * rounding and not cancels)


def _a_square_overflows(exact: Exact, elements: Sequence[int]) -> bool:
    """Whether a finite difference has a square that may come out infinite: less an infinite value, that is nan."""
    limit = exact.inputs.format.largest / _MARGIN
    return any(isinstance(d := exact.difference(element), Fraction) and d * d > limit for element in elements)


def _group(evaluation: Evaluation, index: int, interval: Interval | None) -> _Group | str:
    """What an element of the value adds, or the name of what leaves nothing to be said; ``interval`` is its own, where Σw divides."""
    divisor = evaluation.exact.divisors[index]
    if interval is None:
        return _Group(1 / Fraction(divisor), Fraction(0), Fraction(0), Fraction(0)) if divisor else DIVISOR_UNDEFINED
    divisor_error = relative_divisor_error(evaluation.exact, index, flushes=evaluation.flushes)
    if divisor_error is None or not divisor:
        return DIVISOR_UNDEFINED
    if interval.undefined or interval.infinity or not isinstance(interval.exact, Fraction) or not isinstance(interval.upper, Fraction):
        return NEAR_THE_ENDS
    return _Group(1 / abs(Fraction(divisor)), divisor_error, interval.exact, interval.bound)


def _near_the_ends(evaluation: Evaluation, group: _Group, square: Fraction, upstream: Fraction, element: int) -> bool:
    """Whether some partial product, in whatever order, is not safely inside the normal range of the inputs' format."""
    exact, fmt = evaluation.exact, evaluation.exact.inputs.format
    low, high = fmt.smallest_normal * _MARGIN, fmt.largest / _MARGIN
    if evaluation.flushes and exact.has_subnormal_input(element):
        return True
    apart = exact.per_weight if exact.definition.divisor is Divisor.WEIGHTS else 1  # the mean of a sample may be taken before
    reciprocal = group.reciprocal * apart
    products: list[tuple[Fraction, ...]] = [(square, upstream, reciprocal, Fraction(1, apart))]
    if group.value:
        products.append((group.value / reciprocal, upstream, reciprocal, reciprocal))
    for parts in products:
        chosen = [abs(x) for x in parts if x and x != 1]
        exponents = [floor_log2(x) for x in chosen]
        least, largest = sum(min(e, 0) for e in exponents), sum(max(e + 1, 0) for e in exponents)
        if power_of_two(least) >= low and power_of_two(largest) <= high:
            continue  # as all products are, then: most of the time there is no need to make them
        for size in range(1, len(chosen) + 1):
            if any(not low <= math.prod(some, start=Fraction(1)) <= high for some in combinations(chosen, size)):
                return True
    return False
