"""Intervals let no wrong one pass: right evaluations come close to their ends, and mistakes lie outside."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.specs.load import load

ERROR_MODEL = load().error_model
MEAN = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE)
SUM = Definition(Fraction(1), Over.ALL, Divisor.ONE, Weights.NONE)
NONE = Definition(Fraction(1), Over.NONE, Divisor.ONE, Weights.NONE)

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))


def expected(
    definition: Definition, prediction: Array, target: Array, quantity: Quantity = Quantity.VALUE, upstream: float = 1
) -> Expectation:
    g = np.full(definition.value_shape(prediction.shape), upstream).astype(prediction.dtype)
    return expectation_of(exact(definition, Inputs(prediction, target, None, g)), ERROR_MODEL, quantity)


def part_of_the_bound(allowed: Expectation, result: Any) -> float:
    interval = allowed.at(0)
    assert isinstance(interval.exact, Fraction)
    return float(abs(Fraction(float(result)) - interval.exact) / interval.bound)


# Significands near which all three roundings of a square err upwards: found by search over all of [1, 2).
WORST = {
    "float16": ("0x1.058p+0", "-0x1.004p-11", 0.96),
    "bfloat16": ("0x1.0ap+0", "-0x1.cp-6", 0.91),
    "float32": ("0x1.001p+0", "-0x1.000002p-24", 0.999),
    "float64": ("0x1.0000004e7ffffp+0", "-0x1.0000000000001p-53", 0.997),
}


@every_format
def test_a_square_reaches_its_bound(fmt: Format) -> None:
    prediction, target, reached = WORST[fmt.name]
    p, t = (np.array([float.fromhex(x)]).astype(fmt.dtype) for x in (prediction, target))
    square = np.square(p - t)
    assert part_of_the_bound(expected(NONE, p, t), square[0]) >= reached
    assert expected(NONE, p, t).contains(0, Fraction(float(square[0])))
    if fmt.precision >= 24:  # and a mean of one; that of a half format may be cast once more
        assert part_of_the_bound(expected(MEAN, p, t), square[0]) >= reached


@every_format
def test_a_gradient_reaches_its_bound(fmt: Format) -> None:
    """1 + u rounds down to 1: the largest relative error that one rounding has."""
    p, t = np.array([1.0]).astype(fmt.dtype), np.array([-float(fmt.unit_roundoff)]).astype(fmt.dtype)
    gradient = (2 * (p - t))[0]
    assert float(gradient) == 2
    assert part_of_the_bound(expected(NONE, p, t, Quantity.GRADIENT_PREDICTION), gradient) == 1


@pytest.mark.parametrize(("name", "n"), [("float32", 1000), ("float64", 1000), ("float32", 100_000)])
def test_a_sum_that_stagnates_reaches_its_bound(name: str, n: int) -> None:
    """Two ones, then squares of half an ulp of their sum, one by one: each is lost."""
    fmt = FORMATS[name]
    p = np.full(n, 2.0 ** (1 - fmt.precision // 2 - 1)).astype(fmt.dtype)
    p[0] = 1
    if fmt.precision % 2:  # half an ulp of 1 is no square: take it of 2
        p[1], p[2:] = 1, 2.0 ** ((1 - fmt.precision) // 2)
    total = np.add.accumulate(np.square(p))[-1]
    allowed = expected(SUM, p, np.zeros_like(p))
    assert allowed.contains(0, Fraction(float(total)))
    assert part_of_the_bound(allowed, total) > 0.99


@pytest.mark.parametrize("cast", [False, True])
@every_format
def test_the_bound_is_the_product_of_its_steps(fmt: Format, *, cast: bool) -> None:
    """Away from the ends of the range nothing but the roundings of docs/numerics.md is in the bound."""
    output = FORMATS["float64"] if cast else fmt
    accumulator = FORMATS["float32"] if fmt.precision < 24 else fmt
    v, v_acc, u_acc = fmt.rounding, accumulator.rounding, accumulator.unit_roundoff
    v_out = output.rounding if output.precision < accumulator.precision else 0
    for n, k in ((1, 0), (3, 2), (4, 0), (7, 2), (100, 2)):
        p, t = np.linspace(1, 2, n).astype(fmt.dtype), np.zeros(n, fmt.dtype)
        for definition, scale in ((MEAN, n), (SUM, 1)):
            roundings = k if definition is MEAN else 0
            for upstream in (1, 0.75):
                inputs = Inputs(p, t, None, np.array(upstream).astype(fmt.dtype))
                oracle = exact(definition, inputs)
                value = expectation_of(oracle, ERROR_MODEL, Quantity.VALUE, output).at(0)
                assert isinstance(value.exact, Fraction)
                theta = (1 + v) ** 3 * (1 + (n - 1) * u_acc) * (1 + v_acc) ** roundings * (1 + v_out) - 1
                assert value.exact == sum((Fraction(float(x)) ** 2 for x in p), Fraction(0)) / scale
                assert value.bound == theta * value.exact
                gradient = expectation_of(oracle, ERROR_MODEL, Quantity.GRADIENT_PREDICTION, output).at(0)
                assert isinstance(gradient.exact, Fraction)
                steps = 1 + (1 + roundings if roundings else 0) + (2 if upstream != 1 else 0)
                assert gradient.bound == ((1 + v) ** steps * (1 + v_out) - 1) * abs(gradient.exact)


@every_format
def test_a_tiny_square_may_lose_half_of_the_smallest_subnormal(fmt: Format) -> None:
    d = 2.0 ** (fmt.emin // 2 - 3)  # d² = ν/64 or ν/32, exact in every format: what may be lost is λ/2, and θ·d² is far less
    p = np.array([d]).astype(fmt.dtype)
    for flushes, lost in ((False, fmt.smallest_subnormal / 2), (True, fmt.smallest_normal)):
        interval = expectation_of(exact(NONE, Inputs(p, 0 * p, None, 0 * p + 1)), ERROR_MODEL, Quantity.VALUE, flushes=flushes).at(0)
        theta = (1 + fmt.rounding) ** 3 - 1
        square = Fraction(d) ** 2
        assert interval.bound == theta * square + lost * (1 + theta)
        assert not interval.relative
        assert interval.contains(Fraction(0)) == flushes


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_the_gradient_of_a_subnormal_difference_is_exact(name: str) -> None:
    """A difference loses nothing below the normal range, and neither does its doubling."""
    small = FORMATS[name].smallest_subnormal
    p = np.array([3 * float(small)]).astype(name)
    allowed = expected(SUM, p, 0 * p, Quantity.GRADIENT_PREDICTION)
    assert [k for k in range(10) if allowed.contains(0, k * small)] == [6]


# ---- mistakes ----


def in_order(squares: Array) -> Any:
    return np.add.accumulate(squares)[-1]


MISTAKES: dict[str, Callable[[Array, Array], Any]] = {
    "divides by n - 1": lambda p, t: np.square(p - t).sum() / p.dtype.type(p.size - 1),
    "expands the square": lambda p, t: np.mean(p * p - 2 * p * t + t * t),
    "does not divide": lambda p, t: np.square(p - t).sum(),
    "takes the absolute value": lambda p, t: np.abs(p - t).mean(),
    "takes the root": lambda p, t: np.sqrt(np.square(p - t).mean()),
    "adds the inputs": lambda p, t: np.square(p + t).mean(),
    "forgets an element": lambda p, t: np.square(p - t)[1:].mean(),
    "adds an epsilon": lambda p, t: np.square(p - t).mean() + p.dtype.type(1e-3),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_mistakes_lie_outside(name: str, mistake: str) -> None:
    rng = np.random.default_rng(5)
    base = 2.0 ** (FORMATS[name].precision - 2)
    t = (base if mistake == "expands the square" else 0) + rng.integers(1, 5, 100)
    p = t + rng.integers(-3, 4, 100)
    prediction, target = p.astype(name), t.astype(name)
    wrong = MISTAKES[mistake](prediction, target)
    allowed = expected(MEAN, prediction, target)
    assert not allowed.contains(0, Fraction(float(wrong)))
    assert allowed.contains(0, Fraction(float(np.square(prediction - target).mean())))


@pytest.mark.parametrize(("name", "n", "stuck"), [("float16", 4096, 2048), ("bfloat16", 512, 256)])
def test_a_sum_kept_in_half_precision_lies_outside(name: str, n: int, stuck: int) -> None:
    fmt = FORMATS[name]
    ones = np.ones(n, fmt.dtype)
    total = in_order(np.square(ones))
    assert float(total) == stuck
    assert not expected(SUM, ones, 0 * ones).contains(0, Fraction(float(total)))
    assert not expected(MEAN, ones, 0 * ones).contains(0, Fraction(float(total / n)))
    assert expected(MEAN, ones, 0 * ones).contains(0, Fraction(1))


def test_float64_computed_in_float32_lies_outside() -> None:
    p = np.random.default_rng(3).normal(size=10)
    narrow = np.square(p.astype(np.float32)).mean(dtype=np.float32)
    allowed = expected(MEAN, p, 0 * p)
    assert not allowed.contains(0, Fraction(float(narrow)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("wrong", [Fraction(1, 2), Fraction(-1), Fraction(3, 4), Fraction(3), Fraction(0)])
def test_a_gradient_with_another_factor_lies_outside(name: str, wrong: Fraction) -> None:
    fmt = FORMATS[name]
    p = np.array([1.5, -2, 0.25]).astype(fmt.dtype)
    allowed = expected(MEAN, p, 0 * p, Quantity.GRADIENT_PREDICTION)
    right = Fraction(float(p[0])) * Fraction(2, 3)
    nearest = fmt.round(right * wrong)
    assert isinstance(nearest, Fraction)
    assert not allowed.contains(0, nearest)


# ---- overflow: required, allowed and named, forbidden ----


@every_format
def test_infinity_is_required_where_the_exact_result_is_out_of_range(fmt: Format) -> None:
    p = np.array([2.0 ** (fmt.emax // 2 + 2)]).astype(fmt.dtype)
    allowed = expected(NONE, p, 0 * p)
    assert allowed.contains(0, math.inf)
    assert not allowed.contains(0, fmt.largest)
    assert not allowed.contains(0, -math.inf)


@every_format
def test_infinity_is_allowed_and_named_where_a_square_overflows_on_the_way(fmt: Format) -> None:
    p = np.zeros(8, fmt.dtype)
    p[0] = 2.0 ** (fmt.emax // 2 + 1)  # its square is 2M or so, the mean of eight is representable
    allowed = expected(MEAN, p, 0 * p)
    assert "square overflows" in allowed.allowances
    assert allowed.contains(0, math.inf)
    assert allowed.contains(0, Fraction(float(p[0])) ** 2 / 8)
    assert not allowed.contains(0, fmt.largest)


@every_format
def test_infinity_is_forbidden_everywhere_else(fmt: Format) -> None:
    p = np.array([1.0, 2.0 ** (fmt.emax // 2 - 1)]).astype(fmt.dtype)
    special = (math.inf, -math.inf, math.nan)
    for definition in (MEAN, SUM, NONE):
        allowed = expected(definition, p, 0 * p)
        assert not allowed.allowances
        assert not any(allowed.contains(i, x) for i in range(allowed.index.size) for x in special)
    gradient = expected(SUM, p, 0 * p, Quantity.GRADIENT_PREDICTION)
    assert not any(gradient.contains(i, x) for i in (0, 1) for x in special)


@every_format
def test_a_large_gradient_that_nothing_on_the_way_overflows_is_finite(fmt: Format) -> None:
    """Three quarters of the largest number, by one doubling: no step is larger than the result."""
    p = np.array([0.375 * float(fmt.largest)]).astype(fmt.dtype)
    allowed = expected(SUM, p, 0 * p, Quantity.GRADIENT_PREDICTION)
    assert not allowed.contains(0, math.inf)
    assert allowed.contains(0, 2 * Fraction(float(p[0])))
