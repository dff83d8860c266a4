"""Sums of squared differences without any rounding, of arrays of any size: a chunk at a time, so that memory stays bounded.

Every difference of a chunk is split into limbs, whole multiples of 2^k, of 2^(k−24), … (after Rump, Ogita and Oishi, "Accurate
floating-point summation", 2008), as many as leave nothing over. A dot product of limbs is exact where no sum on its way can reach 2^53 of
its unit, whatever the order and with or without FMA; that none has is read off the results. Where a chunk spans too many binary orders,
integers in bins of one exponent take over.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.exact.decode import Integers, decode
from conformance.numerics.exact.grid import to_scaled_integers
from conformance.numerics.formats import Array, Format, format_of, power_of_two

_CHUNK = 1 << 16
"""Elements that are split at once: enough to outweigh what calling NumPy costs, and few enough for a processor's last cache. Of the
integers below 2^27 that bincount adds, 2^26 would be exact."""
_BLOCK = 1 << 7
"""Elements of a dot product. The dot products of a chunk, below 2^53 each, add up within int64 where there are less than 2^10 of them."""
_APART = 72
"""Numbers between two rows, so that rows do not lie at addresses that a cache takes for each other."""
_WIDTHS = (24, 22)
"""Bits of a limb, those to try first. Limbs of 22 bits are at most 2^22 units: 2^7 products of them stay below 2^53 in every case. With 24
bits there are fewer limbs, and all goes well where they are not the largest throughout."""
_LIMBS = 16
"""At most. Bins are slower even there, and need no more memory for more orders."""
_EXACT = 2.0**53
"""Below it every whole number is one of float64."""
_TINY, _SINGLE = np.array([2.0**-1074]), np.array([2.0**-149], np.float32)
_FEW = 256
"""Up to so many elements, Python's integers are faster than to set up the arrays."""
_SMALLEST_UNIT = -500
"""Exponent of a limb's: no product of limbs is lost to underflow. What overflows shows in the dot products: infinity is not below 2^53."""


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


def _added_in_bins(prediction: Array, target: Array, totals: dict[int, int]) -> None:
    """Σ(p−t)² as Σp² − 2Σpt + Σt² in integers. The expansion cancels, and may: nothing is rounded."""
    decoded = [decode(a)[:2] for a in (prediction, target)]
    for first, second, factor in ((0, 0, 1), (0, 1, -2), (1, 1, 1)):
        mantissa_1, exponent_1 = decoded[first]
        mantissa_2, exponent_2 = decoded[second]
        part: dict[int, int] = {}
        for piece_1, shift_1 in _pieces(mantissa_1):
            for piece_2, shift_2 in _pieces(mantissa_2):
                _binned(piece_1 * piece_2, exponent_1 + exponent_2 + (shift_1 + shift_2), part)
        for exponent, total in part.items():
            totals[exponent] = totals.get(exponent, 0) + factor * total


