"""What is allowed for a number, and for a whole array of numbers: immutable, comparing without printing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

import numpy as np
import numpy.typing as npt

from conformance.numerics.exact.number import Number
from conformance.numerics.formats import Format, exponent_of

Floats = npt.NDArray[np.float64]
Measure = tuple[float, float, int, float, float]
"""Center, rest, log2 ulp, bound in ulp, u per ulp: what errors are measured with."""
Measures = npt.NDArray[np.float64]
"""The same of many numbers: five rows."""


@dataclass(frozen=True)
class Interval:
    """What is allowed for one number.

    ``lower ≤ x ≤ upper`` conforms. Outside it these conform under the names in ``allowances``: an infinity of the sign
    ``infinity``, and a number within ``wide`` of the exact value. ``nan``: nan and nothing else conforms.
    ``relative``: the bound comes from roundings, not from what may underflow; only then is an error in u or ulp a measure of accuracy.
    ``undefined``: anything conforms (a division by a sum of weights that rounding alone can bring to zero).
    """

    exact: Number
    bound: Fraction
    lower: Number
    upper: Number
    nan: bool = False
    infinity: int = 0
    wide: Fraction = Fraction(0)
    allowances: tuple[str, ...] = ()
    undefined: bool = False
    relative: bool = True

    def __post_init__(self) -> None:
        assert self.nan or self.lower <= self.exact <= self.upper, f"{self.exact} lies outside its own interval"
        assert self.bound >= 0

    @classmethod
    def special(cls, value: Number) -> Interval:
        """Only ``value`` itself: nan, an infinity, or a number that every conforming evaluation hits."""
        return cls(value, Fraction(0), value, value, nan=isinstance(value, float) and math.isnan(value))

    @classmethod
    def anything(cls, value: Number, *allowances: str) -> Interval:
        """No result is refused: rounding alone decides what comes out, and ``allowances`` say why."""
        return cls(
            value,
            Fraction(0),
            -math.inf,
            math.inf,
            nan=isinstance(value, float) and math.isnan(value),
            allowances=tuple(dict.fromkeys(allowances)),
            undefined=True,
            relative=False,
        )

    @classmethod
    def around(
        cls,
        value: Fraction,
        bound: Fraction,
        output: Format,
        *,
        infinity: int = 0,
        wide: Fraction = Fraction(0),
        allowances: Sequence[str] = (),
        relative: bool = True,
    ) -> Interval:
        """``value`` ± ``bound``; infinite where the result may round to infinity, infinity alone where it must."""
        lower: Number = value - bound
        upper: Number = value + bound
        if (upper if value > 0 else -lower) > output.largest:
            if abs(value) - bound > output.largest:  # no finite number of the format lies inside the bound
                return cls.special(math.inf if value > 0 else -math.inf)
            if upper >= output.overflow_threshold:
                upper = math.inf
            if lower <= -output.overflow_threshold:
                lower = -math.inf
        return cls(value, bound, lower, upper, infinity=infinity, wide=wide, allowances=tuple(dict.fromkeys(allowances)), relative=relative)

    def negated(self) -> Interval:
        """What is allowed for the number of the other sign: rounding to nearest is symmetric."""
        return replace(self, exact=-self.exact, lower=-self.upper, upper=-self.lower, infinity=-self.infinity)

    def contains(self, x: Number) -> bool:
        """Whether the result x conforms, by any of the rules."""
        if self.undefined:
            return True
        if isinstance(x, float) and math.isnan(x):
            return self.nan
        if self.nan:
            return False
        if self.lower <= x <= self.upper:
            return True
        if isinstance(x, float):
            return self.infinity != 0 and (x > 0) == (self.infinity > 0)
        return isinstance(self.exact, Fraction) and abs(x - self.exact) <= self.wide

    def end(self, output: Format, *, up: bool) -> float:
        """The least (``up``) or the largest number of the output format that is allowed; nan where nan is required."""
        if self.nan:
            return math.nan
        number = self.lower if up else self.upper
        if not isinstance(number, Fraction):
            return number
        return output.float_up(number) if up else output.float_down(number)

    def measure(self, output: Format, unit: Format) -> Measure:
        """What an error is measured with: of results in ``output``, in ulp and u of ``unit``, which has no more digits."""
        x = self.exact
        if not isinstance(x, Fraction):
            return x, 0.0, 0, 0.0, 1.0
        center, rest, exponent, bound, u = measured(x.numerator, x.denominator, self.bound.numerator, self.bound.denominator, output, unit)
        return center, rest, exponent, math.inf if self.undefined else bound, u


def table_of(rows: Sequence[Measure]) -> Measures:
    """What errors are measured with, one number a column."""
    return np.fromiter(chain.from_iterable(rows), np.float64, 5 * len(rows)).reshape(-1, 5).T


def measured(n: int, d: int, bound_n: int, bound_d: int, output: Format, unit: Format) -> Measure:
    """What an error of the number n/d with the bound bound_n/bound_d is measured with, as :meth:`Interval.measure` has it."""
    x, precision = abs(n), unit.precision
    finer = output.precision - precision  # log2 of how many of the output's numbers lie in one ulp
    exponent = exponent_of(x, d) if x else unit.emin - 1
    infinite = exponent >= output.emax and Fraction(x, d) >= output.overflow_threshold
    shift = min(max(exponent, unit.emin), unit.emax) - precision + 1
    ulp, bound_ulp = (d << shift, bound_d << shift) if shift >= 0 else (d, bound_d)
    x, bound_n = (x, bound_n) if shift >= 0 else (x << -shift, bound_n << -shift)
    # From here on x/ulp is the number in units of its last place.
    whole, left = divmod(x << finer, ulp)
    if 2 * left > ulp or (2 * left == ulp and whole & 1):
        whole, left = whole + 1, left - ulp
    if n < 0:
        whole, left = -whole, -left
    infinity = math.inf if n > 0 else -math.inf
    center = infinity if infinite else math.ldexp(whole, shift - finer)
    in_u = _ratio(ulp << precision, x) if exponent >= unit.emin else 2.0
    return center, left / (ulp << finer), shift, _ratio(bound_n, bound_ulp), in_u


def _ratio(a: int, b: int) -> float:
    try:
        return a / b
    except OverflowError:
        return math.inf
