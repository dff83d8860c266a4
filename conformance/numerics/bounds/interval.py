"""What is allowed for a number, and for a whole array of numbers: immutable, comparing without printing."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.exact.decode import Integers
from conformance.numerics.exact.number import Number
from conformance.numerics.formats import Format, exponent_of

Floats = npt.NDArray[np.float64]
Endpoints = tuple[Floats, Floats]
"""Lower and upper endpoints."""
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


class Intervals(Sequence[Interval]):
    """Intervals that can be worked out together: those of all elements but ``exceptions`` are bounds from roundings alone."""

    exceptions: Mapping[int, Interval]

    @abstractmethod
    def negated(self) -> Sequence[Interval]:
        """What is allowed for the numbers of the other sign."""

    @abstractmethod
    def endpoints(self, output: Format) -> Endpoints:
        """What :meth:`Interval.end` says of each."""

    @abstractmethod
    def measures(self, output: Format, unit: Format) -> Measures:
        """What :meth:`Interval.measure` says of each."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """Everything a result array of one quantity is compared with; the array properties are flat float64, C order.

    ``positive_zero``: a zero must be +0 (the square of anything is not negative). ``unit``: the format in whose ulp and u errors are
    measured (:meth:`Format.unit_for`); without one the output's.
    """

    quantity: Quantity
    shape: Shape
    output: Format
    intervals: Sequence[Interval]
    index: Integers
    positive_zero: bool
    unit: Format | None = None

    def contains(self, flat: int, x: Number) -> bool:
        """Whether the number x is an allowed result for the element at a flat index."""
        return self.intervals[int(self.index[flat])].contains(x)

    def at(self, flat: int) -> Interval:
        """The interval of the element at a flat index."""
        return self.intervals[int(self.index[flat])]

    def negated(self, quantity: Quantity) -> Expectation:
        """What is allowed for the negated array, as ``quantity``. What has been worked out already is kept."""
        own = self.intervals
        intervals = own.negated() if isinstance(own, Intervals) else [interval.negated() for interval in own]
        other = replace(self, quantity=quantity, intervals=intervals, positive_zero=False)
        center, rest, exponent, bound, u = self._measures
        lower, upper = self._endpoints
        other.__dict__.update(_endpoints=(-upper, -lower), _measures=(-center, -rest, exponent, bound, u), plain=self.plain)
        return other

    def part(self, piece: slice) -> Expectation:
        """What some elements that follow each other are compared with, on one axis. What has been worked out already is kept."""
        index = self.index[piece]
        other = replace(self, shape=index.shape, index=index)
        for name in ("_ends", "_measures"):
            if name in self.__dict__:
                other.__dict__[name] = tuple(row[piece] for row in self.__dict__[name])
        return other

    @property
    def measured_in(self) -> Format:
        """The format in whose ulp and u errors are measured."""
        return self.unit or self.output

    @property
    def _unlike(self) -> Mapping[int, Interval]:
        """The distinct intervals that may be other than a bound from roundings."""
        return self.intervals.exceptions if isinstance(self.intervals, Intervals) else dict(enumerate(self.intervals))

    @cached_property
    def allowances(self) -> frozenset[str]:
        """Names under which a result outside the interval is allowed for some element."""
        return frozenset(name for interval in self._unlike.values() for name in interval.allowances)

    def _spread(self, of: Callable[[Interval], float], otherwise: float) -> Floats:
        """A number of every interval; ``otherwise`` that of a bound from roundings alone."""
        numbers = np.full(len(self.intervals), otherwise)
        for position, interval in self._unlike.items():
            numbers[position] = of(interval)
        return numbers[self.index]

    @cached_property
    def _endpoints(self) -> tuple[Floats, Floats]:
        """Lower and upper ends of every element; nan where nan is required, which compares false with everything."""
        own, fmt = self.intervals, self.output
        if isinstance(own, Intervals):
            lower, upper = own.endpoints(fmt)
        else:
            lower, upper = (np.array([interval.end(fmt, up=up) for interval in own], np.float64) for up in (True, False))
        return lower[self.index], upper[self.index]

    @property
    def lower(self) -> Floats:
        """Smallest allowed number of the output format; nan where nan is required, which compares false with everything."""
        return self._endpoints[0]

    @property
    def upper(self) -> Floats:
        """Largest allowed number of the output format."""
        return self._endpoints[1]

    @cached_property
    def wide_lower(self) -> Floats:
        """Smallest number allowed under a name; nan where there is none."""
        return self._spread(
            lambda i: self.output.float_up(i.exact - i.wide) if isinstance(i.exact, Fraction) and i.wide else math.nan, math.nan
        )

    @cached_property
    def wide_upper(self) -> Floats:
        """Largest number allowed under a name; nan where there is none."""
        return self._spread(
            lambda i: self.output.float_down(i.exact + i.wide) if isinstance(i.exact, Fraction) and i.wide else math.nan, math.nan
        )

    @cached_property
    def infinity(self) -> Floats:
        """inf or -inf where that is allowed under a name, nan elsewhere."""
        return self._spread(lambda i: math.copysign(math.inf, i.infinity) if i.infinity else math.nan, math.nan)

    @cached_property
    def nan(self) -> npt.NDArray[np.bool_]:
        """Where nan is required."""
        return self._spread(lambda i: i.nan, 0) > 0

    @cached_property
    def undefined(self) -> npt.NDArray[np.bool_]:
        """Where anything conforms."""
        return self._spread(lambda i: i.undefined, 0) > 0

    @cached_property
    def relative(self) -> npt.NDArray[np.bool_]:
        """Where an error in u or ulp measures accuracy: the bound comes from roundings."""
        return self._spread(lambda i: i.relative, 1) > 0

    @cached_property
    def plain(self) -> bool:
        """Whether every number is finite, and so are the ends of its interval, which comes from roundings."""
        if not all(bool(np.isfinite(end).all()) for end in self._endpoints):  # nor are they where anything goes or nan is required
            return False
        return all(interval.relative for interval in self._unlike.values())

    @cached_property
    def _measures(self) -> tuple[Floats, Floats, Integers, Floats, Floats]:
        """One pass over the intervals: center, rest, log2 ulp, bound in ulp, u per ulp."""
        own, fmt, unit = self.intervals, self.output, self.measured_in
        table = own.measures(fmt, unit) if isinstance(own, Intervals) else table_of([interval.measure(fmt, unit) for interval in own])
        center, rest, exponent, bound, u = table[:, self.index]
        return center, rest, exponent.astype(np.int64), bound, u

    @property
    def center(self) -> Floats:
        """The exact value rounded once to the output format."""
        return self._measures[0]

    @property
    def rest(self) -> Floats:
        """Exact value minus ``center`` in ulp of the exact value; with it an error is measured in floats without losing digits."""
        return self._measures[1]

    @property
    def ulp_exponent(self) -> Integers:
        """log2 of the ulp at the exact value."""
        return self._measures[2]

    @property
    def bound_ulp(self) -> Floats:
        """The bound in ulp of the exact value."""
        return self._measures[3]

    @property
    def u_per_ulp(self) -> Floats:
        """One ulp in units of u·max(|exact value|, ν): between 1 and 2, and 2 below the normal range and at zero.

        An error in u is relative to the exact value; below the smallest normal number ν, where a format has no relative
        precision to offer, it is relative to ν, so that λ/2, one rounding there, is 1.
        """
        return self._measures[4]


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
