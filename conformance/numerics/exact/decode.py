"""From the bits of an array to integers.

Everything here works on the bits, never on floating-point arithmetic, so a process that flushes subnormals
to zero cannot disturb it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import Array, format_of, power_of_two

Integers = npt.NDArray[np.int64]


def decode(array: Array) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Mantissa, exponent and finiteness of every element: x = mantissa·2^exponent where finite.

    Works on any of the four formats (IEEE 754-2019, section 3.4). Not-finite elements get mantissa 0.
    """
    fmt = format_of(array)
    fraction_bits, exponent_mask = fmt.precision - 1, 2 * fmt.emax + 1
    bits = np.ascontiguousarray(array).reshape(array.shape).view(f"i{array.dtype.itemsize}").astype(np.int64)
    field = (bits >> fraction_bits) & exponent_mask
    fraction = bits & ((1 << fraction_bits) - 1)
    mantissa = np.where(field > 0, fraction | (1 << fraction_bits), fraction)
    sign = bits >> 63  # 0, or -1: all ones
    exponent = np.maximum(field, 1) - (fmt.emax + fraction_bits)
    finite = field != exponent_mask
    return np.where(finite, (mantissa ^ sign) - sign, 0), exponent, finite


def is_subnormal(array: Array) -> npt.NDArray[np.bool_]:
    """Where an element lies between zero and the normal range, by its bits."""
    mantissa, _, _ = decode(array)
    fmt = format_of(array)
    found: npt.NDArray[np.bool_] = (mantissa != 0) & (np.abs(mantissa) < 1 << (fmt.precision - 1))
    return found


def fractions(array: Array) -> list[Fraction | float]:
    """The elements in C order, each exactly: a Fraction, or the float nan, inf or -inf."""
    mantissa, exponent, finite = decode(array)
    return [
        m * power_of_two(e) if f else float(x)
        for m, e, f, x in zip(mantissa.ravel().tolist(), exponent.ravel().tolist(), finite.ravel().tolist(), array.ravel(), strict=True)
    ]


_NARROW = 2**16


def distinct(columns: Sequence[npt.NDArray[np.integer]]) -> tuple[Integers, Integers]:
    """The first place of every distinct row, and for every row, which of them it is like.

    ``columns`` are of one length, at least 1.
    """
    key, kinds = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        codes, count = _coded(column)
        if count > 1:
            key, kinds = _coded(key * count + codes) if kinds > 1 else (codes, count)
    first = np.empty(kinds, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key))[::-1]  # of places that are assigned to twice, NumPy keeps the last
    return first, key


def _coded(column: npt.NDArray[np.integer]) -> tuple[Integers, int]:
    """Each number's position among the different ones, and how many these are; what lies close together need not be sorted."""
    least = int(column.min())
    span = int(column.max()) - least
    if span > max(_NARROW, len(column)):
        values, codes = np.unique(column, return_inverse=True)
        return codes, len(values)
    offset = (column - column.dtype.type(least)).astype(np.int64)
    present = np.zeros(span + 1, dtype=bool)
    present[offset] = True
    return (np.cumsum(present) - 1)[offset], int(present.sum())
