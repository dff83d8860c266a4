"""Right, and different: other orders of the sum, and other arithmetic on the way. None may be accused.

Sums are kept in the accumulator of the error model (specs/error-model.toml): float32 for the half formats, the inputs' format otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Array, accumulator, differences, squares, value_of, wide

from conformance.numerics.formats import FORMATS

Order = Callable[[Array], Any]
ROUND = 64
"""Long sums are taken in so many lanes where a lane is a loop in Python."""


def terms(prediction: Array, target: Array) -> Array:
    """The squares, each operation rounded to the inputs' dtype, flat and in the accumulator's dtype."""
    return np.asarray(np.square(prediction - target)).ravel().astype(accumulator(prediction))


def order(rule: Order) -> Order:
    """Register a mean whose additions follow a rule: the squares in the accumulator's dtype → their sum."""

    def mean(prediction: Array, target: Array) -> Any:
        squared = terms(prediction, target)
        return squared.dtype.type(rule(squared)) / squared.dtype.type(squared.size)

    mean.__name__, mean.__doc__ = rule.__name__, rule.__doc__
    value_of("mse/mean")(mean)
    return rule


def order_of_a_sum(rule: Order) -> Order:
    """Register a sum that follows the rule as well."""

    def total(prediction: Array, target: Array) -> Any:
        return rule(terms(prediction, target))

    total.__name__, total.__doc__ = f"sum_{rule.__name__}", rule.__doc__
    value_of("mse/sum")(total)
    return rule


def in_sequence(squared: Array) -> Any:
    """Left to right, one rounding per addition."""
    return np.add.accumulate(squared)[-1] if squared.size else squared.dtype.type(0)


def in_lanes(squared: Array, lanes: int) -> Array:
    """Rows of so many elements, the last one filled up with zeros: column i is what lane i adds."""
    return np.append(squared, np.zeros(-squared.size % lanes, squared.dtype)).reshape(-1, lanes)


# ---- orders of the sum ----


@order
@order_of_a_sum
def adds_in_sequence(squared: Array) -> Any:
    """The plain loop."""
    return in_sequence(squared)


@order
def adds_backwards(squared: Array) -> Any:
    """The plain loop from the other end."""
    return in_sequence(squared[::-1])


@order
def adds_small_ones_first(squared: Array) -> Any:
    """Sorted upwards, the most accurate of the plain loops."""
    return in_sequence(np.sort(squared))


@order
@order_of_a_sum
def adds_large_ones_first(squared: Array) -> Any:
    """Sorted downwards, the least accurate of the plain loops."""
    return in_sequence(np.sort(squared)[::-1])


@order
def adds_in_a_shuffled_order(squared: Array) -> Any:
    """As atomic additions arrive, but the same each time."""
    return in_sequence(np.random.default_rng(7).permutation(squared))


@order
@order_of_a_sum
def adds_in_a_tree(squared: Array) -> Any:
    """Neighbours in pairs, then pairs of pairs."""
    while squared.size > 1:
        squared = np.add(*in_lanes(squared, 2).T)
    return squared.sum()


@order
def adds_the_halves(squared: Array) -> Any:
    """The upper half onto the lower one, again and again, as a block of GPU threads does."""
    while squared.size > 1:
        half = -(-squared.size // 2)
        squared = squared[:half] + np.append(squared[half:], np.zeros(2 * half - squared.size, squared.dtype))
    return squared.sum()


@order
def adds_in_four_lanes(squared: Array) -> Any:
    """Four accumulators, added at the end."""
    return in_sequence(np.add.accumulate(in_lanes(squared, 4))[-1]) if squared.size else 0


@order
@order_of_a_sum
def adds_in_eight_lanes(squared: Array) -> Any:
    """Eight accumulators, added in pairs at the end."""
    if not squared.size:
        return 0
    lanes = np.add.accumulate(in_lanes(squared, 8))[-1]
    return (lanes[0] + lanes[4]) + (lanes[1] + lanes[5]) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))


