"""The definition, once more, slowly: one Fraction per element, one loop per sum, nothing shared with the oracle it is compared with.

``factor · Σ_over w·(p−t)² / divisor``, its gradients and its curvature; of a root, what is under it. Numbers that are not finite are
floats, and follow IEEE 754.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Number = Fraction | float
Index = tuple[int, ...]
NAN, INF = math.nan, math.inf


def read(x: Any) -> Number:
    """One machine number: float64 holds every number of the four formats."""
    number = float(x)
    return Fraction(number) if math.isfinite(number) else number


def sign(x: Number) -> int:
    return (x > 0) - (x < 0)


def is_nan(x: Number) -> bool:
    return x != x  # noqa: PLR0124 - the definition of nan


def is_infinite(x: Number) -> bool:
    return x in (INF, -INF)


def times(a: Number, b: Number) -> Number:
    """IEEE 754-2019, 6.1 and 7.2: 0·∞ is nan."""
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return sign(a) * sign(b) * INF if a and b else NAN
    return a * b


def plus(a: Number, b: Number) -> Number:
    """∞ − ∞ is nan."""
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b) and sign(a) != sign(b)):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return a if is_infinite(a) else b
    return a + b


def over(a: Number, b: Number) -> Number:
    """0/0 and ∞/∞ are nan; a divisor of zero is +0, since counts and sums of zeros are."""
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b)) or (a == 0 and b == 0):
        return NAN
    if is_infinite(b):
        return Fraction(0)
    if is_infinite(a):
        return a if b >= 0 else -a
    return sign(a) * INF if b == 0 else Fraction(a) / Fraction(b)


def total(numbers: Iterable[Number]) -> Number:
    result: Number = Fraction(0)
    for x in numbers:
        result = plus(result, x)
    return result


@dataclass(frozen=True)
class Reference:
    """Every quantity, as numbers in C order."""

    value: list[Number]
    gradient_prediction: list[Number]
    gradient_target: list[Number]
    curvature: list[Number]
    gradient_weight: list[Number] | None


def value_index(summed: str, index: Index) -> Index:
    """Which element of the value an element is summed into."""
    return {"all": (), "last-axis": index[:-1], "all-but-first": index[:1], "none": index}[summed]


def value_shape(summed: str, shape: Index) -> Index:
    return value_index(summed, shape)


def weight_shape(weights: str, shape: Index) -> Index | None:
    return {"none": None, "element": shape, "sample": shape[:1], "mask": shape, "sample-mask": shape[:1]}[weights]


def reference(factor: Fraction, summed: str, divisor: str, weights: str, arrays: tuple[Any, Any, Any, Any]) -> Reference:
    """All quantities of the operation on (prediction, target, weight or None, upstream)."""
    prediction, target, weight, upstream = arrays
    shape: Index = prediction.shape
    elements = list(np.ndindex(*shape))
    difference = {i: plus(read(prediction[i]), times(Fraction(-1), read(target[i]))) for i in elements}

    def weight_of(i: Index) -> Number:
        if weights == "none":
            return Fraction(1)
        return read(weight[i if weights in {"element", "mask"} else i[:1]])

    if "mask" in weights:  # what is left out takes no part, whatever it is
        difference = {i: d if weight_of(i) else Fraction(0) for i, d in difference.items()}

    sums: dict[Index, Number] = {}
    divisors: dict[Index, Number] = {}
    values: dict[Index, Number] = {}
    for v in np.ndindex(*value_shape(summed, shape)):
        mine = [i for i in elements if value_index(summed, i) == v]
        sums[v] = total(times(weight_of(i), times(difference[i], difference[i])) for i in mine)
        divisors[v] = {
            "one": Fraction(1),
            "count": Fraction(len(mine)),
            "last-axis": Fraction(shape[-1] if shape else 1),
            "weights": total(weight_of(i) for i in mine),
            "nonzero-weights": Fraction(sum(weight_of(i) != 0 for i in mine)),
        }[divisor]
        values[v] = over(times(factor, sums[v]), divisors[v])

    def scaled(i: Index, x: Number) -> Number:
        """x·upstream/divisor of the value element that element i is summed into."""
        v = value_index(summed, i)
        return over(times(x, read(upstream[v])), divisors[v])

    curvatures = {i: scaled(i, times(2 * factor, weight_of(i))) for i in elements}
    gradients = {i: scaled(i, times(times(2 * factor, weight_of(i)), difference[i])) for i in elements}
    of_weights: list[Number] | None = None
    wanted = weight_shape(weights, shape)
    if wanted is not None:
        per_weight: dict[Index, list[Number]] = {j: [] for j in np.ndindex(*wanted)}
        for i in elements:
            change = times(factor, times(difference[i], difference[i]))
            if divisor == "weights":  # the quotient rule: w stands in the divisor too
                change = plus(change, times(Fraction(-1), values[value_index(summed, i)]))
            per_weight[i if weights in {"element", "mask"} else i[:1]].append(scaled(i, change))
        of_weights = [total(parts) for parts in per_weight.values()]
    ordered = list(gradients.values())
    return Reference(list(values.values()), ordered, [times(Fraction(-1), x) for x in ordered], list(curvatures.values()), of_weights)


def same(a: Number, b: Number) -> bool:
    """The same exact number, infinity or nan, and of the same kind."""
    if is_nan(a) or is_nan(b):
        return is_nan(a) and is_nan(b)
    return a == b and isinstance(a, Fraction) == isinstance(b, Fraction)
