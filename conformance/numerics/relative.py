"""Many intervals at once: each number of a grid with a bound relative to itself, in integers, and the few that need more apart.

Every float that comes out is the one that the interval of the element gives: a correctly rounded quotient of two integers, or one rounded
towards the interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import overload

from conformance.numerics.formats import Format, exponent_of
from conformance.numerics.grid import Grid
from conformance.numerics.interval import Ends, Interval, Intervals, Measure


@dataclass(frozen=True)
class Relative(Intervals):
    """For every number x of ``grid``: x ± θ·|x|, which over- and underflow leave alone.

    θ is ``thetas[which[i]]``, or the only one. ``exceptions``: the intervals of the elements for which that is not all.
    """

    grid: Grid
    thetas: tuple[Fraction, ...]
    which: Sequence[int] | None
    exceptions: Mapping[int, Interval]

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

    def negated(self) -> Relative:
        """The intervals of the negated numbers."""
        return replace(self, grid=-self.grid, exceptions={i: interval.negated() for i, interval in self.exceptions.items()})

    def ends(self, output: Format) -> Ends:
        """The least and the largest number of the output format in each interval."""
        lower, upper = [], []
        unit = self.grid.unit
        scales = [
            (unit.numerator * (theta.denominator - theta.numerator), unit.numerator * (theta.denominator + theta.numerator))
            for theta in self.thetas
        ]
        denominators = [unit.denominator * theta.denominator for theta in self.thetas]
        which = self.which
        for position, n in enumerate(self.grid.whole):
            if position in self.exceptions:
                lower.append(self.exceptions[position].end(output, up=True))
                upper.append(self.exceptions[position].end(output, up=False))
                continue
            kind = 0 if which is None else which[position]
            low, high = scales[kind]
            if n >= 0:
                lower.append(output.rounded_up(n * low, denominators[kind]))
                upper.append(output.rounded_down(n * high, denominators[kind]))
            else:
                lower.append(-output.rounded_down(-n * high, denominators[kind]))
                upper.append(-output.rounded_up(-n * low, denominators[kind]))
        return lower, upper

    def measures(self, output: Format, unit: Format) -> list[Measure]:
        """Of each element: center, rest, log2 ulp, bound in ulp, u per ulp."""
        precision, emin, finer = unit.precision, unit.emin, output.precision - unit.precision
        numerator, denominator = self.grid.unit.numerator, self.grid.unit.denominator
        which = self.which
        parts = [(theta.numerator, theta.denominator) for theta in self.thetas]
        rows: list[Measure] = []
        for position, n in enumerate(self.grid.whole):
            if position in self.exceptions:
                rows.append(self.exceptions[position].measure(output, unit))
                continue
            if not n:
                rows.append((0.0, 0.0, emin - precision + 1, 0.0, 2.0))
                continue
            x, ulp = abs(n) * numerator, denominator
            exponent = exponent_of(x, ulp)
            if exponent >= output.emax:  # it may round to infinity
                rows.append(self[position].measure(output, unit))
                continue
            shift = max(exponent, emin) - precision + 1
            if shift >= 0:
                ulp <<= shift
            else:
                x <<= -shift
            # From here on x/ulp is the number in units of its last place.
            whole, left = divmod(x << finer, ulp)
            if 2 * left > ulp or (2 * left == ulp and whole & 1):
                whole, left = whole + 1, left - ulp
            if n < 0:
                whole, left = -whole, -left
            theta, one = parts[0 if which is None else which[position]]
            in_u = (ulp << precision) / x if exponent >= emin else 2.0
            rows.append((math.ldexp(whole, shift - finer), left / (ulp << finer), shift, theta * x / (one * ulp), in_u))
        return rows
