"""The four binary floating-point formats, their constants, and rounding an exact rational to them.

Notation as in Higham, *Accuracy and Stability of Numerical Algorithms*, section 2.1: precision p, unit
roundoff u = 2^-p, emin and emax the exponents of the smallest and largest normal numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import ml_dtypes

    BFLOAT16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # beside a framework that can do without; nothing is computed with it there
    BFLOAT16 = np.dtype([("bfloat16", "<u2")])
"""bfloat16 in NumPy, which has none of its own: that of ml_dtypes, or where that is missing its bits."""

Array = npt.NDArray[Any]


def floor_log2(magnitude: Fraction) -> int:
    """Return e with 2^e <= magnitude < 2^(e+1), for magnitude > 0."""
    return exponent_of(magnitude.numerator, magnitude.denominator)


def exponent_of(n: int, d: int) -> int:
    """:func:`floor_log2` of n/d, for n and d > 0."""
    e = n.bit_length() - d.bit_length()
    return e if (n >= d << e if e >= 0 else n << -e >= d) else e - 1


def power_of_two(exponent: int) -> Fraction:
    """2^exponent, exactly."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


@dataclass(frozen=True)
class Format:
    """A binary interchange format with gradual underflow (IEEE 754-2019 section 3; bfloat16 likewise)."""

    name: str
    precision: int
    emax: int

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return 1 - self.emax

    @cached_property
    def unit_roundoff(self) -> Fraction:
        """u = 2^-p: the largest relative distance from a number to the nearest format number is u/(1+u)."""
        return power_of_two(-self.precision)

    @cached_property
    def rounding(self) -> Fraction:
        """v = u/(1+u): the sharp bound on the relative error of one rounding to nearest (Jeannerod and Rump)."""
        return self.unit_roundoff / (1 + self.unit_roundoff)

    @cached_property
    def smallest_subnormal(self) -> Fraction:
        """λ: the spacing of the subnormal numbers."""
        return power_of_two(self.emin - self.precision + 1)

    @cached_property
    def smallest_normal(self) -> Fraction:
        """ν = 2^emin."""
        return power_of_two(self.emin)

    @cached_property
    def largest(self) -> Fraction:
        """M: the largest finite number."""
        return (2 - power_of_two(1 - self.precision)) * power_of_two(self.emax)

    @cached_property
    def overflow_threshold(self) -> Fraction:
        """Magnitudes at or above M + ulp(M)/2 round to infinity."""
        return (2 - power_of_two(-self.precision)) * power_of_two(self.emax)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype that holds the format."""
        return BFLOAT16 if self.name == "bfloat16" else np.dtype(self.name)

    @property
    def accumulator(self) -> Format:
        """The narrowest format a conforming sum may be kept in: float32 for the half formats."""
        return FORMATS["float32"] if self.precision < 24 else self

    def ulp(self, x: Fraction) -> Fraction:
        """Spacing of the format at x: 2^(e-p+1) for 2^e <= |x| < 2^(e+1), λ below the normal range and at 0."""
        if x == 0:
            return self.smallest_subnormal
        exponent = min(max(floor_log2(abs(x)), self.emin), self.emax)
        return power_of_two(exponent - self.precision + 1)

    def round(self, x: Fraction) -> Fraction | float:
        """x rounded once to nearest, ties to even: a Fraction, or ``±inf`` at and above the overflow threshold."""
        if abs(x) >= self.overflow_threshold:
            return float("inf") if x > 0 else float("-inf")
        spacing = self.ulp(x)
        return round(x / spacing) * spacing

    def round_down(self, x: Fraction) -> Fraction | float:
        """The largest number of the format (or -inf) that is <= x."""
        if x < -self.largest:
            return float("-inf")
        spacing = self.ulp(x)
        return min((x / spacing).__floor__() * spacing, self.largest)

    def round_up(self, x: Fraction) -> Fraction | float:
        """The smallest number of the format (or inf) that is >= x."""
        return -self.round_down(-x)

    def float_down(self, x: Fraction) -> float:
        """:meth:`round_down` as a float, in integer arithmetic."""
        n, d = x.numerator, x.denominator
        return self.rounded_down(n, d) if n >= 0 else -self.rounded_up(-n, d)

    def float_up(self, x: Fraction) -> float:
        """:meth:`round_up` as a float."""
        return -self.float_down(-x)

    def rounded_down(self, n: int, d: int) -> float:
        """The largest number of the format that is <= n/d, for n >= 0 and d > 0: the fast path of every interval."""
        if n == 0:
            return 0.0
        exponent = exponent_of(n, d)
        if exponent >= self.emax:
            return float(self.round_down(Fraction(n, d)))
        shift = max(exponent, self.emin) - self.precision + 1
        return math.ldexp(n // (d << shift) if shift >= 0 else (n << -shift) // d, shift)

    def rounded_up(self, n: int, d: int) -> float:
        """The smallest number of the format (or inf) that is >= n/d, for n >= 0 and d > 0."""
        if n == 0:
            return 0.0
        exponent = exponent_of(n, d)
        if exponent >= self.emax:
            return float(self.round_up(Fraction(n, d)))
        shift = max(exponent, self.emin) - self.precision + 1
        return math.ldexp(-(-n // (d << shift)) if shift >= 0 else -((-n << -shift) // d), shift)

    def contains(self, x: Fraction) -> bool:
        """Whether x is exactly a number of the format."""
        n, d = abs(x.numerator), x.denominator
        if d & (d - 1):
            return False
        lowest, highest = (n & -n).bit_length() - d.bit_length(), n.bit_length() - d.bit_length()  # the places of its digits
        return not n or (highest - lowest < self.precision and lowest > self.emin - self.precision and highest <= self.emax)

    def unit_for(self, output: Format) -> Format:
        """The format in whose ulp and u errors of results in ``output`` are measured, where this is the inputs' format.

        No result can be better than its inputs, nor than its own format: it has the fewer digits of the two, and the output's range.
        """
        return output if output.precision <= self.precision else Format(f"{self.name}'s digits", self.precision, output.emax)

    def is_wider_than(self, other: Format) -> bool:
        """Whether every number of ``other`` is a number of this format, and not the reverse."""
        return self != other and self.precision >= other.precision and self.emax >= other.emax


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("float16", 11, 15),
        Format("bfloat16", 8, 127),
        Format("float32", 24, 127),
        Format("float64", 53, 1023),
    )
}


_BY_DTYPE = {f.dtype: f for f in FORMATS.values()}


def format_of(array: Array) -> Format:
    """The format of an array's elements.

    Raises:
        KeyError: of none of the four.
    """
    known = _BY_DTYPE.get(array.dtype)  # NumPy makes the name of a dtype anew each time
    return FORMATS[array.dtype.name] if known is None else known


def name_of(array: Array) -> str:
    """The name of an array's dtype: bfloat16 is called so, also where only its bits are known."""
    return "bfloat16" if array.dtype == BFLOAT16 else str(array.dtype.name)
