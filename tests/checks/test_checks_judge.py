"""Judging an array is judging each number: the float arithmetic of ``judge`` against the same rules in fractions."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.checks.judge import FLUSHES, Judgement, judge, sentence
from conformance.checks.wording import allowed_in_words, approximately, describe
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import FORMATS, Array, Format

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
examples = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def expectation(fmt: Format, *intervals: Interval, positive_zero: bool = False) -> Expectation:
    index = np.arange(len(intervals))
    return Expectation(Quantity.VALUE, (len(intervals),), fmt, intervals, index, positive_zero)


def observed(fmt: Format, *numbers: float) -> Array:
    with np.errstate(over="ignore"):
        array: Array = np.array(numbers).astype(fmt.dtype)
    return array


@st.composite
def intervals(draw: st.DrawFn, fmt: Format) -> Interval:
    """Any place of the range, zero and the subnormals included; bounds of a fraction of an ulp up to thousands."""
    if draw(st.integers(0, 7)) == 0:
        special = [Interval.special(x) for x in (math.nan, math.inf, -math.inf, Fraction(0))]
        return draw(st.sampled_from([*special, Interval.anything(Fraction(3), "undefined"), Interval.anything(math.nan, "undefined")]))
    exponent = draw(st.sampled_from([fmt.emin - fmt.precision, fmt.emin, 0, fmt.emax]) | st.integers(fmt.emin, fmt.emax))
    significand = Fraction(draw(st.integers(2**30, 2**31)), 2**30)
    x = significand * Fraction(2) ** exponent * draw(st.sampled_from([1, -1]))
    bound = fmt.ulp(x) * draw(st.fractions(0, 3) | st.sampled_from([Fraction(0), Fraction(7, 2), Fraction(5000)]))
    relative = draw(st.booleans())
    made = Interval.around(x, bound, fmt, infinity=draw(st.sampled_from([0, 0, 1, -1])), allowances=["a name"], relative=relative)
    if isinstance(made.exact, Fraction) and draw(st.integers(0, 3)) == 0:
        made = replace(made, wide=bound + 10 * fmt.ulp(x))
    return made


@st.composite
def results(draw: st.DrawFn, fmt: Format, interval: Interval) -> float:
    """A result near an end of the interval, near the exact value, or anything special."""
    special = st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1.0])
    if not isinstance(interval.exact, Fraction):
        return draw(special)
    places = [x for x in (interval.exact, interval.lower, interval.upper, interval.exact + interval.wide) if isinstance(x, Fraction)]
    near = st.builds(lambda place, steps: fmt.round(place + steps * fmt.ulp(place)), st.sampled_from(places), st.integers(-2, 2))
    return draw(near.map(float) | near.map(float) | special)


@st.composite
def judged(draw: st.DrawFn) -> tuple[Expectation, Array, list[float]]:
    fmt = draw(st.sampled_from(list(FORMATS.values())))
    some = draw(st.lists(intervals(fmt), min_size=1, max_size=3))
    numbers = [draw(results(fmt, interval)) for interval in some]
    return expectation(fmt, *some, positive_zero=draw(st.booleans())), observed(fmt, *numbers), numbers


def exactly(x: float) -> Fraction | float:
    return Fraction(x) if math.isfinite(x) else x


def inside(made: Expectation, interval: Interval, x: float) -> bool:
    negative_zero = x == 0 and math.copysign(1, x) < 0
    return not interval.nan and interval.lower <= exactly(x) <= interval.upper and not (made.positive_zero and negative_zero)


def by_name(interval: Interval, x: float) -> bool:
    within = math.isfinite(x) and isinstance(interval.exact, Fraction) and 0 < interval.wide >= abs(Fraction(x) - interval.exact)
    return interval.undefined or within or (math.isinf(x) and interval.infinity * x > 0)


@examples
@given(judged(), st.booleans())
def test_judge_is_admits_for_each_element(drawn: tuple[Expectation, Array, list[float]], flushes: bool) -> None:  # noqa: FBT001 - drawn
    made, array, numbers = drawn
    judgement = judge(made, array, flushes=flushes)
    each = []
    for i, x in enumerate(numbers):
        interval = made.at(i)
        each.append(inside(made, interval, x) or (math.isnan(x) and interval.nan) or by_name(interval, x))
        if not (made.positive_zero and x == 0 and math.copysign(1, x) < 0):
            assert each[-1] == made.contains(i, exactly(x))
    assert judgement.conforms == all(each)
    if not all(each):
        assert judgement.worst == each.index(False)
        assert sentence(made, array, judgement)
    used = {
        name
        for i, x in enumerate(numbers)
        if each[i] and not inside(made, made.at(i), x) and not math.isnan(x)
        for name in made.at(i).allowances
    }
    assert used <= set(judgement.allowances)


@examples
@given(judged(), st.booleans())
def test_errors_are_those_of_exact_arithmetic(drawn: tuple[Expectation, Array, list[float]], flushes: bool) -> None:  # noqa: FBT001 - drawn
    made, array, numbers = drawn
    fmt = made.output
    judgement = judge(made, array, flushes=flushes)
    in_ulp, in_u, over_bound = [Fraction(0)], [Fraction(0)], [Fraction(0)]
    for i, x in enumerate(numbers):
        interval = made.at(i)
        exact = interval.exact
        if not (isinstance(exact, Fraction) and math.isfinite(x) and inside(made, interval, x)) or abs(exact) >= fmt.overflow_threshold:
            continue
        if flushes and x == 0 and fmt.round(exact) != 0:
            assert FLUSHES in judgement.allowances
            continue
        error = abs(Fraction(x) - exact)
        if error and not interval.undefined:
            over_bound.append(error / interval.bound)
        if interval.relative:
            in_ulp.append(error / fmt.ulp(exact))
            in_u.append(error / (fmt.unit_roundoff * max(abs(exact), fmt.smallest_normal)))
    assert close(judgement.error_ulp, max(in_ulp))
    assert close(judgement.error_u, max(in_u))
    assert close(judgement.error_over_bound, max(over_bound))


def close(a: float, b: Fraction) -> bool:
    return abs(Fraction(a) - b) <= b / 10**9


def only(fmt: Format, interval: Interval, x: float, *, positive_zero: bool = False, flushes: bool = False) -> Judgement:
    return judge(expectation(fmt, interval, positive_zero=positive_zero), observed(fmt, x), flushes=flushes)


@every_format
def test_errors_at_zero_at_subnormals_and_at_normal_numbers(fmt: Format) -> None:
    small, normal = fmt.smallest_subnormal, fmt.smallest_normal
    for exact, x, ulp, u in (
        (Fraction(0), small, 1, 2),
        (small / 2, 0, 0.5, 1),
        (small * 3, 4 * small, 1, 2),
        (normal, normal + small, 1, 2),
        (Fraction(1), 1 + 2 * fmt.unit_roundoff, 1, 2),
        (Fraction(1), 1 - fmt.unit_roundoff, 0.5, 1),
        (2 - 2 * fmt.unit_roundoff, Fraction(2), 1, 1 / (1 - fmt.unit_roundoff)),
        (Fraction(3, 2), Fraction(3, 2) + 2 * fmt.unit_roundoff, 1, Fraction(4, 3)),
    ):
        judgement = only(fmt, Interval.around(exact, 2 * fmt.ulp(exact), fmt), float(x))
        assert judgement.conforms
        assert judgement.error_ulp == ulp
        assert judgement.error_u == pytest.approx(float(u), rel=1e-15)
        assert judgement.error_over_bound == ulp / 2
        assert judgement.correctly_rounded == (fmt.round(exact) == x)


@every_format
def test_the_rules_of_special_numbers(fmt: Format) -> None:
    one = Interval.around(Fraction(1), Fraction(0), fmt)
    for interval, right in (
        (Interval.special(math.nan), "nan"),
        (Interval.special(math.inf), "inf"),
        (Interval.special(-math.inf), "-inf"),
        (one, "1"),
    ):
        for x in (math.nan, math.inf, -math.inf, 1.0, 0.0):
            judgement = only(fmt, interval, x)
            assert judgement.conforms == (str(x).removesuffix(".0") == right)
            assert (judgement.error_u, judgement.error_ulp, judgement.error_over_bound) == (0, 0, 0)
            assert not judgement.conforms or judgement.correctly_rounded


@every_format
def test_negative_zero_is_no_square(fmt: Format) -> None:
    zero = Interval.special(Fraction(0))
    assert only(fmt, zero, -0.0).conforms
    assert only(fmt, zero, 0.0, positive_zero=True).conforms
    rejected = only(fmt, zero, -0.0, positive_zero=True)
    assert not rejected.conforms
    assert "found -0, expected +0" in sentence(expectation(fmt, zero, positive_zero=True), observed(fmt, -0.0), rejected)


@every_format
def test_an_infinity_under_a_name(fmt: Format) -> None:
    interval = Interval.around(Fraction(1), Fraction(0), fmt, infinity=1, allowances=["sum overflows"])
    judgement = only(fmt, interval, math.inf)
    assert judgement.conforms
    assert judgement.allowances == ("sum overflows",)
    assert not judgement.correctly_rounded
    assert judgement.error_ulp == 0
    assert not only(fmt, interval, -math.inf).conforms
    assert only(fmt, interval, 1.0).allowances == ()


@every_format
def test_a_flushed_result_is_named_and_not_measured(fmt: Format) -> None:
    tiny = Interval.around(fmt.smallest_subnormal * 3, fmt.smallest_normal, fmt, relative=False)
    assert only(fmt, tiny, 0.0, flushes=True).allowances == (FLUSHES,)
    assert only(fmt, tiny, 0.0, flushes=False).allowances == ()
    assert only(fmt, tiny, 0.0, flushes=True).error_over_bound == 0
    assert only(fmt, tiny, 0.0, flushes=False).error_ulp == 0  # λ is no relative measure where flushing decides
    assert only(fmt, Interval.special(Fraction(0)), 0.0, flushes=True).allowances == ()


def test_an_undefined_result_has_no_error() -> None:
    fmt = FORMATS["float64"]
    for value in (Fraction(3), Fraction(10) ** 700, math.nan):
        for x in (math.nan, math.inf, -1.0, 0.0):
            judgement = only(fmt, Interval.anything(value, "undefined"), x)
            assert judgement.conforms
            assert (judgement.error_u, judgement.error_ulp, judgement.error_over_bound) == (0, 0, 0)


def test_nothing_conforms() -> None:
    nothing = Expectation(Quantity.VALUE, (0, 3), FORMATS["float32"], (), np.zeros(0, dtype=np.int64), positive_zero=True)
    assert judge(nothing, np.zeros((0, 3), np.float32)).conforms


def test_the_worst_element_is_the_first_that_does_not_conform_or_the_one_furthest_off() -> None:
    fmt = FORMATS["float32"]
    u = float(fmt.unit_roundoff)
    made = expectation(fmt, *[Interval.around(Fraction(1), 4 * fmt.unit_roundoff, fmt)] * 4)
    assert judge(made, observed(fmt, 1, 1 + 2 * u, 1 + 4 * u, 1)).worst == 2
    assert judge(made, observed(fmt, 1 + 4 * u, 1 + 6 * u, 5, 1)).worst == 1


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (math.nan, "nan"),
        (Fraction(3), "3"),
        (Fraction(11, 3), "11/3"),
        (Fraction(1, 3) * 10**7, "3333333.3333333335"),
        (Fraction(-1, 2), "-1/2"),
    ],
)
def test_numbers_in_words(number: Fraction | float, words: str) -> None:
    assert describe(number) == words


def test_numbers_beyond_the_range_of_a_float_in_words() -> None:
    assert approximately(Fraction(10) ** 400 * 3) == "3e+400"
    assert approximately(Fraction(3, 10**400), 5) == "3e-400"
    assert approximately(Fraction(0)) == "0"


def test_what_is_allowed_in_words() -> None:
    fmt = FORMATS["float32"]
    around = Interval.around(Fraction(1), Fraction(1, 4), fmt, infinity=-1, allowances=["sum overflows"])
    assert allowed_in_words(around) == "0.75 … 1.25 or -inf (sum overflows)"
    assert allowed_in_words(Interval.special(math.nan)) == "nan"
    assert allowed_in_words(Interval.special(math.inf)) == "exactly inf"
    assert allowed_in_words(Interval.special(Fraction(11, 3))) == "exactly 11/3"
    assert allowed_in_words(Interval.anything(Fraction(1), "why")) == "anything (the result is undefined here)"
