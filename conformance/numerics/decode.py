"""From the bits of an array to integers, and sums of squares without any rounding.

Everything here works on the bits, never on floating-point arithmetic, so a process that flushes subnormals
to zero cannot disturb it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import FORMATS, Array, power_of_two

Integers = npt.NDArray[np.int64]

_CHUNK = 1 << 24  # bincount adds integers below 2^27 in float64: exact up to 2^53/2^27 = 2^26 of them


def decode(array: Array) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Mantissa, exponent and finiteness of every element: x = mantissa·2^exponent where finite.

    Works on any of the four formats (IEEE 754-2019, section 3.4). Not-finite elements get mantissa 0.
    """
    fmt = FORMATS[array.dtype.name]
    width = array.dtype.itemsize * 8
    bits = np.ascontiguousarray(array).reshape(array.shape).view(f"u{width // 8}").astype(np.uint64)
    fraction_bits = fmt.precision - 1
    exponent_mask = (1 << (width - fmt.precision)) - 1
    field = ((bits >> np.uint64(fraction_bits)) & np.uint64(exponent_mask)).astype(np.int64)
    fraction = (bits & np.uint64((1 << fraction_bits) - 1)).astype(np.int64)
    finite = field != exponent_mask
    mantissa = np.where(field > 0, fraction | (1 << fraction_bits), fraction)
    mantissa = np.where((bits >> np.uint64(width - 1)) > 0, -mantissa, mantissa)
    exponent = np.maximum(field, 1) - (fmt.emax + fraction_bits)
    return np.where(finite, mantissa, 0), exponent, finite


def fractions(array: Array) -> list[Fraction | float]:
    """The elements in C order, each exactly: a Fraction, or the float nan, inf or -inf."""
    mantissa, exponent, finite = decode(array)
    return [
        m * power_of_two(e) if f else float(x)
        for m, e, f, x in zip(mantissa.ravel().tolist(), exponent.ravel().tolist(), finite.ravel().tolist(), array.ravel(), strict=True)
    ]


def _pieces(mantissa: Integers) -> list[tuple[Integers, int]]:
    """``mantissa`` as pieces below 2^27 in magnitude, with their shifts: mantissa = Σ piece·2^shift."""
    if mantissa.size == 0 or int(np.abs(mantissa).max()) < 1 << 27:
        return [(mantissa, 0)]
    low = mantissa & ((1 << 26) - 1)
    high = mantissa >> 26  # arithmetic shift: high·2^26 + low for negative numbers too
    return [(low, 0), (high, 26)]


def _binned(products: Integers, exponents: Integers, totals: dict[int, int]) -> None:
    """Add Σ products·2^exponents to ``totals`` (exponent → integer), for |products| < 2^54 (Malcolm 1971)."""
    lowest = int(exponents.min())
    bins: npt.NDArray[Any] = exponents - lowest
    low = products & ((1 << 27) - 1)
    for part, shift in ((low, 0), (products >> 27, 27)):
        for index, total in enumerate(np.bincount(bins, weights=part.astype(np.float64)).tolist()):
            if total:
                totals[lowest + index + shift] = totals.get(lowest + index + shift, 0) + int(total)


def sum_of_squared_differences(prediction: Array, target: Array) -> Fraction:
    """Σ(p−t)² exactly, for finite arrays of any size, as Σp² − 2Σpt + Σt² in integers.

    The expansion cancels, and may: nothing is rounded. About 10 (float64) to 30 (float32) million elements a second.
    """
    totals: dict[int, int] = {}
    p, t = prediction.ravel(), target.ravel()
    for start in range(0, p.size, _CHUNK):
        decoded = [decode(a[start : start + _CHUNK])[:2] for a in (p, t)]
        for first, second, factor in ((0, 0, 1), (0, 1, -2), (1, 1, 1)):
            mantissa_1, exponent_1 = decoded[first]
            mantissa_2, exponent_2 = decoded[second]
            part: dict[int, int] = {}
            for piece_1, shift_1 in _pieces(mantissa_1):
                for piece_2, shift_2 in _pieces(mantissa_2):
                    _binned(piece_1 * piece_2, exponent_1 + exponent_2 + (shift_1 + shift_2), part)
            for exponent, total in part.items():
                totals[exponent] = totals.get(exponent, 0) + factor * total
    if not totals:
        return Fraction(0)
    lowest = min(totals)
    return sum(total << (exponent - lowest) for exponent, total in totals.items()) * power_of_two(lowest)