class _Limbs:
    """Splits chunks of up to ``size`` elements in memory that is used again and again."""

    def __init__(self, size: int) -> None:
        width = _whole_blocks(size) + _APART
        self._pair, self._work, self._limbs = np.empty((2, width)), np.empty((4, width)), np.empty((_LIMBS, width))
        self.usable = bool((_TINY + _TINY)[0] > 0 and _SINGLE.astype(np.float64)[0] > 0)  # not where subnormals are read as zero

    def add(self, prediction: Array, target: Array, totals: dict[int, int]) -> bool:
        """Add Σ(p−t)² of a chunk to ``totals`` (exponent → integer); False, and nothing added, where bins must do it."""
        p, t = self._in_whole_blocks(prediction, target)
        difference = np.subtract(p, t, out=self._work[0, : p.size])
        largest = float(_dot_products(difference[np.newaxis], 0).max())
        if not 0 < largest < math.inf:
            return not difference.any()
        # The first limb's unit is 2^top, so that Σd² of a block is below 2^53 of its square, and stays so when rounded.
        top = -((53 - math.frexp(largest * (1 + 2.0**-20))[1]) // 2)
        size = prediction.size
        least = min(self._common_unit(p[:size], format_of(prediction)), self._common_unit(t[:size], format_of(target)))
        for bits in _WIDTHS:
            count = 1 + max(0, -((least - top) // bits))
            if count > _LIMBS or top - bits * (count - 1) < _SMALLEST_UNIT:
                return False
            if _added(self._split(p, t, top, bits, count), top, bits, totals):
                return True
        return False

    def _in_whole_blocks(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """Both as float64, with zeros up to a whole block."""
        size, width = prediction.size, _whole_blocks(prediction.size)
        if size == width and prediction.dtype == target.dtype == np.float64:
            return prediction, target
        pair = self._pair[:, :width]
        pair[0, :size], pair[1, :size] = prediction, target
        pair[:, size:] = 0
        return pair[0], pair[1]

    def _common_unit(self, numbers: Array, fmt: Format) -> int:
        """Exponent of a power of two of which every number is a whole multiple, all being numbers of a format."""
        magnitude = np.abs(numbers, out=self._work[1, : numbers.size])
        smallest = float(magnitude.min())
        if not smallest:  # a zero is a multiple of everything
            smallest = float(np.min(magnitude, where=magnitude > 0, initial=float(fmt.largest)))
        return max(math.frexp(smallest)[1], fmt.emin + 1) - fmt.precision

    def _split(self, p: Array, t: Array, top: int, bits: int, count: int) -> Array:
        """The differences as ``count`` limbs: multiples of the units 2^top, 2^(top−bits), …, of the last of which p and t are multiples.

        What is said below holds if |d| < 2^27·2^top for the rounded differences d. :func:`_added` uses no limbs where that is not so.
        """
        difference, rest, error, moved = self._work[:, : p.size]
        limbs = self._limbs[:count, : p.size]
        if count == 1:  # p − t is a multiple of the unit, less than 2^27 times: d is exact
            limbs[0] = difference
            return limbs
        if count > 2:  # with two, p − t is a multiple of the second unit, less than 2^51 times: d is exact
            # Knuth's TwoSum: p − t = d + error, both multiples of the last unit, and |error| ≤ ulp(d)/2 ≤ 2^-27·2^top. That is less than
            # half of the second unit, so the error has no part in the first two limbs.
            np.subtract(difference, p, out=moved)  # -t, as far as it arrived
            np.subtract(difference, moved, out=error)
            np.subtract(p, error, out=error)
            np.add(moved, t, out=moved)
            np.subtract(error, moved, out=error)
        # Before each further limb, what is left of d and of the error is at most half of the unit before. For the last two limbs that unit
        # is at most 2^48 of the last: from there on both are one number, and their sum is exact.
        left, joined = difference, max(2, count - 2)
        for i, limb in enumerate(limbs[:-1]):
            if i == joined:
                np.add(left, error, out=left)
            # Added to 1.5·2^52 units, a number below 2^51 units is rounded to a multiple of the unit. What it is rounded by is at most half
            # a unit, and has no more digits than the number had: both subtractions are exact.
            grid = 1.5 * 2.0 ** (52 + top - bits * i)
            np.add(left, grid, out=limb)
            np.subtract(limb, grid, out=limb)
            left = np.subtract(left, limb, out=limbs[-1] if i == count - 2 else rest)
            if 2 <= i < joined:
                np.add(error, grid, out=moved)
                np.subtract(moved, grid, out=moved)
                np.subtract(error, moved, out=error)
                np.add(limb, moved, out=limb)
        if joined == count - 1:  # with three limbs
            np.add(left, error, out=left)
        return limbs


def _whole_blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _dot_products(limbs: Array, of: int, out: Array | None = None) -> Array:
    """Dot products of one row with itself and each row after it, block by block."""
    rows = limbs.reshape(len(limbs), -1, 1, _BLOCK)
    into = None if out is None else out[:, :, np.newaxis, np.newaxis]
    found: Array = np.matmul(rows[of:], rows[of].reshape(-1, _BLOCK, 1), out=into)
    return found


@cache
def _pairs(bits: int, count: int) -> tuple[list[int], list[int], Array]:
    """Of each pair of limbs: by how many orders its unit is below that of the first, how often it counts, and 2 to the former."""
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    orders = [bits * (i + j) for i, j in pairs]
    return orders, [1 if i == j else 2 for i, j in pairs], np.ldexp(1.0, orders)[:, np.newaxis]


def _added(limbs: Array, top: int, bits: int, totals: dict[int, int]) -> bool:
    """Add Σ(sum of limbs)² to ``totals``; False, and nothing added, where a dot product may have been rounded.

    Limbs are integers times their unit, and so are products of limbs and sums of these: exact below 2^53. Sums of squares only grow, and
    rounding never brings what has reached 2^53 below it again: one that came out below was exact at every step. Then, by Cauchy and
    Schwarz, so was every sum of products of two different limbs, whatever part of a block it is of. And for |d| ≥ 2^27·2^top the first limb
    is at least 2^27 units (its rounding is monotone): its square alone is 2^54.
    """
    count = len(limbs)
    orders, factors, powers = _pairs(bits, count)
    products = np.empty((len(orders), limbs.shape[1] // _BLOCK))
    squares, end = [], 0
    for i in range(count):
        squares.append(end)
        end += count - i
        _dot_products(limbs, i, products[squares[i] : end])
    products *= powers * 2.0 ** (-2 * top)  # now in units: scaling by powers of two within the range is exact
    if not products[squares].max() < _EXACT:  # nor where one is nan
        return False
    for order, factor, total in zip(orders, factors, products.astype(np.int64).sum(axis=1).tolist(), strict=True):
        totals[2 * top - order] = totals.get(2 * top - order, 0) + factor * total
    return True


def sum_of_squared_differences(prediction: Array, target: Array) -> Fraction:
    """Σ(p−t)² exactly, for finite arrays of any size."""
    p, t = prediction.ravel(), target.ravel()
    if p.size <= _FEW and (found := to_scaled_integers(p, t)) is not None:
        (whole_p, whole_t), exponent = found
        return sum((a - b) ** 2 for a, b in zip(whole_p, whole_t, strict=True)) * power_of_two(2 * exponent)
    totals: dict[int, int] = {}
    limbs = _Limbs(min(p.size, _CHUNK))
    with np.errstate(all="ignore"):  # limbs that leave the range are noticed, and not used
        for start in range(0, p.size, _CHUNK):
            chunk = p[start : start + _CHUNK], t[start : start + _CHUNK]
            if not (limbs.usable and limbs.add(*chunk, totals)):
                _added_in_bins(*chunk, totals)
    if not totals:
        return Fraction(0)
    lowest = min(totals)
    return sum(total << (exponent - lowest) for exponent, total in totals.items()) * power_of_two(lowest)
