"""Numbers in units of their last place: what floats say is what integers say, wherever they say that they are sure."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from drawing import examples, formats, seeds
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.bounds.last_place import in_last_place
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.formats import FORMATS, Format, power_of_two

units = st.builds(
    lambda n, d, e: Fraction(n, d) * power_of_two(e), st.integers(1, 2**40), st.integers(1, 10**7) | st.just(1), st.integers(-300, 60)
)


@st.composite
def whole_numbers(draw: st.DrawFn, fmt: Format) -> list[int]:
    """Of any length; beside numbers of the format, beside what lies halfway between two, and beside powers of two."""
    length = draw(st.integers(1, 130))
    edges = [1 << length, ((1 << fmt.precision) - 1) << length, ((1 << (fmt.precision + 1)) - 1) << length, 3 << length]
    beside = st.builds(lambda edge, less: edge - less, st.sampled_from(edges), st.integers(-3, 3))
    return draw(st.lists(beside | st.integers(-(1 << length), 1 << length), min_size=12, max_size=20))


@examples(1000)
@given(st.data(), formats, units)
def test_floats_say_what_integers_say(data: st.DataObject, fmt: Format, unit: Fraction) -> None:
    grid = ScaledIntegers(data.draw(whole_numbers(fmt)), unit)
    thetas = (Fraction(0), fmt.unit_roundoff * 9, Fraction(1, 3))
    which = data.draw(st.lists(st.sampled_from(range(3)), min_size=len(grid), max_size=len(grid)))
    intervals = RelativeIntervals(grid, thetas, which, {})
    known = in_last_place(grid, fmt)
    assert known is not None
    lower, upper, certain = known.around(intervals._bounds(known))
    center, rest, sure_of_center = known.rounded()
    for i, x in enumerate(grid):
        if certain[i]:
            bound = thetas[which[i]] * abs(x)
            assert (lower[i], upper[i]) == (fmt.float_up(x - bound), fmt.float_down(x + bound)), (x, thetas[which[i]])
        if sure_of_center[i]:
            wanted = fmt.round(x)
            assert center[i] == wanted
            assert isinstance(wanted, Fraction)
            assert abs(float((x - wanted) / power_of_two(int(known.shift[i]))) - rest[i]) <= 2.0**-47


@examples(100)
@given(seeds, formats, st.integers(1, 10**6))
def test_ordinary_numbers_are_sure(seed: int, fmt: Format, divisor: int) -> None:
    """Otherwise nothing would be gained. Quotients that fall on a number or halfway between two are left to integers; halves are not."""
    rng = np.random.default_rng(seed)
    grid = ScaledIntegers(rng.integers(2**50, 2**52, 100).tolist(), Fraction(1, divisor) * power_of_two(-50))
    halves = ScaledIntegers((2 * rng.integers(2 ** (fmt.precision - 1), 2**fmt.precision, 100) + 1).tolist(), power_of_two(-fmt.precision))
    for numbers in (grid, halves):
        known = in_last_place(numbers, fmt)
        assert known is not None
        on_the_way = [(2 * x / fmt.ulp(x)).denominator == 1 for x in numbers]
        assert (known.rounded()[2] | (on_the_way if numbers is grid else False)).all()
        assert known.around(known.magnitudes() * (7.7 * 2.0**-fmt.precision))[2].mean() > 0.9


def test_integers_beyond_float64_are_left_to_integers() -> None:
    fmt = FORMATS["float64"]
    assert in_last_place(ScaledIntegers([1 << 1024] * 20, power_of_two(-1024)), fmt) is None
    intervals = RelativeIntervals(ScaledIntegers([1 << 1024] * 20, power_of_two(-1024)), (fmt.unit_roundoff,), None, {})
    assert intervals.endpoints(fmt)[0].tolist() == [1 - 2.0**-53] * 20
