"""Many intervals at once: each number of a grid with a bound relative to itself, and the few that need more apart.

Every end and every center that comes out is the one that the interval of the element gives, rounded towards the interval or to nearest: in
pairs of floats where they tell, in integers where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import overload

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.interval import Floats, Interval, Measure, Measures, measured, table_of
from conformance.numerics.bounds.last_place import UlpArray, in_last_place
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.formats import Format

_FEW = 12
"""Fewer numbers are told more quickly one by one."""


@dataclass(frozen=True)
class RelativeIntervals(Sequence[Interval]):
    """For every number x of ``grid``: x ± θ·|x|, which over- and underflow leave alone.

    θ is ``thetas[which[i]]``, or the only one. ``exceptions``: the intervals of the elements for which that is not all.
    """

    grid: ScaledIntegers
    thetas: tuple[Fraction, ...]
    which: Sequence[int] | None
    exceptions: Mapping[int, Interval]
    _known: dict[Format, UlpArray | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.grid)

    @overload
    def __getitem__(self, at: int) -> Interval: ...
    @overload
    def __getitem__(self, at: slice) -> list[Interval]: ...
    def __getitem__(self, at: int | slice) -> Interval | list[Interval]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        position = range(len(self))[at]
        if position in self.exceptions:
            return self.exceptions[position]
        x = self.grid[position]
        bound = self._theta(position) * abs(x)
        return Interval(x, bound, x - bound, x + bound)

    def __iter__(self) -> Iterator[Interval]:
        return (self[i] for i in range(len(self)))

    def _theta(self, position: int) -> Fraction:
        return self.thetas[0 if self.which is None else self.which[position]]

    def negated(self) -> RelativeIntervals:
        """The intervals of the negated numbers."""
        return replace(self, grid=-self.grid, exceptions={i: interval.negated() for i, interval in self.exceptions.items()})

    def endpoints(self, output: Format) -> tuple[Floats, Floats]:
        """The least and the largest number of the output format in each interval."""
        known = self._in_last_place(output)
        if known is None:
            endpoints = [self._endpoints_of(position, output) for position in range(len(self))]
            table = np.array(endpoints, np.float64).reshape(-1, 2)
            return table[:, 0], table[:, 1]
        lower, upper, certain = known.around(self._bounds(known))
        for position in self._apart(certain):
            lower[position], upper[position] = self._endpoints_of(position, output)
        return lower, upper

    def measures(self, output: Format, unit: Format) -> Measures:
        """Of each element: center, rest, log2 ulp, bound in ulp, u per ulp."""
        known = self._in_last_place(output) if unit == output else None
        if known is None:
            return table_of([self._measure_of(position, output, unit) for position in range(len(self))])
        center, rest, certain = known.rounded()
        magnitudes = np.where(known.normal, known.magnitudes(), 1.0)
        in_u = np.where(known.normal, 2.0**output.precision / magnitudes, 2.0)
        table = np.stack([center, rest, known.shift.astype(np.float64), self._bounds(known), in_u])
        for position in self._apart(certain):
            table[:, position] = self._measure_of(position, output, unit)
        return table

    def _in_last_place(self, output: Format) -> UlpArray | None:
        """All numbers at once; None where there are too few for that to be quicker, or they are beyond what it can tell."""
        if len(self) < _FEW:
            return None
        if output not in self._known:
            self._known[output] = in_last_place(self.grid, output)
        return self._known[output]

    def _bounds(self, known: UlpArray) -> Floats:
        """θ·|x| in units of the last place."""
        thetas = np.array([float(theta) for theta in self.thetas])
        bounds: Floats = known.magnitudes() * (thetas[0] if self.which is None else thetas[np.asarray(self.which)])
        return bounds

    def _apart(self, certain: npt.NDArray[np.bool_]) -> list[int]:
        """The positions that floats leave open, or that are exceptions."""
        uncertain: list[int] = np.flatnonzero(~certain).tolist()
        return list({*uncertain, *self.exceptions})

    def _endpoints_of(self, position: int, output: Format) -> tuple[float, float]:
        if position in self.exceptions:
            return self.exceptions[position].end(output, up=True), self.exceptions[position].end(output, up=False)
        n, unit, theta = self.grid.whole[position], self.grid.unit, self._theta(position)
        low = abs(n) * unit.numerator * (theta.denominator - theta.numerator)
        high = abs(n) * unit.numerator * (theta.denominator + theta.numerator)
        denominator = unit.denominator * theta.denominator
        lower = output.rounded_up(low, denominator) if low >= 0 else -output.rounded_down(-low, denominator)
        upper = output.rounded_down(high, denominator)
        return (lower, upper) if n >= 0 else (-upper, -lower)

    def _measure_of(self, position: int, output: Format, unit: Format) -> Measure:
        if position in self.exceptions:
            return self.exceptions[position].measure(output, unit)
        n, d, theta = self.grid.whole[position] * self.grid.unit.numerator, self.grid.unit.denominator, self._theta(position)
        return measured(n, d, theta.numerator * abs(n), theta.denominator * d, output, unit)
