"""The oracle against the slow reference: every operation of the family, any rank, any bits, on the small path and on the bulk path."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from drawing import SHAPES, any_inputs, formats, random_bits, seeds, to_array
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Index, Number, Reference, reference, same, times, value_index, value_shape, weight_shape
from reference import over as over_

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact import oracle as module
from conformance.numerics.exact.number import Number as Literal
from conformance.numerics.exact.number import square_root
from conformance.numerics.exact.oracle import Exact, ExactArray, exact
from conformance.numerics.formats import FORMATS
from conformance.specs.literals import parse as parse_literal

definitions = [Definition(Fraction(f), o, d, w) for f, o, d, w in product(["1", "1/2", "3", "1/3"], Over, Divisor, Weights)]
F64 = FORMATS["float64"]


def expected(definition: Definition, inputs: Inputs) -> Reference:
    arrays = (inputs.prediction, inputs.target, inputs.weight, inputs.upstream)
    return reference(definition.factor, definition.over, definition.divisor, definition.weights, arrays)


def check(found: ExactArray, wanted: list[Number], shape: Index, what: object) -> None:
    assert found.shape == shape, what
    numbers = list(found)
    assert len(numbers) == len(wanted) == math.prod(shape), what
    for flat, (a, b) in enumerate(zip(numbers, wanted, strict=True)):
        assert same(a, b), (what, flat, a, b)
        assert same(found.at(flat), b), (what, flat)


def check_all(definition: Definition, inputs: Inputs) -> Exact:
    oracle, slow = exact(definition, inputs), expected(definition, inputs)
    shape = inputs.shape
    check(oracle.of(Quantity.VALUE), slow.value, value_shape(definition.over, shape), "value")
    check(oracle.of(Quantity.GRADIENT_PREDICTION), slow.gradient_prediction, shape, "gradient/prediction")
    check(oracle.of(Quantity.GRADIENT_TARGET), slow.gradient_target, shape, "gradient/target")
    check(oracle.of(Quantity.CURVATURE), slow.curvature, shape, "curvature")
    wanted = weight_shape(definition.weights, shape)
    if slow.gradient_weight is None or wanted is None or definition.masked:
        with pytest.raises(ValueError, match="no weights"):
            oracle.of(Quantity.GRADIENT_WEIGHT)
    else:
        check(oracle.of(Quantity.GRADIENT_WEIGHT), slow.gradient_weight, wanted, "gradient/weight")
    return oracle


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_quantity_of_every_operation(data: st.DataObject) -> None:
    definition = data.draw(st.sampled_from(definitions))
    check_all(definition, data.draw(any_inputs(definition, data.draw(formats))))


@pytest.mark.parametrize("definition", definitions, ids=lambda d: f"{d.factor}-{d.over}-{d.divisor}-{d.weights}")
def test_every_combination_on_every_shape(definition: Definition) -> None:
    fmt = FORMATS["float32"]
    for k, shape in enumerate(SHAPES):
        wanted = weight_shape(definition.weights, shape)
        sizes = [math.prod(s) for s in (shape, shape, wanted or (), value_shape(definition.over, shape))]
        p, t, w, g = (random_bits(7 * k + j, size, fmt, finite=True) for j, size in enumerate(sizes))
        if definition.masked:
            w = (np.arange(w.size) % 3 > 0).astype(fmt.dtype)
        upstream = g.reshape(value_shape(definition.over, shape))
        check_all(definition, Inputs(p.reshape(shape), t.reshape(shape), None if wanted is None else w.reshape(wanted), upstream))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bulk=st.sampled_from([0, 1, 3]))
def test_the_bulk_path_is_the_small_path(data: st.DataObject, bulk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = data.draw(st.sampled_from(definitions))
    inputs = data.draw(any_inputs(definition, data.draw(formats)))
    with monkeypatch.context() as patch:
        patch.setattr(module, "BULK", bulk)
        oracle = check_all(definition, inputs)
        assert [same(oracle.difference(i), x) for i, x in enumerate(oracle.differences)].count(False) == 0


@settings(max_examples=5, deadline=None)
@given(st.data(), seeds)
def test_long_sums_and_repeated_elements(data: st.DataObject, seed: int) -> None:
    """Beyond BULK for real: full exponent range, and few distinct numbers."""
    fmt = data.draw(formats)
    definition = Definition(Fraction(1), data.draw(st.sampled_from([Over.ALL, Over.LAST_AXIS])), Divisor.COUNT, Weights.NONE)
    shape = (2, module.BULK + 3) if definition.over is Over.LAST_AXIS else (module.BULK + 3,)
    both = random_bits(seed, 2 * math.prod(shape), fmt, finite=True)
    if data.draw(st.booleans()):
        both = np.resize(both[:5], both.size)
    p, t = both[: both.size // 2].reshape(shape), both[both.size // 2 :].reshape(shape)
    inputs = Inputs(p, t, None, random_bits(seed + 1, math.prod(shape[:-1]), fmt, finite=True).reshape(value_shape(definition.over, shape)))
    oracle, slow = exact(definition, inputs), expected(definition, inputs)
    check(oracle.value, slow.value, inputs.upstream.shape, "value")
    check(oracle.gradient_prediction, slow.gradient_prediction, shape, "gradient/prediction")


def simple(definition: str, prediction: list[float], target: list[float], weight: list[float] | None = None, upstream: float = 1) -> Exact:
    """``sum`` or ``mean`` or ``weighted`` of a float64 vector."""
    divisor = {"sum": Divisor.ONE, "mean": Divisor.COUNT, "weighted": Divisor.WEIGHTS}[definition]
    arrays = [None if x is None else np.array(x, dtype=np.float64) for x in (prediction, target, weight)]
    assert arrays[0] is not None
    assert arrays[1] is not None
    made = Definition(Fraction(1), Over.ALL, divisor, Weights.NONE if weight is None else Weights.ELEMENT)
    return exact(made, Inputs(arrays[0], arrays[1], arrays[2], np.array(float(upstream))))


@pytest.mark.parametrize(
    ("prediction", "target", "value", "gradient"),
    [
        ([math.nan, 1], [0, 0], math.nan, [math.nan, 1]),
        ([math.inf, 1], [0, 0], math.inf, [math.inf, 1]),
        ([-math.inf, 1], [0, 0], math.inf, [-math.inf, 1]),
        ([math.inf, 1], [math.inf, 0], math.nan, [math.nan, 1]),
        ([math.inf, 1], [-math.inf, 0], math.inf, [math.inf, 1]),
        ([], [], math.nan, []),
        ([0.0, -0.0], [-0.0, 0.0], 0, [0, 0]),
    ],
)
def test_special_numbers(prediction: list[float], target: list[float], value: float, gradient: list[float]) -> None:
    def number(x: float) -> Number:
        return Fraction(x) if math.isfinite(x) else x

    oracle = simple("mean", prediction, target)
    assert same(oracle.value.at(0), number(value))
    assert all(map(same, oracle.gradient_prediction, map(number, gradient)))
    assert all(same(a, -b) for a, b in zip(oracle.gradient_target, oracle.gradient_prediction, strict=True))


def test_zero_times_infinity_is_nan_and_an_empty_sum_is_zero() -> None:
    assert math.isnan(simple("sum", [math.inf], [0], [0]).value.at(0))
    assert math.isnan(simple("sum", [math.inf], [0], upstream=0).gradient_prediction.at(0))
    assert math.isnan(simple("sum", [1], [1], upstream=math.inf).gradient_prediction.at(0))
    assert simple("sum", [], []).value.at(0) == 0
    assert math.isnan(simple("weighted", [1, 2], [0, 0], [0, 0]).value.at(0))
    assert simple("weighted", [1, 2], [0, 0], [1, -1]).value.at(0) == -math.inf


def test_the_gradient_of_the_weights_is_the_derivative() -> None:
    """A finite difference in exact arithmetic: the value is rational in each weight."""
    for divisor in Divisor:
        definition = Definition(Fraction(1, 2), Over.ALL, divisor, Weights.ELEMENT)
        p, t, w, g = np.array([1.0, 2, 5]), np.array([0.5, 4, 1]), np.array([1.0, 2, 4]), np.array(3.0)
        gradient = exact(definition, Inputs(p, t, w, g)).gradient_weight
        assert gradient is not None
        for i in range(3):
            step = 2.0**-30
            more, less = (w + s * np.eye(3)[i] for s in (step, -step))
            values = [exact(definition, Inputs(p, t, x, g)).value.at(0) for x in (more, less)]
            slope = 3 * (Fraction(values[0]) - Fraction(values[1])) / Fraction(2 * step)
            assert abs(slope - Fraction(gradient.at(i))) < Fraction(1, 10**15)


def test_a_count_of_nonzero_weights_counts_subnormal_ones() -> None:
    tiny = float(F64.smallest_subnormal)
    definition = Definition(Fraction(1), Over.ALL, Divisor.NONZERO_WEIGHTS, Weights.ELEMENT)
    arrays = [to_array([Fraction(x) for x in values], F64) for values in ([3, 3, 3], [0, 0, 0], [1, 0, tiny])]
    assert exact(definition, Inputs(arrays[0], arrays[1], arrays[2], np.array(1.0))).divisors == [2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": np.zeros(2)}, "target: found shape"),
        ({"weight": np.zeros(3)}, "weight: found shape"),
        ({"upstream": np.zeros(3)}, "upstream: found shape"),
        ({"target": np.zeros(3, np.float32)}, "different formats"),
    ],
)
def test_arrays_that_do_not_fit_together(change: dict[str, np.ndarray], message: str) -> None:
    arrays = {"prediction": np.zeros(3), "target": np.zeros(3), "weight": None, "upstream": np.zeros(())} | change
    definition = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE)
    with pytest.raises(ValueError, match=message):
        exact(definition, Inputs(**arrays))  # type: ignore[arg-type]  # the table of arrays is a plain dictionary


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_root_and_its_gradient(data: st.DataObject) -> None:
    """Against the reference of the radicand: the root squared is it, and what the mean passes down is divided by twice the root."""
    over, weights = data.draw(st.sampled_from(list(Over))), data.draw(st.sampled_from([Weights.NONE, Weights.ELEMENT, Weights.SAMPLE]))
    definition = Definition(Fraction(1), over, Divisor.COUNT, weights, root=True)
    inputs = data.draw(any_inputs(definition, data.draw(formats)))
    oracle, slow = exact(definition, inputs), expected(definition, inputs)
    roots = list(oracle.value)
    for root, radicand in zip(roots, slow.value, strict=True):
        if isinstance(root, float):
            assert same(root, radicand) or (math.isnan(root) and radicand < 0)
        else:
            assert isinstance(radicand, Fraction)
            assert root**2 <= radicand <= (root * (1 + Fraction(1, 2**298))) ** 2
    indices = list(np.ndindex(*value_shape(over, inputs.shape)))
    for found, below, index in zip(oracle.gradient_prediction, slow.gradient_prediction, np.ndindex(*inputs.shape), strict=True):
        root = roots[indices.index(value_index(over, index))]
        assert same(found, times(over_(below, root), Fraction(1, 2)))


def number(text: str) -> Literal:
    return parse_literal(text, fractions=True)


@pytest.mark.parametrize(("x", "root"), [("0", "0"), ("1/4", "1/2"), ("0x1p-300", "0x1p-150"), ("49/9", "7/3"), ("0x1p+2000", "0x1p+1000")])
def test_rational_roots_are_exact(x: str, root: str) -> None:
    assert square_root(number(x)) == number(root)


def test_a_mask_holds_zeros_and_ones_only() -> None:
    definition = Definition(Fraction(1), Over.ALL, Divisor.WEIGHTS, Weights.MASK)
    p = np.ones(2, np.float32)
    with pytest.raises(ValueError, match="another number than 0 and 1 in a mask"):
        exact(definition, Inputs(p, p, p * 2, np.ones((), np.float32)))
