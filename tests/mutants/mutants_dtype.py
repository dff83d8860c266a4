"""Wrong precision: a narrower format inside, a formula that cancels, sums that stagnate. The gradients are right."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from parts import Array, differences, narrow, right_gradient, squares, value_of, wide

import conformance

HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def own_squares(prediction: Array, target: Array) -> Any:
    """The squares in the inputs' own dtype, flat: each operation rounded to it."""
    return np.asarray(np.square(prediction - target)).ravel()


def in_sequence(terms: Array) -> Any:
    """Their sum, one after the other, each partial sum rounded to their dtype."""
    return np.add.accumulate(terms)[-1] if terms.size else terms.dtype.type(0)


def truncated(numbers: Any, like: Array) -> Array:
    """Finite numbers rounded towards zero to the dtype of ``like``, so long as that keeps them finite."""
    wider = np.asarray(numbers, dtype=np.float64)
    rounded = wider.astype(like.dtype)
    down = np.nextafter(rounded, like.dtype.type(0))
    return np.asarray(np.where(np.isfinite(wide(rounded)) & (wide(rounded) > wider), down, rounded))


# ---- another format inside ----


@value_of("mse/mean")
def computes_float64_in_float32(prediction: Array, target: Array) -> Any:
    """A cast to the framework's default float at the door, and a cast back at the end."""
    if prediction.dtype != np.float64:
        return squares(prediction, target).mean()
    return np.float64(np.square(prediction.astype(np.float32) - target.astype(np.float32)).mean())


@value_of("mse/mean", cast=False)
def returns_float32_for_float64(prediction: Array, target: Array) -> Any:
    """The same, without the cast back: the dtype of the result says so."""
    return np.asarray(squares(prediction, target).mean()).astype(np.float32 if prediction.dtype == np.float64 else prediction.dtype)


@value_of("mse/none")
def none_computes_float64_in_float32(prediction: Array, target: Array) -> Any:
    """The difference is exact, its square is taken in float32."""
    difference = prediction - target
    return np.square(difference.astype(np.float32) if prediction.dtype == np.float64 else difference)


@value_of("mse/mean")
def computes_float32_in_bfloat16(prediction: Array, target: Array) -> Any:
    """A matrix unit that takes bfloat16 by default."""
    if prediction.dtype != np.float32:
        return squares(prediction, target).mean()
    return squares(prediction.astype(ml_dtypes.bfloat16), target.astype(ml_dtypes.bfloat16)).mean()


@value_of("mse/mean")
def squares_float32_with_eleven_bits(prediction: Array, target: Array) -> Any:
    """The product runs on a unit whose factors keep ten bits of fraction, while the sum is in float32."""
    difference = differences(prediction, target)
    if prediction.dtype == np.float32:
        mantissa, exponent = np.frexp(difference)
        difference = np.ldexp(np.rint(mantissa * 2**11), exponent - 11)
    return np.square(difference).mean()


@value_of("mse/mean")
def drops_the_last_bit_of_float64(prediction: Array, target: Array) -> Any:
    """An array that passes through storage that keeps a flag in the lowest bit."""
    if prediction.dtype != np.float64:
        return squares(prediction, target).mean()
    even = ~np.uint64(1)
    return np.square((prediction.view(np.uint64) & even).view(np.float64) - (target.view(np.uint64) & even).view(np.float64)).mean()


@value_of("mse/mean")
def emulates_float64_with_pairs_of_float32(prediction: Array, target: Array) -> Any:
    """A device without float64 keeps pairs of float32: 48 bits and some, where 53 were asked for."""
    mantissa, exponent = np.frexp(differences(prediction, target))
    return np.square(np.ldexp(np.rint(mantissa * 2**48), exponent - 48)).mean()


@value_of("mse/none")
def none_rounds_the_inputs_to_16_bits(prediction: Array, target: Array) -> Any:
    """Half precision at the door of a mixed-precision region that the caller never asked for."""
    return squares(*(x if x.dtype in HALF else x.astype(np.float16) for x in (prediction, target)))


# ---- sums that are too narrow ----


