"""One literal of a spec file: one exact number, or a sentence saying why it is not one.

Finite numbers are ``Fraction``; only NaN, the infinities and -0, which a Fraction cannot be, are floats.
Everything that could make the arithmetic expensive is refused before it is done.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

import numpy as np

from conformance.numerics.exact.number import Number
from conformance.numerics.formats import FORMATS, power_of_two

MAX_EXPONENT = 20_000
"""Largest magnitude of an exponent, and number of bits of an integer: float64 needs 1074."""
MAX_TEXT = 2_000
"""Longest literal, in characters."""

_SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan, "-0": -0.0}
_HEX = re.compile(r"(?P<sign>[+-]?)0x(?P<whole>[0-9a-fA-F]+)(?:\.(?P<rest>[0-9a-fA-F]+))?p(?P<exponent>[+-]?[0-9]{1,9})", re.ASCII)
_DECIMAL = re.compile(r"(?P<sign>[+-]?)[0-9]+(?:\.[0-9]+)?(?:[eE](?P<exponent>[+-]?[0-9]{1,9}))?", re.ASCII)
_RATIO = re.compile(r"([^/]+)/([0-9]+)", re.ASCII)

_FORMS = 'an integer, a hexadecimal float such as "0x1.8p+0", an exact decimal such as 0.5, {}"inf", "-inf", "nan" or "-0"'
INPUT_FORMS = _FORMS.format("")
EXPECTED_FORMS = _FORMS.format('a fraction such as "11/3", ')


class LiteralError(ValueError):
    """Something in a spec file that is not as it should be.

    ``found`` says what it is, ``expected`` what it should have been, and ``where`` at which place inside the key it stands (such as
    ``[2][0]`` or ``.repeat[1]``, or empty for the whole).
    """

    def __init__(self, found: str, expected: str, where: str = "") -> None:
        super().__init__(f"{where}{': ' if where else ''}found {found}, expected {expected}")
        self.found = found
        self.expected = expected
        self.where = where


class RawFloat(str):
    """The text of a TOML float, as written: no float ever rounds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def show(raw: object, limit: int = 60) -> str:
    """A raw TOML value as a person would write it, cut short."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int) and raw.bit_length() > 200:
        return f"an integer of {raw.bit_length()} bits"
    try:
        text = str(raw) if isinstance(raw, RawFloat | int) else f'"{raw}"' if isinstance(raw, str) else repr(raw)
    except ValueError:  # somewhere inside, an integer that Python does not print
        text = f"a {type(raw).__name__} with an integer of thousands of digits"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@lru_cache(maxsize=4096)
def _parse_text(text: str, *, fractions: bool) -> Number:
    if (special := _SPECIAL.get(text)) is not None:
        return special
    expected = EXPECTED_FORMS if fractions else INPUT_FORMS
    if len(text) > MAX_TEXT:
        raise LiteralError(f"a literal of {len(text)} characters", f"at most {MAX_TEXT} characters")
    if fractions and (ratio := _RATIO.fullmatch(text)):
        numerator, denominator = _finite(ratio[1], text, expected), int(ratio[2])
        if denominator == 0 or isinstance(numerator, float):
            raise LiteralError(show(text), "a fraction with a finite numerator and a positive denominator")
        return numerator / denominator
    return _finite(text, text, expected)


def _finite(part: str, text: str, expected: str) -> Number:
    match = _HEX.fullmatch(part) or _DECIMAL.fullmatch(part)
    if match is None:
        raise LiteralError(show(text), expected)
    sign, exponent = match["sign"], int(match["exponent"] or "0")
    if abs(exponent) > MAX_EXPONENT:
        raise LiteralError(f"{show(text)} with exponent {exponent}", f"an exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    if match.re is _HEX:
        rest = match["rest"] or ""
        magnitude = int(match["whole"] + rest, 16) * power_of_two(exponent - 4 * len(rest))
    else:
        magnitude = abs(Fraction(part))
        if not _is_dyadic(magnitude):
            nearest = float(magnitude) if magnitude < FORMATS["float64"].largest else 0.0
            also = f' (or, for an expected value, the fraction "{sign}{magnitude}")' if len(str(magnitude)) <= 30 else ""
            raise LiteralError(
                f"{part}, which is not exactly a binary number",
                f'a number that is written exactly, for instance "{sign}{nearest.hex()}"{also}',
            )
    if magnitude == 0 and sign == "-":
        return -0.0
    return -magnitude if sign == "-" else magnitude


def _is_dyadic(x: Fraction) -> bool:
    return x.denominator & (x.denominator - 1) == 0


def parse(raw: object, *, fractions: bool) -> Number:
    """The one number that a literal denotes. ``fractions`` admits ``"11/3"``: for expected values, not for inputs.

    Raises:
        LiteralError: it denotes no number, or none exactly, or is too large to be worth the arithmetic.
    """
    if isinstance(raw, int) and not isinstance(raw, bool):
        if raw.bit_length() > MAX_EXPONENT:
            raise LiteralError(show(raw), f"at most {MAX_EXPONENT} bits")
        return Fraction(raw)
    if isinstance(raw, RawFloat):
        return _parse_text(raw.replace("_", ""), fractions=fractions)
    if isinstance(raw, str):
        return _parse_text(raw, fractions=fractions)
    raise LiteralError(show(raw), EXPECTED_FORMS if fractions else INPUT_FORMS)


@lru_cache(maxsize=8192)
def _contains(x: Fraction, dtype: str) -> bool:
    return FORMATS[dtype].contains(x)


def require_held(number: Number, dtype: str) -> None:
    """Check that ``number`` is a number of ``dtype``: a format, of which NaN, the infinities and -0 are too, an integer type or bool.

    Raises:
        LiteralError: it is not; the message names the nearest number of the format that is, or the range of the integers.
    """
    if dtype not in FORMATS:
        low, high = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        if isinstance(number, float) or number.denominator != 1 or not low <= number <= high:
            raise LiteralError(f"{spell(number)}, which {dtype} cannot hold", f"an integer from {low} to {high}")
        return
    if isinstance(number, float) or _contains(number, dtype):
        return
    nearest = FORMATS[dtype].round(number)
    if isinstance(nearest, float):
        raise LiteralError(f"{spell(number)}, which is beyond the range of {dtype}", f"at most {spell(FORMATS[dtype].largest)}")
    raise LiteralError(f"{spell(number)}, which {dtype} cannot hold", f"a number of {dtype} (the nearest is {spell(nearest)})")


def spell(number: Number) -> str:
    """``number`` as a literal that a spec file may hold and :func:`parse` reads back as the same number."""
    if isinstance(number, float):
        text = next(text for text, special in _SPECIAL.items() if same(special, number))
        return f'"{text}"'
    sign, x = ("-" if number < 0 else ""), abs(number)
    if x.denominator == 1 and x < 1 << 64:
        return f"{sign}{x.numerator}"
    if _is_dyadic(x):
        if x.denominator <= 1024 and x < 10**6:
            return f"{sign}{float(x)!r}"
        text = sign + _spell_hex(x)
    elif max(x.numerator, x.denominator) < 1 << 64:
        text = f"{sign}{x}"
    else:
        twos = x.denominator & -x.denominator
        text = f"{sign}{_spell_hex(Fraction(x.numerator, twos))}/{x.denominator // twos}"
    return f'"{text}"'


def _spell_hex(x: Fraction) -> str:
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    significand = x / power_of_two(exponent)
    if significand < 1:
        exponent, significand = exponent - 1, significand * 2
    digits = -(-(significand.denominator.bit_length() - 1) // 4)
    if digits == 0:
        return f"0x1p{exponent:+d}"
    fraction = int((significand - 1) * 16**digits)
    return f"0x1.{fraction:0{digits}x}p{exponent:+d}"


def same(a: Number, b: Number) -> bool:
    """Whether two numbers are the same: NaN is, and -0 is not 0."""
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is type(b) and a == b


def equal(a: Number, b: Number) -> bool:
    """Whether two numbers are equal as numbers: NaN equals NaN, and -0 equals 0."""
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return a == b
