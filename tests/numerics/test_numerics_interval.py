"""Intervals of single numbers and of whole arrays: float ends admit what exact ends admit, and measures are exact."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from drawing import examples, formats, numbers, situations, width
from hypothesis import given
from hypothesis import strategies as st

from conformance.inputs.families import FAMILIES, Descriptor, make
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.definition import Quantity
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Format
from conformance.specs.load import load

SPECS = load()
ERROR_MODEL, OPERATIONS = SPECS.error_model, SPECS.operations
ENDS = ("lower", "upper", "wide_lower", "wide_upper", "infinity")
MEASURES = ("center", "rest", "ulp_exponent", "bound_ulp", "u_per_ulp")
GRADIENTS = (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))


@st.composite
def intervals(draw: st.DrawFn, fmt: Format) -> Interval:
    """An interval anywhere in the range: narrow, wide, touching zero or the overflow threshold; now and then a special one."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([Interval.special(x) for x in (math.nan, math.inf, -math.inf, Fraction(0))]))
    x = draw(numbers(fmt, draw(st.integers(fmt.emin - fmt.precision, fmt.emax)), 2))
    x += draw(st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(-1, 3), Fraction(1, 7)])) * fmt.ulp(x)
    bound = draw(st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(1000)])) * fmt.ulp(x)
    made = Interval.around(x, bound, fmt, infinity=draw(st.sampled_from([0, 1, -1])), allowances=["a name"])
    if isinstance(made.exact, Fraction) and draw(st.booleans()):
        made = replace(made, wide=bound + draw(st.sampled_from([1, 20])) * fmt.ulp(x))
    return made


def alone(interval: Interval, fmt: Format, *, positive_zero: bool = False, unit: Format | None = None) -> Expectation:
    return Expectation(Quantity.VALUE, (1,), fmt, (interval,), np.zeros(1, dtype=np.int64), positive_zero, unit)


