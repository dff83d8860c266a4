"""Gradients of a root that is infinite: zero, unless a product comes out infinite before it meets the root."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.bounds.gradient import PRODUCT_OVERFLOWS
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Format
from conformance.specs.load import load

ROOT_OF_THE_MEAN = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE, root=True)
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)


def beside_infinity(fmt: Format, difference: float, upstream: float) -> tuple[Interval, float]:
    """The gradient of a finite difference beside an infinite one, and what comes out where the upstream gradient is multiplied in first."""
    p = np.asarray([difference, math.inf]).astype(fmt.dtype)
    g = np.asarray(upstream).astype(fmt.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.square(p).mean(dtype=p.dtype)
        found = (g * p * p.dtype.type(2)) / p.dtype.type(2) / (p.dtype.type(2) * np.sqrt(mean))
    inputs = Inputs(p, np.zeros_like(p), None, g)
    return expectation_of(exact(ROOT_OF_THE_MEAN, inputs), load(None).error_model, Quantity.GRADIENT_PREDICTION).at(0), float(found[0])


@every_format
def test_a_product_that_overflows_may_meet_an_infinite_root(fmt: Format) -> None:
    """Neither the difference nor its double does, but the difference times the upstream gradient."""
    interval, found = beside_infinity(fmt, float(fmt.largest) / 2, 3.0)
    assert math.isnan(found)
    assert interval.exact == 0
    assert interval.contains(math.nan)
    assert interval.allowances == (PRODUCT_OVERFLOWS,)


@every_format
def test_where_no_product_overflows_the_gradient_is_zero(fmt: Format) -> None:
    interval, found = beside_infinity(fmt, float(fmt.largest) / 16, 3.0)
    assert found == 0
    assert interval.contains(Fraction(0))
    assert not interval.contains(math.nan)
    assert not interval.contains(fmt.smallest_subnormal)