@order
def adds_blocks_of_256(squared: Array) -> Any:
    """A plain loop within each block, and one over the blocks."""
    return in_sequence(np.add.accumulate(in_lanes(squared, 256), axis=1)[:, -1])


@order
def adds_products_with_ones(squared: Array) -> Any:
    """A matrix product with a vector of ones, in the order the BLAS likes."""
    return squared @ np.ones_like(squared)


# ---- better sums ----


@order
def compensates_as_kahan_does(squared: Array) -> Any:
    """Compensated summation: what an addition lost goes into the next one."""
    total = lost = np.zeros(ROUND, squared.dtype)
    for row in in_lanes(squared, ROUND):
        corrected = row - lost
        new = total + corrected
        lost, total = np.where(np.isfinite(new), (new - total) - corrected, 0), new
    return in_sequence(total)


@order
@order_of_a_sum
def compensates_as_neumaier_does(squared: Array) -> Any:
    """The losses are kept apart, and added at the end."""
    total = lost = np.zeros(ROUND, squared.dtype)
    for row in in_lanes(squared, ROUND):
        new = total + row
        lost = lost + np.where(np.isfinite(new), np.where(total >= row, (total - new) + row, (row - new) + total), 0)
        total = new
    return in_sequence(total) + in_sequence(lost)


@order
@order_of_a_sum
def adds_exactly(squared: Array) -> Any:
    """``math.fsum``: the sum rounded once."""
    try:
        return np.float64(math.fsum(squared.tolist()))
    except OverflowError:  # finite squares, and perhaps a NaN behind them
        return squared.sum()


# ---- other arithmetic on the way ----


@value_of("mse/mean")
def takes_the_target_first(prediction: Array, target: Array) -> Any:
    """(t − p)², as Keras orders its arguments."""
    return in_sequence(terms(target, prediction)) / accumulator(prediction).type(prediction.size)


@value_of("mse/mean")
def multiplies_by_the_reciprocal(prediction: Array, target: Array) -> Any:
    """S·(1/N): two roundings where a division has one."""
    kind = accumulator(prediction).type
    return in_sequence(terms(prediction, target)) * (kind(1) / kind(prediction.size))


@value_of("mse/mean")
def fuses_multiply_and_add(prediction: Array, target: Array) -> Any:
    """s ← fma(d, d, s): the square is not rounded. In as many lanes as a GPU's warp has, and exact fractions for short inputs."""
    wider = accumulator(prediction)
    difference = (prediction - target).ravel().astype(wider)
    if difference.size > ROUND or not np.isfinite(difference).all():
        return np.square(in_lanes(difference, ROUND).astype(np.longdouble)).sum(axis=0).astype(wider).sum() / wider.type(prediction.size)
    fmt, total = FORMATS[wider.name], Fraction(0)
    for d in difference.tolist():
        rounded = fmt.round(Fraction(d) ** 2 + total)
        if isinstance(rounded, float):
            return rounded
        total = rounded
    return wider.type(total) / wider.type(prediction.size)


@value_of("mse/mean")
def rounds_only_once(prediction: Array, target: Array) -> Any:
    """The exact mean as a fraction, rounded to the result: what no loss does, and every loss may. Longer inputs through ``fsum``."""
    difference = differences(prediction, target).ravel()
    if not difference.size or difference.size > 256 or not np.isfinite(wide(prediction) + wide(target)).all():
        return squares(prediction, target).mean()
    pairs = zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)
    exact = sum(((Fraction(float(p)) - Fraction(float(t))) ** 2 for p, t in pairs), Fraction(0)) / prediction.size
    return np.float64(FORMATS[prediction.dtype.name].round(exact))


@value_of("mse/mean")
def computes_in_extended_precision(prediction: Array, target: Array) -> Any:
    """``longdouble`` from the first difference to the last division."""
    return np.square(prediction.astype(np.longdouble) - target.astype(np.longdouble)).mean()


