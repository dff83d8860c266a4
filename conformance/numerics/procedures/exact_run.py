"""What every exact procedure is made of: arrays of rational numbers, and the record of what computing them asks of a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.definition import Quantity
from conformance.numerics.exact.number import is_power_of_two, lowest_bit
from conformance.numerics.formats import Format, power_of_two

Exacts = npt.NDArray[Any]
"""An array of Fractions."""


@dataclass(frozen=True)
class Representability:
    """What one sum asks of a format, in whatever order: every partial sum is a multiple of ``grid``, and none exceeds ``magnitude``.

    The total is then divided by ``divisor``, or multiplied by its rounded reciprocal.
    """

    step: str
    total: Fraction
    magnitude: Fraction
    grid: Fraction
    divisor: Fraction = Fraction(1)

    def first_inexact_step(self, fmt: Format) -> str:
        """What may round, overflow or be flushed in ``fmt``; empty if nothing may."""
        if self.magnitude > self.grid * power_of_two(fmt.precision):
            return f"a partial sum of the {self.step} may round"
        if self.magnitude > fmt.largest:
            return f"a partial sum of the {self.step} may overflow"
        if 0 < min(self.magnitude, self.grid) < fmt.smallest_normal or 0 < abs(self.total / self.divisor) < fmt.smallest_normal:
            return f"a part of the {self.step} may be flushed to zero"
        if is_power_of_two(self.divisor):
            return ""
        quotient, reciprocal = self.total / self.divisor, fmt.round(1 / self.divisor)
        if fmt.round(quotient) != quotient or fmt.round(self.total * Fraction(reciprocal)) != quotient:
            return f"the division of the {self.step} by {self.divisor} may round"
        return ""


@dataclass
class ExactSums:
    """Exact sums, each with what it asks of a format."""

    demands: list[Representability] = field(default_factory=list)

    def sum(self, terms: Exacts, axis: int, step: str) -> Exacts:
        """The terms summed over one axis."""
        total, magnitude = (np.asarray(np.sum(part, axis), dtype=object) for part in (terms, abs(terms)))
        grids: Exacts = np.asarray(np.frompyfunc(lowest_bit, 1, 1)(terms))
        grid = np.min(grids, axis=axis)
        self.demands += [Representability(step, *one) for one in zip(np.ravel(total), np.ravel(magnitude), np.ravel(grid), strict=True)]
        return total

    def product(self, left: Exacts, right: Exacts, step: str, beside: Exacts | None = None) -> Exacts:
        """The product of two matrices, with one more term a column where there is one."""
        terms = left[:, :, None] * right[None, :, :]
        if beside is not None:
            terms = np.concatenate([terms, np.broadcast_to(beside, (len(left), 1, len(beside)))], axis=1)
        return self.sum(terms, 1, step)

    def quotient(self, terms: Exacts, divisor: Fraction, step: str) -> Fraction:
        """All terms summed, and divided."""
        self.sum(terms.ravel(), 0, step)
        summed = self.demands.pop()
        self.demands.append(Representability(step, summed.total, summed.magnitude, summed.grid, divisor))
        return summed.total / divisor


@dataclass(frozen=True, eq=False)
class ExactResult:
    """What a procedure must give back, exactly: for each quantity arrays by name; and what must be representable for nothing to round.

    ``objections`` are reasons for which the run shows less than it should, whatever the format.
    """

    arrays: Mapping[Quantity, Mapping[str, Exacts]]
    demands: Sequence[Representability]
    objections: Sequence[str] = ()

    def first_inexact_step(self, fmt: Format) -> str:
        """The first thing that may round in ``fmt``; empty if nothing may."""
        return next((why for demand in self.demands if (why := demand.first_inexact_step(fmt))), "")
