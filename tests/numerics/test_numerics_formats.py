"""The four formats: their constants, and rounding an exact number to them, against NumPy and ml_dtypes."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from drawing import formats, from_bits, numbers, width
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.formats import FORMATS, Format, floor_log2, power_of_two

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))


@st.composite
def rationals(draw: st.DrawFn, fmt: Format) -> Fraction:
    """Any number near the range of the format, ties and neighbours of ties among them."""
    x = draw(numbers(fmt, draw(st.integers(fmt.emin - fmt.precision, fmt.emax)), 3))
    away = draw(st.sampled_from(["0", "1/2", "-1/2", "1/3", "1/4"]).map(Fraction))
    further = Fraction(draw(st.sampled_from([-1, 0, 1])), draw(st.sampled_from([3, 2**20, 10**30])))
    return x + (away + further) * fmt.ulp(x)


formats_and_rationals = formats.flatmap(lambda fmt: st.tuples(st.just(fmt), rationals(fmt)))


def float64s(fmt: Format) -> st.SearchStrategy[float]:
    """float64 numbers at the places that matter for a cast to a narrower format, and anywhere."""
    widest = FORMATS["float64"].largest
    ends = [float(min(x, widest)) for x in (fmt.overflow_threshold, fmt.largest, fmt.smallest_normal, fmt.smallest_subnormal)]
    near_ends = st.builds(
        lambda end, steps: math.nextafter(end, math.inf * steps) if steps else end, st.sampled_from(ends), st.integers(-1, 1)
    )
    held = numbers(FORMATS["float64"], 0, fmt.emax + fmt.precision).map(float)
    halfway = numbers(fmt, 0, fmt.emax).flatmap(
        lambda x: st.sampled_from([x + fmt.ulp(x) / 2, x - fmt.ulp(x) / 2]).map(lambda y: float(min(y, widest)))
    )
    return (near_ends | held | halfway | st.floats(allow_nan=False)).filter(math.isfinite)


@every_format
def test_the_constants_are_those_of_the_format(fmt: Format) -> None:
    info = ml_dtypes.finfo(fmt.dtype) if fmt.name == "bfloat16" else np.finfo(fmt.dtype)
    assert fmt.dtype.name == fmt.name
    assert fmt.precision == info.nmant + 1
    assert (fmt.emin, fmt.emax) == (info.minexp, info.maxexp - 1)
    assert fmt.largest == Fraction(float(info.max))
    assert fmt.smallest_normal == Fraction(float(info.smallest_normal))
    assert fmt.smallest_subnormal == Fraction(float(info.smallest_subnormal))
    assert 2 * fmt.unit_roundoff == Fraction(float(info.eps))
    assert fmt.rounding == fmt.unit_roundoff / (1 + fmt.unit_roundoff)
    assert fmt.overflow_threshold == fmt.largest + fmt.ulp(fmt.largest) / 2


def test_sums_of_half_formats_are_kept_in_float32() -> None:
    kept = {name: fmt.accumulator.name for name, fmt in FORMATS.items()}
    assert kept == {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}


def test_which_format_is_wider() -> None:
    wider = {(a.name, b.name) for a in FORMATS.values() for b in FORMATS.values() if a.is_wider_than(b)}
    halves, singles = ("float16", "bfloat16"), ("float32", "float64")
    assert wider == {(a, b) for a in singles for b in halves} | {("float64", "float32")}


@given(st.integers(1, 10**40), st.integers(1, 10**40), st.integers(-1200, 1200))
def test_floor_log2(n: int, d: int, exponent: int) -> None:
    x = Fraction(n, d) * Fraction(2) ** exponent
    assert power_of_two(floor_log2(x)) <= x < power_of_two(floor_log2(x) + 1)


@given(st.data())
def test_round_is_the_cast_of_the_library(data: st.DataObject) -> None:
    fmt = data.draw(formats)
    x = data.draw(float64s(fmt))
    with np.errstate(over="ignore", under="ignore"):
        if fmt.name == "bfloat16":  # ml_dtypes casts float64 by way of float32, which may round twice
            x = float(np.float32(min(max(x, -float(FORMATS["float32"].largest)), float(FORMATS["float32"].largest))))
        cast = float(np.float64(x).astype(fmt.dtype))
    assert float(fmt.round(Fraction(x))) == cast


@every_format
def test_round_at_the_overflow_threshold(fmt: Format) -> None:
    below = fmt.overflow_threshold - fmt.smallest_subnormal / 1000
    assert fmt.round(fmt.overflow_threshold) == math.inf
    assert fmt.round(-fmt.overflow_threshold) == -math.inf
    assert fmt.round(below) == fmt.largest
    assert fmt.round(-below) == -fmt.largest


@every_format
def test_ties_go_to_even_also_below_the_normal_range(fmt: Format) -> None:
    small = fmt.smallest_subnormal
    assert [fmt.round(small * Fraction(k, 2)) / small for k in range(8)] == [0, 0, 1, 2, 2, 2, 3, 4]
    u = fmt.unit_roundoff
    assert [(Fraction(fmt.round(1 + k * u)) - 1) / u for k in range(8)] == [0, 0, 2, 4, 4, 4, 6, 8]


@given(formats_and_rationals)
def test_round_takes_the_nearest(drawn: tuple[Format, Fraction]) -> None:
    fmt, x = drawn
    rounded = fmt.round(x)
    if isinstance(rounded, Fraction):
        below, above = fmt.round_down(x), fmt.round_up(x)
        assert fmt.contains(rounded)
        assert rounded in (below, above)
        assert abs(rounded - x) <= min(abs(y - x) for y in (below, above) if isinstance(y, Fraction))
    else:
        assert abs(x) >= fmt.overflow_threshold


@given(formats_and_rationals)
def test_the_relative_error_of_one_rounding(drawn: tuple[Format, Fraction]) -> None:
    fmt, x = drawn
    rounded = fmt.round(x)
    if isinstance(rounded, Fraction):
        assert abs(rounded - x) <= max(fmt.rounding * abs(x), fmt.smallest_subnormal / 2)


@given(formats_and_rationals)
def test_round_down_and_up_bracket_and_are_neighbours(drawn: tuple[Format, Fraction]) -> None:
    fmt, x = drawn
    below, above = fmt.round_down(x), fmt.round_up(x)
    assert below <= x <= above
    if fmt.contains(x):
        assert below == above == x
    else:
        with np.errstate(over="ignore"):
            after = float(np.nextafter(np.asarray(float(below)).astype(fmt.dtype), np.asarray(np.inf).astype(fmt.dtype)))
        assert above == after


@given(formats_and_rationals)
def test_the_fast_directed_rounding_is_the_slow_one(drawn: tuple[Format, Fraction]) -> None:
    fmt, x = drawn
    assert fmt.float_down(x) == fmt.round_down(x)
    assert fmt.float_up(x) == fmt.round_up(x)


@every_format
def test_directed_rounding_beyond_the_ends(fmt: Format) -> None:
    for x in (fmt.largest + fmt.smallest_subnormal, fmt.overflow_threshold, 2 * fmt.largest, Fraction(10) ** 1000):
        assert fmt.float_down(x) == fmt.round_down(x) == fmt.largest
        assert fmt.float_up(x) == fmt.round_up(x) == math.inf
        assert fmt.float_down(-x) == fmt.round_down(-x) == -math.inf
        assert fmt.float_up(-x) == fmt.round_up(-x) == -fmt.largest
    tiny = fmt.smallest_subnormal / 10**400
    assert (fmt.float_down(tiny), fmt.float_up(tiny)) == (0.0, float(fmt.smallest_subnormal))
    assert (fmt.float_down(-tiny), fmt.float_up(-tiny)) == (-float(fmt.smallest_subnormal), 0.0)
    assert fmt.float_down(Fraction(0)) == fmt.float_up(Fraction(0)) == 0


@every_format
def test_ulp_at_zero_among_subnormals_and_at_edges_of_binades(fmt: Format) -> None:
    small, normal = fmt.smallest_subnormal, fmt.smallest_normal
    for x in (Fraction(0), small / 7, small, 3 * small, normal - small, normal, 2 * normal - small):
        assert fmt.ulp(x) == fmt.ulp(-x) == small
    assert fmt.ulp(2 * normal) == 2 * small
    for e in range(fmt.emin + 1, fmt.emax + 1):
        edge = power_of_two(e)
        assert fmt.ulp(edge) == edge * 2 * fmt.unit_roundoff
        assert fmt.ulp(edge - edge / 10**9) == edge * fmt.unit_roundoff
    assert (
        fmt.ulp(fmt.largest) == fmt.ulp(fmt.overflow_threshold) == fmt.ulp(10 * fmt.largest) == power_of_two(fmt.emax - fmt.precision + 1)
    )


@given(formats_and_rationals)
def test_contains(drawn: tuple[Format, Fraction]) -> None:
    fmt, x = drawn
    assert fmt.contains(x) == (fmt.round(x) == x)


@given(st.data())
def test_contains_every_number_of_the_format(data: st.DataObject) -> None:
    fmt = data.draw(formats)
    pattern = data.draw(st.integers(0, 2 ** width(fmt) - 1))
    x = float(from_bits(np.array([pattern], dtype=np.uint64), fmt)[0])
    if math.isfinite(x):
        assert fmt.contains(Fraction(x))
        assert not fmt.contains(Fraction(x) + fmt.smallest_subnormal / 3)
