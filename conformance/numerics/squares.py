"""Sums of squared differences without any rounding, of arrays of any size: a chunk at a time, so that memory stays bounded.

Every number of a chunk is split into limbs, multiples of 2^k, 2^(k−19), … of at most 2^18 of them (after Rump, Ogita and Oishi, "Accurate
floating-point summation", 2008). A difference of limbs is exact, a product of two and the sum of a chunk of products too: they are
integers below 2^53, whatever the order in which they are added. Where a chunk spans too many binary orders, integers in bins of one
exponent take over.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.decode import Integers, decode
from conformance.numerics.formats import Array, power_of_two
from conformance.numerics.grid import on_a_grid

_CHUNK = 1 << 13
"""Elements that are added in float64 at once. Products of limbs of two differences are at most 2^38: exact up to 2^15 of them.
Of the integers below 2^27 that bincount adds, exact up to 2^26. So many fit a processor's cache."""
_APART = 72
"""Numbers between two rows, so that rows do not lie at addresses that a cache takes for each other."""
_BITS = 19
_LIMBS = 12
"""At most: beyond them bins are faster."""
_FEW = 256
"""Up to so many elements, Python's integers are faster than to set up the arrays."""
_RANGE = range(-280, 480)
"""Exponents of the largest number of a chunk with which no product of limbs leaves the range of float64: it is a multiple of
2^(2·(−280 − 18 − 11·19)) = 2^-1014 at least, and a sum of 2^13 of them is below 2^(2·481 + 13)."""


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
    """Splits chunks in memory that is used again and again."""

    def __init__(self) -> None:
        width = _CHUNK + _APART
        self._numbers, self._limb = np.empty((2, width)), np.empty((2, width))
        self._limbs = np.empty((_LIMBS, width))
        self._expected = 1
        """Limbs that the last chunk had: before them there is no need to look whether anything is left."""
        tiny = np.array([2.0**-1074])
        single = np.array([2.0**-149], np.float32)
        self.usable = bool((tiny + tiny > 0).all() and (single.astype(np.float64) > 0).all())  # not where subnormals are read as zero

    def add(self, prediction: Array, target: Array, totals: dict[int, int]) -> bool:
        """Add Σ(p−t)² of a chunk to ``totals`` (exponent → integer); False, and nothing added, where bins must do it."""
        rows = [prediction, target]
        if prediction.dtype != np.float64:
            pair = self._numbers[:, : prediction.size]
            pair[0], pair[1] = rows
            rows = self._difference(pair)
        largest = max(max(float(row.max()), -float(row.min())) for row in rows)
        if not largest:
            return True
        top = int(np.frexp(largest)[1])
        if top not in _RANGE:
            return False
        lowest = top - _BITS + 1
        limbs = self._split(rows, lowest)
        for i in range(len(limbs)):
            for j, product in enumerate((limbs[: i + 1] @ limbs[i]).tolist()):
                exponent = 2 * lowest - _BITS * (i + j)
                total = int(product * 2.0**-exponent)
                totals[exponent] = totals.get(exponent, 0) + (total if i == j else 2 * total)
        return len(limbs) > 0

    def _difference(self, pair: Array) -> list[Array]:
        """The differences in place of the pairs, where they are exact (Knuth's TwoSum finds no error): there is half to split."""
        p, t = pair
        difference, moved = self._limb[:, : p.size]
        error = self._limbs[0, : p.size]
        np.subtract(p, t, out=difference)
        np.subtract(difference, p, out=moved)  # -t, as far as it arrived
        np.subtract(difference, moved, out=error)
        np.subtract(p, error, out=error)
        np.add(moved, t, out=moved)
        np.subtract(error, moved, out=error)
        if error.any():
            return [p, t]
        p[:] = difference
        return [p]

    def _split(self, rows: list[Array], lowest: int) -> Array:
        """The limbs of the differences, until nothing is left of any number; none where there would be too many."""
        n = rows[0].size
        rest = self._numbers[: len(rows), :n]
        for used in range(_LIMBS):
            grid = 1.5 * 2.0 ** (52 + lowest - _BITS * used)  # what is added to it is rounded to a multiple of 2^(lowest − 19·used)
            limb = self._limb[:, :n] if len(rows) > 1 else self._limbs[used : used + 1, :n]
            for row, part, left in zip(rows if not used else rest, limb, rest, strict=True):
                np.add(row, grid, out=part)
                np.subtract(part, grid, out=part)
                np.subtract(row, part, out=left)
            if len(rows) > 1:
                np.subtract(limb[0], limb[1], out=self._limbs[used, :n])
            if used + 1 >= self._expected and not rest.any():
                self._expected = used + 1
                return self._limbs[: used + 1, :n]
        self._expected = 1
        return self._limbs[:0, :n]


def sum_of_squared_differences(prediction: Array, target: Array) -> Fraction:
    """Σ(p−t)² exactly, for finite arrays of any size."""
    p, t = prediction.ravel(), target.ravel()
    if p.size <= _FEW and (found := on_a_grid(p, t)) is not None:
        (whole_p, whole_t), exponent = found
        return sum((a - b) ** 2 for a, b in zip(whole_p, whole_t, strict=True)) * power_of_two(2 * exponent)
    totals: dict[int, int] = {}
    limbs = _Limbs()
    for start in range(0, p.size, _CHUNK):
        chunk = p[start : start + _CHUNK], t[start : start + _CHUNK]
        if not (limbs.usable and limbs.add(*chunk, totals)):
            _added_in_bins(*chunk, totals)
    if not totals:
        return Fraction(0)
    lowest = min(totals)
    return sum(total << (exponent - lowest) for exponent, total in totals.items()) * power_of_two(lowest)
