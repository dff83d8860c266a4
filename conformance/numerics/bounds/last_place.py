"""Many numbers of a grid in units of their last place, as pairs of floats: what integers would say, at a tenth of the time.

A number is an integer of the format and what is left of it, within 2^-47 of a unit (Dekker, "A floating-point technique for extending the
available precision", 1971). Where that leaves it open what a correctly rounded result would be, the number is not ``certain``, and integers
have to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.interval import Floats
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.formats import Format, exponent_of, power_of_two

Truths = npt.NDArray[np.bool_]

_SPLITTER = float(2**27 + 1)
_DIGITS = 53
_OPEN = 2.0**-40
"""Closer than this to where something changes, nothing is said."""
_SMALLEST = -900
"""log2 of the smallest number of units that is told: below, the low parts of the pairs would underflow."""


@dataclass(frozen=True)
class UlpArray:
    """|x| = (``whole`` + ``left``)·2^``shift`` of every number x of a grid, with 0 ≤ left < 1.

    ``whole`` has no more digits than the format; ``normal`` says where x is not below its normal range.
    """

    fmt: Format
    negative: Truths
    whole: Floats
    left: Floats
    shift: npt.NDArray[np.int64]
    normal: Truths
    exact: Truths
    """Where ``left`` is exactly what is left."""
    certain: Truths

    def rounded(self) -> tuple[Floats, Floats, Truths]:
        """Every number rounded to nearest, ties to even; what is left of it then, in units of the last place; and where that is sure."""
        up = (self.left > 0.5) | ((self.left == 0.5) & (self.whole % 2 == 1))
        sign = np.where(self.negative, -1.0, 1.0)
        centers = np.ldexp(sign * (self.whole + up), self.shift)
        return centers, sign * np.where(up, self.left - 1, self.left), self.certain & self._settled(self.left, 2)

    def magnitudes(self) -> Floats:
        """|x| in units of the last place, rounded."""
        return self.whole + self.left

    def around(self, bounds: Floats) -> tuple[Floats, Floats, Truths]:
        """The least and the largest number of the format within ``bounds`` units of every x, and where they are sure."""
        low, low_certain = self._least(bounds)
        high, high_certain = self._largest(bounds)
        low, high = np.ldexp(low, self.shift), np.ldexp(high, self.shift)
        certain = self.certain & ((low_certain & high_certain) | (self.zero & (bounds == 0)))
        return np.where(self.negative, -high, low), np.where(self.negative, -low, high), certain

    def _least(self, bounds: Floats) -> tuple[Floats, Truths]:
        """The least integer of the format, or half of one in the binade below, that is no less than |x| − bound."""
        edge = 2.0 ** (self.fmt.precision - 1)
        at = self.left - bounds
        finer = self.normal & (self.shift > self._lowest_shift) & (self.whole + np.floor(at) < edge)
        scale = np.where(finer, 2.0, 1.0)
        certain = self._settled(at, 2, bounds) & ((self.whole + at > edge / 2 + 1) | ~finer)
        return self.whole + np.ceil(scale * at) / scale, certain & (self.whole + at > 0)

    def _largest(self, bounds: Floats) -> tuple[Floats, Truths]:
        """The largest integer of the format, or even one in the binade above, that is no more than |x| + bound."""
        edge = 2.0**self.fmt.precision
        at = self.left + bounds
        coarser = self.whole + np.floor(at) >= edge
        odd = self.whole % 2
        high = np.where(coarser, self.whole - odd + 2 * np.floor((odd + at) / 2), self.whole + np.floor(at))
        return high, self._settled(at, 1, bounds) & (self.whole + at < 2 * edge - 2)

    def _settled(self, x: Floats, parts: int, bounds: Floats | None = None) -> Truths:
        """Where x lies far enough from every multiple of 1/parts, or is exactly what it seems to be."""
        scaled = parts * x
        tolerance = _OPEN if bounds is None else _OPEN + bounds * 2.0**-48
        far = np.abs(scaled - np.rint(scaled)) > parts * tolerance
        return far | (self.exact if bounds is None else self.exact & (bounds == 0))

    @property
    def zero(self) -> Truths:
        """Where x is zero."""
        zero: Truths = (self.whole == 0) & (self.left == 0) & self.exact
        return zero

    @property
    def _lowest_shift(self) -> int:
        return self.fmt.emin - self.fmt.precision + 1


def in_last_place(grid: ScaledIntegers, fmt: Format) -> UlpArray | None:
    """The numbers of a grid in units of the last place of a format; None where the grid's integers are beyond float64.

    A number that may round to infinity is not sure, nor one that is hardly a part of a unit.
    """
    try:
        high = np.array(grid.whole, np.float64)
    except OverflowError:
        return None
    negative = high < 0
    low, exact = _rests(grid.whole, high)
    high, exponent = np.frexp(np.abs(high))
    low = np.ldexp(np.where(negative, -low, low), -exponent)
    unit_exponent = exponent_of(grid.unit.numerator, grid.unit.denominator)
    unit = grid.unit / power_of_two(unit_exponent)
    unit_high = float(unit)
    unit_low = float(unit - Fraction(unit_high))
    exact &= unit_low == 0 and ((low == 0) | (unit_high == 1))
    product, error = _product(high, unit_high)
    top, bottom = _pair(product, error + (high * unit_low + low * unit_high))
    top, more = np.frexp(top)
    bottom = np.ldexp(bottom, -more)
    below = (top == 0.5) & (bottom < 0)
    top, bottom = np.where(below, 1.0, top), np.where(below, 2 * bottom, bottom)
    # |x| = (top + bottom)·2^exponent, and 2^(exponent-1) ≤ |x| < 2^exponent.
    exponent = exponent.astype(np.int64) + more + unit_exponent - below
    zero = top == 0
    normal = ~zero & (exponent - 1 >= fmt.emin)
    shift = np.where(normal, exponent - 1, fmt.emin) - fmt.precision + 1
    units = exponent - shift
    top, bottom = np.ldexp(top, units), np.ldexp(bottom, units)
    whole = np.floor(top)
    part = top - whole
    both = part + bottom
    borrow = (both >= 1).astype(np.float64) - (both < 0)
    left = both - borrow
    exact = zero | (exact & (both - part == bottom) & (both - bottom == part) & (left + borrow == both))
    certain = zero | ((exponent - 1 < fmt.emax) & (units > _SMALLEST))
    return UlpArray(fmt, negative, whole + borrow, left, shift, normal, exact, certain)


def _rests(whole: Sequence[int], high: Floats) -> tuple[Floats, Truths]:
    """What is left of integers less the nearest floats, and where that is all of it."""
    if not len(whole) or max(abs(max(whole)), abs(min(whole))) < 1 << _DIGITS:
        return np.zeros(len(whole)), np.ones(len(whole), np.bool_)
    rests = [n - int(x) for n, x in zip(whole, high.tolist(), strict=True)]
    low = np.array(rests, np.float64)
    return low, np.array([int(x) == rest for x, rest in zip(low.tolist(), rests, strict=True)], np.bool_)


def _product(x: Floats, y: float) -> tuple[Floats, Floats]:
    """x·y and its rounding error, exactly (Veltkamp's splitting), of factors of moderate size."""
    product = x * y
    x_high = _SPLITTER * x
    x_high = x_high - (x_high - x)
    x_low = x - x_high
    y_high = _SPLITTER * y
    y_high = y_high - (y_high - y)
    y_low = y - y_high
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


def _pair(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """x + y as its nearest float and what is left, for |x| ≥ |y|."""
    total = x + y
    return total, y - (total - x)
