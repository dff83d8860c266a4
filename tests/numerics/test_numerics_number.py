"""Arithmetic of exact numbers where it is not that of fractions: by zero, with infinities, and far beyond the range of a float."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from conformance.numerics.exact.number import Number, add, divide, multiply

BEYOND = Fraction(10) ** 400


@pytest.mark.parametrize("size", [Fraction(1), BEYOND, 1 / BEYOND], ids=["one", "beyond the range", "below the range"])
def test_division_by_zero_and_products_with_infinity_take_the_sign_alone(size: Fraction) -> None:
    assert divide(size, Fraction(0)) == math.inf
    assert divide(-size, Fraction(0)) == -math.inf
    assert multiply(-size, math.inf) == -math.inf
    assert divide(math.inf, -size) == -math.inf
    assert divide(size, -math.inf) == 0
    assert add([size, math.inf, -size]) == math.inf


@pytest.mark.parametrize("made", [divide(Fraction(0), Fraction(0)), multiply(Fraction(0), math.inf), add([math.inf, -math.inf])])
def test_what_has_no_value_is_nan(made: Number) -> None:
    assert isinstance(made, float)
    assert math.isnan(made)
