"""Arithmetic of exact numbers: rationals, and nan and the infinities, which follow IEEE 754-2019 sections 6.1 and 6.2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from conformance.numerics.formats import power_of_two

Number = Fraction | float
"""An exact rational, or one of the floats nan, inf, -inf."""


def multiply(*factors: Number) -> Number:
    """The product, by IEEE 754 where a factor is not finite (0·inf is nan; signs multiply)."""
    if all(isinstance(x, Fraction) for x in factors):
        return math.prod(factors, start=Fraction(1))
    product = 1.0
    for x in factors:
        product *= x if isinstance(x, float) else float((x > 0) - (x < 0))
    return product


def add(terms: Sequence[Number]) -> Number:
    """The sum, by IEEE 754 where a term is not finite (inf − inf is nan)."""
    special = [x for x in terms if isinstance(x, float)]
    return sum(special) if special else sum((x for x in terms if isinstance(x, Fraction)), start=Fraction(0))


def divide(numerator: Number, denominator: Number) -> Number:
    """The quotient, by IEEE 754 where the denominator is zero (0/0 is nan) or an operand is not finite."""
    if isinstance(numerator, Fraction) and isinstance(denominator, Fraction):
        if denominator:
            return numerator / denominator
        if not numerator:
            return math.nan
        return math.inf if numerator > 0 else -math.inf  # not copysign: it would make a float of the number, which may be too large
    if isinstance(denominator, float):
        return math.nan if math.isnan(denominator) or isinstance(numerator, float) else Fraction(0)
    return multiply(numerator, Fraction(-1 if denominator < 0 else 1))


ROOT_BITS = 300
"""Significant bits of a root that is not rational: far beyond those of every format."""


def square_root(x: Number) -> Number:
    """The root where it is rational, else the rational just below it, of ``ROOT_BITS`` significant bits; nan of a negative number."""
    if isinstance(x, float):
        return math.nan if x < 0 else x
    if x < 0:
        return math.nan
    numerator, denominator = math.isqrt(x.numerator), math.isqrt(x.denominator)
    if numerator * numerator == x.numerator and denominator * denominator == x.denominator:
        return Fraction(numerator, denominator)
    shift = max(0, 2 * ROOT_BITS - x.numerator.bit_length() + x.denominator.bit_length())
    shift += shift % 2
    return math.isqrt((x.numerator << shift) // x.denominator) * power_of_two(-shift // 2)


def finite(x: Number) -> Fraction:
    """A number that is known to be finite."""
    assert isinstance(x, Fraction), "special values are dealt with before bounds are"
    return x


def lowest_bit(x: Fraction) -> Fraction:
    """The largest power of two of which a dyadic x is a multiple; for zero, a multiple of them all, one that no sum reaches."""
    return Fraction(x.numerator & -x.numerator, x.denominator) if x else power_of_two(20_000)


def is_power_of_two(x: Number) -> bool:
    """Whether multiplying or dividing by x is exact, save for underflow."""
    if not isinstance(x, Fraction) or x <= 0:
        return False
    return x.numerator & (x.numerator - 1) == 0 and x.denominator & (x.denominator - 1) == 0
