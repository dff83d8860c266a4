"""What partial products lose, in integers, is what the sum over all of them says, written down as it is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import pytest
from drawing import examples, formats, numbers
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.bounds.partial_products import Losses, Scale
from conformance.numerics.formats import FORMATS, Format


def slowly(scale: Scale, d: Fraction, moved: Fraction) -> Losses:
    """Every product of some of the factors, each as a fraction of its own."""
    fmt, theta = scale.fmt, scale.theta
    parts = [abs(d), *scale.factors]
    underflow = fmt.smallest_subnormal / 2
    lost = fmt.smallest_normal if scale.flushes else underflow
    everything = 2 * math.prod(parts) * (1 + theta) * (1 + moved)
    with_d = without_d = Fraction(0)
    overflows = vanishes = False
    for size in range(1, len(parts) + 1):
        for chosen in combinations(range(len(parts)), size):
            product = math.prod((parts[i] for i in chosen), start=Fraction(1))
            rest = 2 * math.prod((parts[i] for i in range(len(parts)) if i not in chosen), start=Fraction(1))
            exact = size == 1 and fmt.contains(product)
            error = product * ((0 if exact else theta) + (moved if 0 in chosen else 0))
            vanishes |= product - error < 2 * lost
            if size < len(parts) or scale.ends_wider:
                overflows |= 2 * (product + error) >= fmt.overflow_threshold
            given_exactly = size == 1 and chosen[0] <= scale.given
            if product > 0 and product - error < fmt.smallest_normal and (scale.flushes or not given_exactly):
                loss = min(lost * rest, underflow * rest + everything)  # what is flushed is off by no more than itself
                with_d, without_d = (with_d + loss, without_d) if 0 in chosen else (with_d, without_d + loss)
    return Losses(with_d, without_d, abs(d) >= fmt.overflow_threshold, overflows, vanishes)


@st.composite
def anywhere(draw: st.DrawFn, fmt: Format) -> Fraction:
    """A number of the format with any exponent: in the middle, at either end, or where two of them come near an end."""
    centre = draw(st.sampled_from([0, fmt.emin, fmt.emin // 2, fmt.emax, fmt.emax // 2]) | st.integers(fmt.emin - fmt.precision, fmt.emax))
    return abs(draw(numbers(fmt, centre, 3)))


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """Up to two inputs, and up to three factors that need not be numbers of the format."""
    fmt = draw(formats)
    given_ = draw(st.lists(anywhere(fmt), max_size=2))
    made = draw(st.lists(st.sampled_from([3, 7, 16, 1000]).map(lambda n: Fraction(1, n)) | anywhere(fmt), max_size=3))
    theta = draw(st.sampled_from([fmt.rounding, 5 * fmt.rounding, Fraction(1, 3), Fraction(2)]))
    return Scale(fmt, (*given_, *made), len(given_), theta, flushes=draw(st.booleans()), ends_wider=draw(st.booleans()))


def differences(fmt: Format) -> st.SearchStrategy[Fraction]:
    """Also those that no number of the format holds."""
    return st.tuples(anywhere(fmt), anywhere(fmt), st.sampled_from([-1, 0, 1])).map(lambda t: t[0] + t[2] * t[1])


def check(scale: Scale, ds: Sequence[Fraction], moved: Fraction) -> None:
    """What the scale has worked out once must serve every element."""
    for d in ds:
        of_this = moved if d else Fraction(0)
        expected, found = slowly(scale, d, of_this), scale.losses(d, of_this)
        if not d or not all(scale.factors):  # of an element whose gradient is zero, only whether it overflows counts
            assert not any((expected.difference, expected.scale))
        assert found == expected, (scale, d, of_this)


@examples(400)
@given(st.data())
def test_losses(data: st.DataObject) -> None:
    scale = data.draw(scales())
    moved = data.draw(st.sampled_from([Fraction(0)] * 3 + [Fraction(1, 7), Fraction(2), Fraction(1, 2**30)]))
    check(scale, data.draw(st.lists(differences(scale.fmt), min_size=1, max_size=4)), moved)


@pytest.mark.parametrize("ends_wider", [False, True])
@pytest.mark.parametrize("flushes", [False, True])
@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
def test_at_the_very_ends(fmt: Format, *, flushes: bool, ends_wider: bool) -> None:
    ends = (fmt.smallest_subnormal / 2, fmt.smallest_subnormal, fmt.smallest_normal, fmt.overflow_threshold, fmt.largest)
    beside = [x * (1 + side * fmt.rounding**2) / divisor for x in ends for side in (-1, 0, 1) for divisor in (Fraction(1, 2), 1, 2)]
    for factors in ((), (Fraction(1, 2),), (fmt.smallest_normal, Fraction(1, 5)), (Fraction(0), fmt.largest)):
        for theta in (Fraction(0), 2 * fmt.rounding):
            check(Scale(fmt, factors, min(len(factors), 1), theta, flushes, ends_wider), beside, Fraction(0))
