"""What weights do to an interval: right losses in NumPy, narrow formats and unusual orders included, are not accused.

Each result here is computed as a framework computes it, operation by operation in the inputs' format.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.bounds.gradient import NARROW_SCALE, PRODUCT_OVERFLOWS
from conformance.numerics.bounds.value import SQUARE_OVERFLOWS
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.specs.load import load

ERROR_MODEL = load().error_model
BY_SAMPLE = Definition(Fraction(1), Over.ALL, Divisor.WEIGHTS, Weights.SAMPLE)
WEIGHTED = {divisor: Definition(Fraction(1), Over.ALL, divisor, Weights.ELEMENT) for divisor in Divisor}

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))


def allowed(definition: Definition, prediction: Array, weight: Array, quantity: Quantity, upstream: float = 1) -> Expectation:
    """The expectation for a target of zeros."""
    inputs = Inputs(prediction, np.zeros_like(prediction), weight, np.asarray(upstream).astype(prediction.dtype))
    return expectation_of(exact(definition, inputs), ERROR_MODEL, quantity)


# ---- the gradient of a mean by sample: Σw and the length of a row divide together, or one after the other ----


def through_columns(difference: Array, weight: Array, upstream: Array) -> Array:
    """As autodiff goes back through a mean over the columns of a weighted average over the samples: G/length, /Σw, ·w, ·2d."""
    scale = upstream / upstream.dtype.type(difference.shape[1]) / weight.sum()
    gradient: Array = scale * weight[:, None] * (2 * difference)
    return gradient


def through_rows(difference: Array, weight: Array, upstream: Array) -> Array:
    """As autodiff goes back through a weighted average of the means of rows: G/Σw, ·w, /length, ·2d."""
    scale = upstream / weight.sum() * weight / upstream.dtype.type(difference.shape[1])
    gradient: Array = scale[:, None] * (2 * difference)
    return gradient


def test_the_length_of_a_row_may_divide_first_and_lose_digits() -> None:
    """G/256 is subnormal in float16, and no product of G, w, d and 1/(256·Σw) is: weights of both signs sum to 2⁻⁶."""
    fmt = FORMATS["float16"]
    prediction, weight = np.full((2, 256), 64, fmt.dtype), np.asarray([2, 2.0**-6 - 2], fmt.dtype)
    upstream = np.asarray(2.0**-11 * (1 + 2.0**-6), fmt.dtype)
    first = upstream / np.float16(256)
    assert 0 < float(first) < float(fmt.smallest_normal)
    assert float(first) != float(upstream) / 256  # digits are lost
    result = through_columns(prediction, weight, upstream)
    interval = allowed(BY_SAMPLE, prediction, weight, Quantity.GRADIENT_PREDICTION, float(upstream)).at(0)
    found = Fraction(float(result[0, 0]))
    assert interval.lower > found or found > interval.upper  # beyond what rounding alone does
    assert interval.contains(found)
    assert NARROW_SCALE in interval.allowances
    assert not interval.contains(2 * found)


def test_the_sum_of_the_weights_may_divide_first_and_overflow() -> None:
    """G/Σw is 2¹⁷, beyond float16, while G/(64·Σw) is 2¹¹."""
    fmt = FORMATS["float16"]
    prediction, weight = np.full((1, 64), 2.0**-3, fmt.dtype), np.asarray([2.0**-12], fmt.dtype)
    with np.errstate(over="ignore"):
        result = through_rows(prediction, weight, np.asarray(32, fmt.dtype))
    assert np.isinf(result).all()
    interval = allowed(BY_SAMPLE, prediction, weight, Quantity.GRADIENT_PREDICTION, 32).at(0)
    assert interval.exact == Fraction(1, 8)
    assert interval.contains(math.inf)
    assert PRODUCT_OVERFLOWS in interval.allowances
    assert not interval.contains(-math.inf)


def test_where_neither_division_leaves_the_range_nothing_is_allowed_beside_roundings() -> None:
    fmt = FORMATS["float16"]
    prediction, weight = np.full((1, 64), 1.5, fmt.dtype), np.asarray([0.25], fmt.dtype)
    interval = allowed(BY_SAMPLE, prediction, weight, Quantity.GRADIENT_PREDICTION, 3).at(0)
    assert interval.allowances == ()
    assert not interval.contains(math.inf)
    for way in (through_columns, through_rows):
        assert interval.contains(Fraction(float(way(prediction, weight, np.asarray(3, fmt.dtype))[0, 0])))


# ---- an infinite sum, and a finite term that may come out infinite too ----


def weighted_sum(prediction: Array, weight: Array, divisor: Divisor) -> float:
    """Σw·d² in the inputs' format, divided by what the operation says."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = (weight * np.square(prediction)).sum(dtype=prediction.dtype)
        match divisor:
            case Divisor.WEIGHTS:
                total = total / weight.sum(dtype=prediction.dtype)
            case Divisor.COUNT:
                total = total / prediction.dtype.type(prediction.size)
    return float(total)