def after(x: float, fmt: Format, towards: float) -> float:
    """The neighbour of a number in its format."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.nextafter(np.asarray(x).astype(fmt.dtype), np.asarray(towards).astype(fmt.dtype)))


def exactly(x: float) -> Fraction | float:
    return Fraction(x) if math.isfinite(x) else x


drawn = formats.flatmap(lambda fmt: st.tuples(st.just(fmt), intervals(fmt)))


@examples(400)
@given(drawn)
def test_the_ends_are_the_last_admitted_numbers(pair: tuple[Format, Interval]) -> None:
    fmt, interval = pair
    bare = replace(interval, infinity=0, wide=Fraction(0))
    lower, upper = (float(x[0]) for x in (alone(bare, fmt).lower, alone(bare, fmt).upper))
    if interval.nan:
        assert math.isnan(lower)
        assert math.isnan(upper)
        return
    if lower > upper:  # no number of the format lies inside: they are neighbours
        assert after(upper, fmt, math.inf) == lower
    else:
        assert bare.contains(exactly(lower))
        assert bare.contains(exactly(upper))
    assert math.isinf(lower) or not bare.contains(exactly(after(lower, fmt, -math.inf)))
    assert math.isinf(upper) or not bare.contains(exactly(after(upper, fmt, math.inf)))


@examples(200)
@given(drawn)
def test_the_ends_of_what_is_allowed_under_a_name(pair: tuple[Format, Interval]) -> None:
    fmt, interval = pair
    made = alone(interval, fmt)
    lower, upper = float(made.wide_lower[0]), float(made.wide_upper[0])
    if not interval.wide:
        assert math.isnan(lower)
        assert math.isnan(upper)
        return
    assert isinstance(interval.exact, Fraction)
    assert interval.contains(exactly(lower)) or math.isinf(lower)
    assert interval.contains(exactly(upper)) or math.isinf(upper)
    beyond = [exactly(after(lower, fmt, -math.inf)), exactly(after(upper, fmt, math.inf))]
    assert all(abs(x - interval.exact) > interval.wide for x in beyond if isinstance(x, Fraction))


@examples(200)
@given(drawn)
def test_which_infinity_and_whether_nan(pair: tuple[Format, Interval]) -> None:
    fmt, interval = pair
    made = alone(interval, fmt)
    assert bool(made.nan[0]) == interval.contains(math.nan)
    for x in (math.inf, -math.inf):
        inside = not interval.nan and float(made.lower[0]) <= x <= float(made.upper[0])
        assert interval.contains(x) == (inside or float(made.infinity[0]) == x)


@examples(400)
@given(drawn)
def test_measures_are_exact(pair: tuple[Format, Interval]) -> None:
    fmt, interval = pair
    made = alone(interval, fmt)
    center, rest, exponent, bound, u = (x[0] for x in (made.center, made.rest, made.ulp_exponent, made.bound_ulp, made.u_per_ulp))
    if not isinstance(interval.exact, Fraction):
        assert center == interval.exact or (math.isnan(center) and interval.nan)
        return
    x, ulp = interval.exact, fmt.ulp(interval.exact)
    assert Fraction(2) ** int(exponent) == ulp
    assert float(center) == fmt.round(x)
    if math.isfinite(center):
        assert close(rest, (x - Fraction(float(center))) / ulp)
    assert close(bound, interval.bound / ulp)
    assert close(u, ulp / (fmt.unit_roundoff * max(abs(x), fmt.smallest_normal)))
    assert 1 <= u <= 2 or abs(x) >= fmt.overflow_threshold


def close(a: float, b: Fraction) -> bool:
    return abs(Fraction(float(a)) - b) <= abs(b) * Fraction(1, 10**15)


@examples(300)
@given(drawn, formats)
def test_errors_are_measured_in_the_digits_of_the_inputs(pair: tuple[Format, Interval], inputs: Format) -> None:
    fmt, interval = pair
    unit = inputs.unit_for(fmt)
    assert unit.precision == min(inputs.precision, fmt.precision)
    assert unit.emax == fmt.emax
    if not isinstance(interval.exact, Fraction) or math.isinf(fmt.round(interval.exact)):
        return
    made, x, ulp = alone(interval, fmt, unit=unit), interval.exact, unit.ulp(interval.exact)
    assert float(made.center[0]) == fmt.round(x)  # what is correctly rounded does not depend on the unit
    assert Fraction(2) ** int(made.ulp_exponent[0]) == ulp
    assert close(made.rest[0], (x - Fraction(float(made.center[0]))) / ulp)
    assert close(made.bound_ulp[0], interval.bound / ulp)
    assert close(made.u_per_ulp[0], ulp / (unit.unit_roundoff * max(abs(x), fmt.smallest_normal)))


def test_the_unit_is_the_narrower_of_inputs_and_output() -> None:
    half, single, double = FORMATS["float16"], FORMATS["float32"], FORMATS["float64"]
    assert single.unit_for(single) is single
    assert double.unit_for(single) is single
    assert single.unit_for(double).unit_roundoff == single.unit_roundoff
    assert half.unit_for(single).ulp(Fraction(10**6)) == 2 ** (19 - 10)  # beyond the range of float16


@every_format
def test_measures_at_zero_and_below_the_normal_range(fmt: Format) -> None:
    for x in (Fraction(0), fmt.smallest_subnormal, fmt.smallest_subnormal * 3 / 2, fmt.smallest_normal):
        made = alone(Interval.around(x, fmt.smallest_subnormal, fmt), fmt)
        assert Fraction(2) ** int(made.ulp_exponent[0]) == fmt.smallest_subnormal
        assert made.u_per_ulp[0] == 2  # one rounding there, λ/2, is one u
        assert made.bound_ulp[0] == 1


@every_format
def test_measures_far_beyond_the_range(fmt: Format) -> None:
    for x in (fmt.overflow_threshold, Fraction(10) ** 700, -(Fraction(10) ** 700)):
        made = alone(Interval(x, Fraction(0), -math.inf, math.inf), fmt)
        assert made.center[0] == math.copysign(math.inf, 1 if x > 0 else -1)


@every_format
def test_around_the_overflow_threshold(fmt: Format) -> None:
    ulp = fmt.ulp(fmt.largest)
    required = Interval.around(fmt.largest + ulp, ulp / 2, fmt)
    assert (required.lower, required.upper) == (math.inf, math.inf)
    assert Interval.around(-fmt.largest - ulp, ulp / 2, fmt).upper == -math.inf
    either = Interval.around(fmt.largest, ulp / 2, fmt)
    assert either.contains(fmt.largest)
    assert either.contains(math.inf)
    forbidden = Interval.around(fmt.largest, ulp / 4, fmt)
    assert forbidden.contains(fmt.largest)
    assert not forbidden.contains(math.inf)
    assert not Interval.around(-fmt.largest, ulp / 4, fmt).contains(-math.inf)


def test_anything_admits_anything() -> None:
    for value in (Fraction(3), math.nan, math.inf):
        interval = Interval.anything(value, "why", "why")
        assert interval.allowances == ("why",)
        assert all(interval.contains(x) for x in (Fraction(0), math.nan, math.inf, -math.inf))


def test_an_interval_contains_its_exact_value() -> None:
    with pytest.raises(AssertionError, match="outside its own interval"):
        Interval(Fraction(3), Fraction(0), Fraction(4), Fraction(5))


@examples(100)
@given(st.data(), st.booleans())
def test_the_target_mirrors_the_prediction(data: st.DataObject, flushes: bool) -> None:  # noqa: FBT001 - drawn
    situation = data.draw(situations(weighted=data.draw(st.booleans()), factored=False))
    oracle = exact(situation.definition, situation.inputs)
    one, other = (expectation_of(oracle, ERROR_MODEL, q, flushes=flushes) for q in (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET))
    for x in (-1, 1):
        a, b = (one.lower, -other.upper) if x < 0 else (one.upper, -other.lower)
        assert np.array_equal(a, b, equal_nan=True)
    assert np.array_equal(one.infinity, -other.infinity, equal_nan=True)
    assert np.array_equal(one.center, -other.center, equal_nan=True)
    assert (one.bound_ulp == other.bound_ulp).all()


@examples(100)
@given(st.data(), st.booleans())
def test_every_number_between_the_ends_is_admitted_and_no_other(data: st.DataObject, flushes: bool) -> None:  # noqa: FBT001 - drawn
    """On intervals that the error model makes, for any number of the format."""
    situation = data.draw(situations(weighted=data.draw(st.booleans()), factored=False))
    fmt = situation.format
    oracle = exact(situation.definition, situation.inputs)
    allowed = expectation_of(
        oracle, ERROR_MODEL, data.draw(st.sampled_from([Quantity.VALUE, Quantity.GRADIENT_PREDICTION])), flushes=flushes
    )
    near = [x for x in (*allowed.lower, *allowed.upper, *allowed.center) if math.isfinite(x)] or [0.0]
    pattern = np.asarray(data.draw(st.sampled_from(near))).astype(fmt.dtype).reshape(1).view(f"u{width(fmt) // 8}").astype(np.int64)
    for step in range(-3, 4):
        bits = np.clip(pattern + step, 0, None) if fmt.name != "float64" or pattern[0] >= 0 else pattern
        x = float(bits.astype(f"u{width(fmt) // 8}").view(fmt.dtype)[0])
        for i in range(allowed.index.size):
            inside = bool(allowed.lower[i] <= x <= allowed.upper[i])
            by_name = x == allowed.infinity[i] or allowed.undefined[i] or bool(allowed.wide_lower[i] <= x <= allowed.wide_upper[i])
            assert allowed.contains(i, exactly(x)) == (inside or by_name or (math.isnan(x) and bool(allowed.nan[i])))


def test_what_is_empty_has_empty_ends() -> None:
    nothing = Expectation(Quantity.GRADIENT_PREDICTION, (0,), FORMATS["float32"], (), np.zeros(0, dtype=np.int64), positive_zero=False)
    for array in (nothing.lower, nothing.upper, nothing.center, nothing.rest, nothing.ulp_exponent, nothing.bound_ulp, nothing.u_per_ulp):
        assert array.size == 0
    assert nothing.allowances == frozenset()


@pytest.mark.parametrize("flushes", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_gradients_are_each_others_negation_in_every_respect(operation: str, family: str, *, flushes: bool) -> None:
    """So that the one is worked out from the other."""
    definition = OPERATIONS[operation].definition
    for fmt in FORMATS.values():
        for upstream in range(4):
            oracle = exact(definition, make(FAMILIES[family], Descriptor(upstream, (7,), 8, upstream), definition, fmt.name))
            of = [expectation_of(oracle, ERROR_MODEL, quantity, fmt, flushes=flushes) for quantity in GRADIENTS]
            derived, direct = of[0].negated(GRADIENTS[1]), of[1]
            assert derived.quantity is direct.quantity
            for name in (
                "lower",
                "upper",
                "wide_lower",
                "wide_upper",
                "infinity",
                "center",
                "rest",
                "ulp_exponent",
                "bound_ulp",
                "u_per_ulp",
            ):
                assert np.array_equal(getattr(derived, name), getattr(direct, name), equal_nan=True), name
            for name in ("nan", "undefined", "relative", "allowances"):
                assert np.all(getattr(derived, name) == getattr(direct, name)), name