@value_of("mse/mean")
def computes_in_float64(prediction: Array, target: Array) -> Any:
    """Everything in float64, rounded once: what the other variants start from."""
    return squares(prediction, target).mean()


@value_of("mse/mean")
def computes_halves_in_float32(prediction: Array, target: Array) -> Any:
    """Differences and squares of the half formats in float32, rounded once at the end: a compiled kernel."""
    kind = accumulator(prediction)
    return np.square(prediction.astype(kind) - target.astype(kind)).mean(dtype=kind)


@value_of("mse/mean")
def rounds_the_difference_only(prediction: Array, target: Array) -> Any:
    """The difference in the inputs' dtype, its square in the accumulator's."""
    return np.square((prediction - target).astype(accumulator(prediction))).mean()


@value_of("mse/mean")
def scales_by_a_power_of_two(prediction: Array, target: Array) -> Any:
    """The largest exponent is taken out before the squares and put back at the end: no sum overflows."""
    difference = differences(prediction, target)
    largest = np.abs(difference).max(initial=0)
    if not np.isfinite(largest) or not largest:
        return squares(prediction, target).mean()
    _, exponent = np.frexp(largest)
    return np.ldexp(np.square(np.ldexp(difference, -exponent)).mean(), 2 * exponent)


@value_of("mse/mean")
def multiplies_the_differences_as_vectors(prediction: Array, target: Array) -> Any:
    """An inner product, d·d, in the BLAS."""
    difference = (prediction - target).ravel().astype(accumulator(prediction))
    return np.dot(difference, difference) / difference.dtype.type(difference.size)


@value_of("mse/mean", cast=False)
def returns_a_wider_format(prediction: Array, target: Array) -> Any:
    """The accumulator's dtype is returned: more than was asked for, and not less."""
    return np.asarray(squares(prediction, target).mean()).astype(accumulator(prediction))


@value_of("mse/mean")
def returns_another_nan(prediction: Array, target: Array) -> Any:
    """NaN with its sign bit set: NaN all the same."""
    value = squares(prediction, target).mean()
    return -value if np.isnan(value) else value


@value_of("mse/none")
def none_rounds_twice(prediction: Array, target: Array) -> Any:
    """Difference and square, each in the inputs' dtype."""
    return np.square(prediction - target)


@value_of("mse/none")
def none_raises_to_a_power(prediction: Array, target: Array) -> Any:
    """``d ** 2`` in float64, rounded once."""
    return differences(prediction, target) ** 2


@value_of("mse/none", cast=False)
def none_returns_the_wider_dtype(prediction: Array, target: Array) -> Any:
    """The half formats become float32, as they do in TensorFlow's first losses, and stay it; float32 and float64 as they are."""
    kind = accumulator(prediction)
    return np.square(prediction.astype(kind) - target.astype(kind))


@value_of("mse/none")
def none_uses_another_memory_order(prediction: Array, target: Array) -> Any:
    """The result lies in memory column by column."""
    return np.asfortranarray(squares(prediction, target)) if prediction.ndim else squares(prediction, target)


@value_of("mse/last-axis")
def last_axis_adds_in_sequence(prediction: Array, target: Array) -> Any:
    """A plain loop along each row."""
    kind = accumulator(prediction)
    squared = np.square(prediction - target).astype(kind)
    total = np.add.accumulate(squared, axis=-1)[..., -1] if squared.shape[-1] else squared.sum(axis=-1)
    return total / kind.type(squared.shape[-1])


@value_of("mse/last-axis")
def last_axis_adds_in_float64(prediction: Array, target: Array) -> Any:
    """Each row in float64, rounded once."""
    return squares(prediction, target).mean(axis=-1)


@value_of("mse/last-axis")
def last_axis_multiplies_by_the_reciprocal(prediction: Array, target: Array) -> Any:
    """Each row's sum times 1/N."""
    kind = accumulator(prediction)
    total = np.square((prediction - target).astype(kind)).sum(axis=-1)
    return total * (kind.type(1) / kind.type(prediction.shape[-1]))