def large(fmt: Format) -> float:
    """A finite number whose square is not."""
    return 2.0 ** (fmt.emax // 2 + 2)


@pytest.mark.parametrize("divisor", [Divisor.ONE, Divisor.COUNT, Divisor.WEIGHTS])
@pytest.mark.parametrize(
    ("infinite", "other"), [(2.0, -1.0), (2.0, 0.0), (2.0, -0.0), (-2.0, 1.0)], ids=["negative", "zero", "minus zero", "both turned round"]
)
@every_format
def test_an_infinite_term_may_meet_an_overflow_of_the_other_sign(fmt: Format, infinite: float, other: float, divisor: Divisor) -> None:
    """Exactly it is infinite, since the other term is a finite number; but its square overflows, and ∞ − ∞ and 0·∞ are nan."""
    prediction, weight = np.asarray([math.inf, large(fmt)]).astype(fmt.dtype), np.asarray([infinite, other]).astype(fmt.dtype)
    assert math.isnan(weighted_sum(prediction, weight, divisor))
    interval = allowed(WEIGHTED[divisor], prediction, weight, Quantity.VALUE).at(0)
    assert math.isinf(float(interval.exact))
    assert interval.contains(math.nan)
    assert interval.allowances == (SQUARE_OVERFLOWS,)


@pytest.mark.parametrize("divisor", [Divisor.ONE, Divisor.COUNT, Divisor.WEIGHTS])
@pytest.mark.parametrize(("weight", "prediction"), [((2.0, 1.0), None), ((2.0, -1.0), 3.0), ((2.0, 0.0), 3.0)])
@every_format
def test_nan_is_refused_where_nothing_else_may_come_out_infinite(
    fmt: Format, weight: tuple[float, float], prediction: float | None, divisor: Divisor
) -> None:
    """An overflow of the same sign, and finite terms that stay finite."""
    p = np.asarray([math.inf, large(fmt) if prediction is None else prediction]).astype(fmt.dtype)
    w = np.asarray(weight).astype(fmt.dtype)
    result = weighted_sum(p, w, divisor)
    assert math.isinf(result)
    interval = allowed(WEIGHTED[divisor], p, w, Quantity.VALUE).at(0)
    assert interval.contains(result)
    assert not interval.contains(math.nan)
    assert not interval.contains(Fraction(1))
    if divisor is Divisor.WEIGHTS and prediction is not None:
        gradient = allowed(WEIGHTED[divisor], p, w, Quantity.GRADIENT_WEIGHT).at(1)
        assert gradient.contains(-math.inf)
        assert not gradient.contains(math.nan)


@every_format
def test_a_value_that_may_be_nan_may_make_the_gradients_of_its_weights_nan(fmt: Format) -> None:
    """Exactly it is −∞, which is subtracted from the infinite square; but it may be computed as ∞ − ∞."""
    p, w = np.asarray([math.inf, large(fmt)]).astype(fmt.dtype), np.asarray([-1.0, 2.0]).astype(fmt.dtype)
    assert math.isnan(weighted_sum(p, w, Divisor.WEIGHTS))
    interval = allowed(WEIGHTED[Divisor.WEIGHTS], p, w, Quantity.GRADIENT_WEIGHT).at(0)
    assert interval.exact == math.inf
    assert interval.contains(math.nan)
    finite = allowed(WEIGHTED[Divisor.WEIGHTS], np.asarray([math.inf, 3.0]).astype(fmt.dtype), w, Quantity.GRADIENT_WEIGHT).at(0)
    assert finite.contains(math.inf)
    assert not finite.contains(math.nan)


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("third", "overflows"), [(1.5, True), (0.5, False)])
def test_the_sum_of_a_row_may_overflow_before_its_weight_makes_it_small(name: str, third: float, overflows: bool) -> None:  # noqa: FBT001 - a parameter
    """Four squares, three of them a quarter of what is beyond the format: where rows are averaged first, they are added up."""
    fmt = FORMATS[name]
    half = 2.0 ** ((fmt.emax - 1) // 2)
    prediction = np.array([[half, half, third * half, half]]).astype(fmt.dtype)
    weight = np.array([0.5], fmt.dtype)
    interval = allowed(BY_SAMPLE, prediction, weight, Quantity.VALUE).at(0)
    squares = sum(Fraction(float(x)) ** 2 for x in prediction.ravel())
    assert (squares >= fmt.overflow_threshold) == overflows
    assert squares / 2 < fmt.largest
    assert interval.contains(math.inf) == overflows


def test_a_weighted_mean_of_a_row_beyond_float64_is_told_without_a_warning() -> None:
    """The weighted mean is finite: Σw is as large as the weight."""
    prediction, weight = np.array([[1e150, 1e150], [1, 2]]), np.array([1e20, 1])
    with np.errstate(all="raise"):
        interval = allowed(BY_SAMPLE, prediction, weight, Quantity.VALUE).at(0)
    assert interval.contains(Fraction(1e150) ** 2)
    assert interval.contains(math.inf)


# ---- the lower end of the range ----


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_means_of_rows_may_be_subnormal(name: str) -> None:
    """Thirty rows, each of one square, 98 or 49 times the smallest subnormal number, and two zeros: a third of it rounds every time."""
    fmt = FORMATS[name]
    prediction = np.zeros((30, 3), fmt.dtype)
    exponent = fmt.emin - fmt.precision + 1
    prediction[:, 0] = 7 * 2.0 ** -(-exponent // 2)
    rows = np.square(prediction).sum(axis=-1) / fmt.dtype.type(3)
    assert rows.dtype == fmt.dtype
    result = rows.astype(np.float64).sum()  # every partial sum is exact in the format too
    inputs = Inputs(prediction, 0 * prediction, None, np.ones((), fmt.dtype))
    definition = Definition(Fraction(1), Over.ALL, Divisor.LAST_AXIS, Weights.NONE)
    assert expectation_of(exact(definition, inputs), ERROR_MODEL, Quantity.VALUE).at(0).contains(Fraction(float(result)))


def test_the_reciprocal_of_a_subnormal_sum_of_samples_may_overflow() -> None:
    """Σw is 2⁻¹³⁰, whose reciprocal is beyond float32; 1,024 times that is normal."""
    prediction, weight = np.ones((1, 1024), np.float32), np.asarray([2.0**-130], np.float32)
    with np.errstate(over="ignore", divide="ignore"):
        result = (weight * np.square(prediction).mean(axis=-1)).sum() * (np.float32(1) / weight.sum())
    assert np.isinf(result)
    assert allowed(BY_SAMPLE, prediction, weight, Quantity.VALUE).at(0).contains(math.inf)


def test_squares_that_are_not_summed_have_bounds_with_the_weights_of_samples() -> None:
    """No operation of the specs is defined so; whoever writes one gets bounds, not an exception."""
    definition = Definition(Fraction(1), Over.NONE, Divisor.ONE, Weights.SAMPLE)
    prediction = np.array([[1.0, 3.0], [2.0, 0.5]], np.float32)
    inputs = Inputs(prediction, np.zeros_like(prediction), np.array([2.0, 3.0], np.float32), np.ones((2, 2), np.float32))
    found = expectation_of(exact(definition, inputs), ERROR_MODEL, Quantity.VALUE)
    assert [found.at(i).exact for i in range(4)] == [2, 18, 12, Fraction(3, 4)]
    assert all(found.at(i).bound < Fraction(1, 10**5) for i in range(4))


@every_format
@pytest.mark.parametrize("overflows", [False, True])
def test_beside_an_infinite_weight_a_gradient_is_zero_unless_a_product_overflows(fmt: Format, *, overflows: bool) -> None:
    """Divided by an infinite sum of weights: a number gives 0, an infinite product nan."""
    prediction = np.full((2, 3), float(fmt.largest) / (2 if overflows else 16)).astype(fmt.dtype)
    weight, upstream = np.array([1, np.inf]).astype(fmt.dtype), np.asarray(3).astype(fmt.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        found = float((upstream * prediction[0] / weight.sum())[0])
    assert math.isnan(found) == overflows
    intervals = allowed(BY_SAMPLE, prediction, weight, Quantity.GRADIENT_PREDICTION, 3)
    assert intervals.at(0).exact == 0
    assert intervals.at(0).contains(Fraction(0))
    assert intervals.at(0).contains(math.nan) == overflows
    assert intervals.at(3).nan  # infinity over infinity
