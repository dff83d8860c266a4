"""One literal is one exact number, or a sentence that says why it is not."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.exact.number import Number
from conformance.numerics.formats import FORMATS
from conformance.specs.literals import LiteralError, RawFloat, equal, parse, require_held, same, spell

finite_floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != 0)
rationals = st.builds(
    lambda mantissa, exponent, divisor: Fraction(mantissa) * Fraction(2) ** exponent / divisor,
    st.integers(-(10**40), 10**40),
    st.integers(-2200, 2200),
    st.integers(1, 10**6),
)


@given(finite_floats)
def test_a_hexadecimal_float_is_the_number_that_python_says(x: float) -> None:
    assert parse(x.hex(), fractions=False) == Fraction(x)


@given(st.integers(-(2**200), 2**200))
def test_an_integer_is_itself(n: int) -> None:
    assert parse(n, fractions=False) == n
    assert parse(str(n) if n else "0", fractions=False) == n


@given(st.integers(-(10**12), 10**12), st.integers(0, 12))
def test_a_dyadic_decimal_is_the_fraction_it_spells(mantissa: int, places: int) -> None:
    text = f"{'-' if mantissa < 0 else ''}{abs(mantissa) // 10**places}.{abs(mantissa) % 10**places:0{max(places, 1)}d}"
    truth = Fraction(text)
    dyadic = truth.denominator & (truth.denominator - 1) == 0
    if dyadic and (truth or not text.startswith("-")):
        assert parse(RawFloat(text), fractions=False) == truth
    elif not dyadic:
        with pytest.raises(LiteralError, match="not exactly a binary number"):
            parse(RawFloat(text), fractions=True)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_a_fraction_is_the_quotient(n: int, d: int) -> None:
    assert parse(f"{n}/{d}", fractions=True) == Fraction(n, d)


@given(rationals)
def test_what_spell_writes_parse_reads(x: Fraction) -> None:
    assert same(parse(spell(x).strip('"'), fractions=True), x)


@pytest.mark.parametrize(("text", "number"), [("inf", math.inf), ("-inf", -math.inf), ("nan", math.nan), ("-0", -0.0)])
def test_special_values(text: str, number: float) -> None:
    assert same(parse(text, fractions=False), number)
    assert same(parse(RawFloat(text), fractions=False), number)
    assert spell(number).strip('"') == text
    require_held(number, "bfloat16")


@pytest.mark.parametrize("text", ["-0.0", "-0x0p+0", "-0e5"])
def test_negative_zero_in_other_words(text: str) -> None:
    assert same(parse(text, fractions=False), -0.0)


def test_underscores_of_toml_floats_separate_digits() -> None:
    assert parse(RawFloat("1_000.5"), fractions=False) == Fraction(2001, 2)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("11/3", '"11/3"'),
        ("0x1.8", '"0x1.8"'),
        ("1.", '"1."'),
        ("1 ", '"1 "'),
        ("", '""'),
        ("infinity", '"infinity"'),
        ("NaN", '"NaN"'),
        ("\N{ARABIC-INDIC DIGIT THREE}", '"\N{ARABIC-INDIC DIGIT THREE}"'),
        (True, "true"),
        (None, "None"),
        ([], "[]"),
        (RawFloat("0.1"), "0.1, which is not exactly a binary number"),
        (RawFloat("1e-400"), "1e-400, which is not exactly a binary number"),
    ],
)
def test_what_is_no_input_literal(raw: object, found: str) -> None:
    with pytest.raises(LiteralError) as error:
        parse(raw, fractions=False)
    assert error.value.found == found


@pytest.mark.parametrize("text", ["1/0", "inf/2", "nan/3", "1/-3", "1/2/3", "/3", "1/0.5", "1/3.0"])
def test_what_is_no_fraction(text: str) -> None:
    with pytest.raises(LiteralError):
        parse(text, fractions=True)


def test_an_inexact_decimal_is_told_how_to_be_exact() -> None:
    with pytest.raises(LiteralError, match=r'instance "0x1\.999999999999ap-4" \(or, for an expected value, the fraction "1/10"\)'):
        parse(RawFloat("0.1"), fractions=True)


@pytest.mark.parametrize(
    ("literal", "dtype", "message"),
    [
        (RawFloat("1e400"), "float64", "beyond the range of float64"),
        (65505, "float16", "which float16 cannot hold, expected a number of float16 (the nearest is 65504)"),
        (65520, "float16", "65520, which is beyond the range of float16, expected at most 65504"),
        (257, "bfloat16", "the nearest is 256"),
        (16777217, "float32", "the nearest is 16777216"),
        ("0x1p-1075", "float64", "cannot hold"),
        ("0x1p-134", "bfloat16", "cannot hold"),
    ],
)
def test_a_number_that_the_dtype_cannot_hold(literal: object, dtype: str, message: str) -> None:
    with pytest.raises(LiteralError) as error:
        require_held(parse(literal, fractions=False), dtype)
    assert message in str(error.value)


@given(finite_floats, st.sampled_from(sorted(FORMATS)))
def test_what_a_dtype_holds(x: float, dtype: str) -> None:
    rounded = FORMATS[dtype].round(Fraction(x))
    if rounded == x:
        require_held(Fraction(x), dtype)
    else:
        with pytest.raises(LiteralError):
            require_held(Fraction(x), dtype)


@pytest.mark.parametrize(
    "raw",
    [
        "0x1p+20001",
        "0x1p-999999999",
        "0x1p+9999999999999999",
        "1e20001",
        RawFloat("1e-999999999"),
        "9" * 2001,
        "0x" + "f" * 2001 + "p0",
        "1/" + "9" * 2001,
        pytest.param(1 << 20_001, id="a long integer"),
        "0x1p+20001/3",
    ],
)
def test_expensive_literals_are_refused_before_the_arithmetic(raw: object) -> None:
    before = time.perf_counter()
    with pytest.raises(LiteralError):
        parse(raw, fractions=True)
    assert time.perf_counter() - before < 0.1


@pytest.mark.parametrize(
    ("a", "b", "is_same", "is_equal"),
    [
        (math.nan, math.nan, True, True),
        (-0.0, Fraction(0), False, True),
        (math.inf, math.inf, True, True),
        (math.inf, -math.inf, False, False),
        (math.nan, Fraction(1), False, False),
        (Fraction(1, 3), Fraction(1, 3), True, True),
        (math.inf, Fraction(10) ** 400, False, False),
    ],
)
def test_sameness_and_equality(a: Number, b: Number, is_same: bool, is_equal: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert same(a, b) is is_same
    assert equal(a, b) is is_equal
