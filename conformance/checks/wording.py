"""Numbers in words: hexadecimal, exact fractions, and intervals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.exact.number import Number
from conformance.numerics.formats import Array


def hexadecimals(array: Array, most: int) -> tuple[str, ...]:
    """The elements of an array in C order; of more than ``most`` those at both ends."""
    flat = array.ravel()
    if flat.size <= most:
        return tuple(hexadecimal(x) for x in flat)
    ends = min(8, most // 2)
    return (*(hexadecimal(x) for x in flat[:ends]), "…", *(hexadecimal(x) for x in flat[flat.size - ends :]))


def hexadecimal(x: Any) -> str:
    """A machine number in C's hexadecimal notation: exact, and readable by every language."""
    return float(x).hex()


def describe(number: Number) -> str:
    """An exact number as a person reads it: a short fraction, or its decimal value to 17 digits."""
    if isinstance(number, float):
        return str(number)
    if number.denominator == 1 and abs(number) < 10**9:
        return str(number.numerator)
    if number.denominator < 10**4 and abs(number.numerator) < 10**6:
        return str(number)
    return approximately(number)


def approximately(number: Fraction, digits: int = 17) -> str:
    """So many significant digits, also beyond the range of a float."""
    if number == 0:
        return "0"
    try:
        direct = float(number)
    except OverflowError:
        direct = 0.0
    if direct and 1e-300 < abs(direct) < 1e300:
        return f"{direct:.{digits}g}"
    exponent = math.floor((number.numerator.bit_length() - number.denominator.bit_length()) * math.log10(2))
    scaled = number / Fraction(10) ** exponent
    return f"{float(scaled):.{min(digits, 16)}g}e{exponent:+d}"


def allowed_in_words(interval: Interval, digits: int = 17) -> str:
    """The allowed results of one number, as one phrase; ``digits`` are those of the interval's ends."""
    if interval.undefined:
        return "anything (the result is undefined here)"
    if interval.nan:
        return "nan"
    if interval.lower == interval.upper:
        return f"exactly {describe(interval.lower)}"
    also = [f"{'inf' if interval.infinity > 0 else '-inf'} ({', '.join(interval.allowances)})"] if interval.infinity else []
    ends = (approximately(x, digits) if isinstance(x, Fraction) else str(x) for x in (interval.lower, interval.upper))
    return " or ".join([" … ".join(ends), *also])


def digits_of(expectation: Expectation) -> int:
    """Decimal digits that tell neighbouring numbers of the output format apart, and two more."""
    return min(17, math.ceil(expectation.output.precision * math.log10(2)) + 3)
