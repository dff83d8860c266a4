"""What results are compared with: intervals of a whole quantity, from the error model and exact values.

The derivation, step by step, is in docs/numerics.md. Sources: Higham, *Accuracy and Stability of Numerical Algorithms*,
chapters 2 to 4; Jeannerod and Rump, "Improved error bounds for inner products in floating-point arithmetic" (2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.error_model import Evaluation, RoundingStep
from conformance.numerics.bounds.fast_path import gradient_intervals, value_intervals
from conformance.numerics.bounds.interval import Floats, Interval, table_of
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.bounds.weight import weight_intervals
from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.exact.decode import Integers
from conformance.numerics.exact.number import Number
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format


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
        intervals = own.negated() if isinstance(own, RelativeIntervals) else [interval.negated() for interval in own]
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
        return self.intervals.exceptions if isinstance(self.intervals, RelativeIntervals) else dict(enumerate(self.intervals))

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
        if isinstance(own, RelativeIntervals):
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
        table = (
            own.measures(fmt, unit) if isinstance(own, RelativeIntervals) else table_of([interval.measure(fmt, unit) for interval in own])
        )
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


def expectation_of(
    oracle: Exact, model: Sequence[RoundingStep], quantity: Quantity, output: Format | None = None, *, flushes: bool = False
) -> Expectation:
    """What results of ``quantity`` in the format ``output`` (default: the inputs' own) are compared with.

    ``flushes``: the target is declared to flush subnormal inputs and results to zero.

    Raises:
        ValueError: there is no bound for the quantity.
    """
    fmt = output or oracle.inputs.format
    array = oracle.of(quantity)
    evaluation = Evaluation(oracle, model, fmt, flushes)
    intervals: Sequence[Interval]
    if quantity is Quantity.VALUE:
        intervals = value_intervals(evaluation)
    elif quantity is Quantity.GRADIENT_WEIGHT:
        intervals = weight_intervals(evaluation)
    else:
        intervals = gradient_intervals(evaluation, quantity)
    unsigned = quantity is Quantity.VALUE and oracle.element_weight is None and oracle.definition.factor > 0
    return Expectation(quantity, array.shape, fmt, intervals, array.index, unsigned, oracle.inputs.format.unit_for(fmt))