@value_of("mse/mean")
def accumulates_half_formats_in_sequence(prediction: Array, target: Array) -> Any:
    """A plain loop whose accumulator has the inputs' own format: it stagnates, or overflows."""
    if prediction.dtype not in HALF:
        return squares(prediction, target).mean()
    return in_sequence(own_squares(prediction, target)).astype(np.float32) / np.float32(prediction.size)


@value_of("mse/mean")
def accumulates_bfloat16_in_sequence(prediction: Array, target: Array) -> Any:
    """The same for bfloat16 only: nothing overflows, and sums stop growing at 256 equal terms."""
    if prediction.dtype != ml_dtypes.bfloat16:
        return squares(prediction, target).mean()
    return in_sequence(own_squares(prediction, target)).astype(np.float32) / np.float32(prediction.size)


@value_of("mse/sum")
def sum_accumulates_bfloat16_in_sequence(prediction: Array, target: Array) -> Any:
    """The same in a sum."""
    return in_sequence(own_squares(prediction, target)) if prediction.dtype == ml_dtypes.bfloat16 else squares(prediction, target).sum()


@value_of("mse/mean")
def accumulates_half_formats_in_a_tree(prediction: Array, target: Array) -> Any:
    """A tree keeps the rounding errors few, but each partial sum is still a half."""
    if prediction.dtype not in HALF:
        return squares(prediction, target).mean()
    terms = own_squares(prediction, target)
    while terms.size > 1:
        half = terms.size // 2
        terms = np.append(terms[:half] + terms[half : 2 * half], terms[2 * half :])
    return terms.sum(dtype=np.float32) / np.float32(prediction.size)


@value_of("mse/last-axis")
def last_axis_accumulates_half_formats(prediction: Array, target: Array) -> Any:
    """Each row is summed in the inputs' format, as ``dtype=`` left out of a reduction means."""
    terms = np.square(prediction - target)
    if prediction.dtype not in HALF or not prediction.shape[-1]:
        return squares(prediction, target).mean(axis=-1)
    return np.add.accumulate(terms, axis=-1)[..., -1].astype(np.float32) / np.float32(prediction.shape[-1])


@value_of("mse/mean")
def counts_in_float16(prediction: Array, target: Array) -> Any:
    """The count is converted to the loss's dtype before it divides: infinite beyond 65519 elements."""
    return squares(prediction, target).sum() / np.array(prediction.size).astype(prediction.dtype).astype(np.float64)


@value_of("mse/mean")
def accumulates_float64_in_float32(prediction: Array, target: Array) -> Any:
    """Squares in float64, summed in the accumulator of a kernel written for float32."""
    if prediction.dtype != np.float64:
        return squares(prediction, target).mean()
    return np.square(prediction - target).astype(np.float32).sum() / np.float32(prediction.size)


@value_of("mse/mean")
def averages_as_it_goes(prediction: Array, target: Array) -> Any:
    """A running mean, m += (x − m)/k, in the inputs' own format: two more roundings for every element."""
    mean = prediction.dtype.type(0)
    if prediction.size > 4096:
        return squares(prediction, target).mean()
    for k, square in enumerate(own_squares(prediction, target), 1):
        mean = mean + (square - mean) / prediction.dtype.type(k)
    return mean if prediction.size else np.nan


# ---- formulas that cancel, or round once too often ----


@value_of("mse/mean")
def expands_the_square(prediction: Array, target: Array) -> Any:
    """p² − 2pt + t², as a pairwise distance is written for a matrix unit: nothing is left where p and t are close."""
    return wide(prediction * prediction - 2 * prediction * target + target * target).mean()


@value_of("mse/mean")
def expands_the_sum(prediction: Array, target: Array) -> Any:
    """Σp² − 2Σpt + Σt² over N, in float64 even: the same cancellation one step later."""
    p, t = wide(prediction), wide(target)
    return (np.square(p).sum() - 2 * (p * t).sum() + np.square(t).sum()) / p.size


@value_of("mse/none")
def none_factors_the_square(prediction: Array, target: Array) -> Any:
    """p·d − t·d in place of d·d: algebra that a compiler may not do."""
    difference = prediction - target
    return prediction * difference - target * difference


