"""What the partial products of a gradient element may lose near the ends of the range: in integers over one denominator.

Every product of some of the factors is a partial product of some order of evaluation. A factor is the difference d, which is each element's
own, or belongs to the scale, which elements of one upstream gradient, weight and divisor share: what needs no d is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from conformance.numerics.formats import Format


@dataclass(frozen=True)
class Losses:
    """What the partial products of one gradient element may lose, and whether one may overflow or vanish on the way.

    ``difference`` sums over the products that contain d, ``scale`` over those that do not: the scale G·w·factor/N, or a part of it.
    ``too_large``: the difference itself overflows.
    """

    difference: Fraction
    scale: Fraction
    too_large: bool
    overflows: bool
    vanishes: bool


@dataclass(frozen=True)
class _Near:
    """Where a product may lie: below the normal range, so low that it may come out as zero, or so high that its double overflows."""

    underflows: bool
    vanishes: bool
    overflows: bool


@dataclass(frozen=True)
class _WithoutD:
    """Of the products that do not contain d: what those that may underflow are still multiplied with, d apart."""

    rests: Sequence[int]
    vanishes: bool
    overflows: bool


@dataclass(frozen=True)
class Scale:
    """The factors of a gradient element other than d, as magnitudes; the doubling may come before any of their products or after it.

    The first ``given`` of them are inputs. Those underflow only where they are flushed, being exact, as a difference is there.
    ``theta`` bounds the relative error of every product; ``ends_wider``: that of all factors is kept in a wider format.
    """

    fmt: Format
    factors: Sequence[Fraction]
    given: int
    theta: Fraction
    flushes: bool
    ends_wider: bool

    @cached_property
    def _products(self) -> list[int]:
        """Of every choice of factors, over one denominator: the bits of a place say which are chosen.

        So the product of those that are not chosen lies as far from the end of the list as this one from its beginning.
        """
        products = [1]
        for factor in self.factors:
            left_out, chosen = factor.denominator, factor.numerator
            products = [*(x * left_out for x in products), *(x * chosen for x in products)]
        return products

    @property
    def _one(self) -> int:
        """That denominator: the product of no factors is 1."""
        return self._products[0]

    @cached_property
    def _ascending(self) -> list[tuple[int, int]]:
        """Every product of at least one factor, by size, and the product of the other ones."""
        return sorted(zip(self._products[1:], self._products[-2::-1], strict=True))

    @cached_property
    def _largest(self) -> int:
        """The largest of them that d meets in the format itself; 0 where there is none."""
        return max(self._products[1:] if self.ends_wider else self._products[1:-1], default=0)

    @property
    def _units(self) -> int:
        """How many units one is: a unit is half the smallest subnormal number, the most that gradual underflow loses."""
        return 1 << (self.fmt.precision - self.fmt.emin)

    @property
    def _normal(self) -> int:
        """The smallest normal number in units: what is lost at most where an underflowing result is flushed."""
        return 1 << self.fmt.precision

    @property
    def _vanishing(self) -> int:
        """In units, where a result may be lost altogether: below twice what it may lose."""
        return 2 * self._normal if self.flushes else 2

    @property
    def _infinite(self) -> int:
        """In units, where numbers begin to round to infinity."""
        return (2 * self._normal - 1) << (self.fmt.emax - self.fmt.emin)

    def _near(self, numerator: int, denominator: int, relative: Fraction) -> _Near:
        """Where a product with that relative error may lie."""
        error, whole = relative.numerator, relative.denominator
        units, unit = numerator * self._units, denominator * whole
        low, high = units * (whole - error), 2 * units * (whole + error)
        return _Near(low < self._normal * unit, low < self._vanishing * unit, high >= self._infinite * unit)

    @property
    def vanishes(self) -> bool:
        """Whether a product without the difference may come out as zero."""
        return self._without_d.vanishes

    @cached_property
    def _without_d(self) -> _WithoutD:
        rests = []
        vanishes = overflows = False
        for chosen in range(1, len(self._products)):
            place = chosen.bit_length() - 1
            alone = chosen == 1 << place
            exact = alone and self.fmt.contains(self.factors[place])
            near = self._near(self._products[chosen], self._one, Fraction(0) if exact else self.theta)
            vanishes, overflows = vanishes or near.vanishes, overflows or near.overflows
            if near.underflows and (self.flushes or not alone or place >= self.given):
                rests.append(self._products[-1 - chosen])
        return _WithoutD(rests, vanishes, overflows)

    def losses(self, d: Fraction, moved: Fraction) -> Losses:
        """Those of the element of the difference ``d``; ``moved``: by how much flushed inputs may change it, relative to it."""
        relative = self.theta + moved if moved else self.theta
        error, whole = relative.numerator, relative.denominator
        size, units, one, everything = abs(d.numerator), self._units, self._one, self._products[-1]
        # d times the product x, with its error, is low·x/unit units at least, and doubled it is high·x/unit at most.
        unit = one * d.denominator * whole
        low, high = size * units * (whole - error), 2 * size * units * (whole + error)
        normal, vanishing, infinite = self._normal * unit, self._vanishing * unit, self._infinite * unit
        others, ascending = self._without_d, self._ascending
        vanishes = others.vanishes or (bool(ascending) and low * ascending[0][0] < vanishing)
        overflows = others.overflows or high * self._largest >= infinite
        rests = []
        too_large = False
        if low * one < max(normal, vanishing) or high * one >= infinite:
            near = self._near(size, d.denominator, moved if self.fmt.contains(d) else relative)
            vanishes |= near.vanishes
            overflows |= near.overflows and (self.ends_wider or bool(self.factors))
            too_large = size * units >= self._infinite * d.denominator
            if near.underflows and self.flushes:
                rests.append(everything)
        if not size or not everything:  # the gradient is exactly zero: nothing is lost
            return Losses(Fraction(0), Fraction(0), too_large, overflows, vanishes)
        for product, rest in ascending:
            if low * product >= normal:
                break
            rests.append(rest)
        difference = self._lost(rests, abs(d), moved) if rests else Fraction(0)
        scale = abs(d) * self._lost(others.rests, Fraction(1), moved) if others.rests else Fraction(0)
        return Losses(difference, scale, too_large, overflows, vanishes)

    def _lost(self, rests: Sequence[int], d: Fraction, moved: Fraction) -> Fraction:
        """What underflows, times what it is still multiplied with: what is flushed is off by no more than itself, with ``d`` in it."""
        lost, over = sum(rests), self._one * self._units
        if not self.flushes:
            return Fraction(2 * lost, over)
        everything = d * self._products[-1] * self._units * (1 + self.theta) * (1 + moved)
        itself, part = everything.numerator, everything.denominator
        flushed = sum(min(rest * (self._normal - 1) * part, itself) for rest in rests)
        return Fraction(2 * (lost * part + flushed), over * part)