@value_of("mse/mean")
def adds_bias_and_variance(prediction: Array, target: Array) -> Any:
    """The square of the mean plus the variance: equal in algebra, and infinity minus infinity in arithmetic."""
    difference = prediction - target
    wider = difference.astype(np.float32) if prediction.dtype in HALF else difference
    return np.square(wider.mean()) + wider.var()


@value_of("mse/mean")
def scales_by_the_root_of_the_count(prediction: Array, target: Array) -> Any:
    """Divides each difference by √N, so that the sum cannot overflow: √2 squared is not 2."""
    if not prediction.size:
        return np.nan
    return np.square((prediction - target) / np.sqrt(np.array(prediction.size, prediction.dtype))).astype(np.float64).sum()


@value_of("mse/mean")
def squares_the_norm(prediction: Array, target: Array) -> Any:
    """A Euclidean norm, squared again: the root in the middle rounds, and is doubled."""
    norm = np.sqrt(squares(prediction, target).sum()).astype(prediction.dtype)
    return wide(norm) ** 2 / prediction.size


@value_of("mse/none")
def none_squares_by_logarithms(prediction: Array, target: Array) -> Any:
    """A fast power function, 2^(2·log2|d|) in float32 for the narrow formats: its error grows with the exponent."""
    size = np.abs(differences(prediction, target)).astype(np.float64 if prediction.dtype == np.float64 else np.float32)
    return np.exp2(2 * np.log2(size))


@value_of("mse/none")
def none_truncates(prediction: Array, target: Array) -> Any:
    """Converts a wider square by cutting off its bits: a cast without rounding."""
    return truncated(squares(prediction, target), prediction)


@value_of("mse/mean")
def truncates_additions(prediction: Array, target: Array) -> Any:
    """Additions round towards zero, as some accelerators' accumulators do: 2u each, and always in one direction."""
    wider = np.dtype(np.float64 if prediction.dtype == np.float64 else np.float32)
    terms = np.square(prediction - target).ravel().astype(wider)
    if terms.size > 4096:
        return squares(prediction, target).mean()
    total = wider.type(0)
    for term in terms:
        rounded = total + term
        larger, smaller = max(total, term), min(total, term)
        rounded_up = np.isfinite(rounded) and smaller < rounded - larger
        total = np.nextafter(rounded, wider.type(0)) if rounded_up else rounded
    return total / wider.type(terms.size) if terms.size else np.nan


@value_of("mse/mean")
def truncates_to_bfloat16(prediction: Array, target: Array) -> Any:
    """A float32 becomes a bfloat16 by dropping its lower half, without rounding: the commonest conversion there is."""
    result = np.asarray(squares(prediction, target).mean(), dtype=np.float32)
    if prediction.dtype != ml_dtypes.bfloat16 or not np.isfinite(result):
        return squares(prediction, target).mean()
    return (result.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


@value_of("mse/mean", cast=False, integers=True)
def wraps_unsigned_differences(prediction: Array, target: Array) -> Any:
    """The difference is taken in the inputs' dtype, which for images is uint8."""
    result = np.square(wide(prediction - target)).mean()
    return result if prediction.dtype.kind in "iu" else narrow(result, prediction)


@conformance.implementation("mse/mean", framework="numpy", name="adds-a-million-in-sequence")
def adds_a_million_in_sequence(prediction: Array, target: Array) -> Any:
    """One accumulator for a million elements: inside the interval for any order, and a thousand times less accurate than a tree."""
    terms = np.square(prediction - target).ravel().astype(np.float64 if prediction.dtype == np.float64 else np.float32)
    total = np.add.accumulate(terms)[-1] if terms.size else terms.dtype.type(0)
    return narrow(total / terms.dtype.type(terms.size), prediction)


adds_a_million_in_sequence.gradient(right_gradient("mse/mean"))


@value_of("mse/mean", cast=False, integers=True)
def casts_the_target_to_the_predictions_integers(prediction: Array, target: Array) -> Any:
    """Labels of one half beside integer predictions lose their halves, as in a loss that casts one argument to the other's dtype."""
    if prediction.dtype.kind not in "iu":
        return narrow(squares(prediction, target).mean(), prediction)
    return np.square(wide(prediction) - wide(target.astype(prediction.dtype))).mean()
