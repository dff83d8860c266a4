"""Intervals accuse no right one: every result of a simulated conforming evaluation lies inside.

The inputs are where it can go wrong: next to powers of two, cancelling, where squares or products leave the range at either end.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from drawing import Situation, examples, situations, to_array
from hypothesis import event, given
from hypothesis import strategies as st
from reference import over, times
from simulation import Factors, Machine, Terms, gradient, rooted, value, weight_gradient

from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.formats import FORMATS
from conformance.specs.load import load

ERROR_MODEL = load().error_model
RUNS = 6

kinds = pytest.mark.parametrize(("weighted", "factored"), [(False, False), (True, False), (False, True), (True, True)])
chosen = st.randoms(use_true_random=True)


def machine(situation: Situation, choose: random.Random, *, wider: bool, flushes: bool) -> Machine:
    """A target: one that is declared to flush may do so for inputs, for results, or for neither."""
    fmt = situation.format
    output = FORMATS["float64"] if wider else fmt
    flushing = [flushes and choose.random() < 0.7 for _ in range(2)]
    return Machine(fmt, fmt.accumulator, output, choose, flushes_inputs=flushing[0], flushes_results=flushing[1])


def one_value(situation: Situation, oracle: Exact, on: Machine) -> Fraction | float:
    by_weights = situation.definition.divisor is Divisor.WEIGHTS
    divisor = None if by_weights and situation.weight is not None else oracle.divisors[0]
    return value(on, Terms(situation.prediction, situation.target, situation.weight, situation.definition.factor, divisor))


def one_gradient(situation: Situation, oracle: Exact, on: Machine, i: int) -> Fraction | float:
    divisor = oracle.divisors[0]
    if situation.definition.divisor is Divisor.WEIGHTS and situation.weight is not None:
        divisor = on.summed([on.read(w) for w in situation.weight])
    weight = None if situation.weight is None else situation.weight[i]
    factors = Factors(situation.prediction[i], situation.target[i], situation.upstream[0], weight, situation.definition.factor, divisor)
    return gradient(on, factors)


def expectation(situation: Situation, quantity: Quantity, on: Machine, *, flushes: bool) -> tuple[Exact, Expectation]:
    oracle = exact(situation.definition, situation.inputs)
    return oracle, expectation_of(oracle, ERROR_MODEL, quantity, on.output, flushes=flushes)


def note(interval: Interval) -> None:
    """Statistics of ``pytest --hypothesis-show-statistics``: how many draws are at the ends of the range."""
    event(
        "undefined"
        if interval.undefined
        else "underflow"
        if not interval.relative
        else "overflow"
        if interval.infinity
        else "in the middle"
    )


@kinds
@examples(150)
@given(data=st.data(), choose=chosen, wider=st.booleans(), flushes=st.booleans())
def test_values(data: st.DataObject, choose: random.Random, *, weighted: bool, factored: bool, wider: bool, flushes: bool) -> None:
    situation = data.draw(situations(weighted=weighted, factored=factored))
    oracle, allowed = expectation(situation, Quantity.VALUE, machine(situation, choose, wider=wider, flushes=flushes), flushes=flushes)
    note(allowed.at(0))
    for _ in range(RUNS):
        on = machine(situation, choose, wider=wider, flushes=flushes)
        result = one_value(situation, oracle, on)
        assert allowed.contains(0, result), (result, allowed.at(0), on)


@kinds
@examples(150)
@given(data=st.data(), choose=chosen, wider=st.booleans(), flushes=st.booleans())
def test_gradients(data: st.DataObject, choose: random.Random, *, weighted: bool, factored: bool, wider: bool, flushes: bool) -> None:
    situation = data.draw(situations(weighted=weighted, factored=factored))
    on = machine(situation, choose, wider=wider, flushes=flushes)
    oracle, allowed = expectation(situation, Quantity.GRADIENT_PREDICTION, on, flushes=flushes)
    _, mirrored = expectation(situation, Quantity.GRADIENT_TARGET, on, flushes=flushes)
    note(allowed.at(0))
    for i in range(len(situation.prediction)):
        for _ in range(RUNS):
            on = machine(situation, choose, wider=wider, flushes=flushes)
            result = one_gradient(situation, oracle, on, i)
            assert allowed.contains(i, result), (result, allowed.at(i), on)
            assert mirrored.contains(i, -result), (result, mirrored.at(i), on)


@pytest.mark.parametrize("factored", [False, True])
@pytest.mark.parametrize("by_sample", [False, True])
@examples(150)
@given(data=st.data(), choose=chosen, wider=st.booleans(), flushes=st.booleans())
def test_gradients_of_weights(
    data: st.DataObject, choose: random.Random, *, factored: bool, by_sample: bool, wider: bool, flushes: bool
) -> None:
    """Of every element, or with one weight for all of them: a sample."""
    situation = data.draw(situations(weighted=True, factored=factored))
    assert situation.weight is not None
    definition, count = situation.definition, len(situation.prediction)
    if by_sample:
        if definition.over is not Over.ALL:
            return
        definition = replace(definition, weights=Weights.SAMPLE)
        flat = situation.inputs
        inputs = Inputs(
            flat.prediction.reshape(1, -1), flat.target.reshape(1, -1), to_array(situation.weight[:1], situation.format), flat.upstream
        )
    else:
        inputs = situation.inputs
    weights = situation.weight[:1] * count if by_sample else situation.weight
    oracle = exact(definition, inputs)
    allowed = expectation_of(
        oracle, ERROR_MODEL, Quantity.GRADIENT_WEIGHT, machine(situation, choose, wider=wider, flushes=flushes).output, flushes=flushes
    )
    note(allowed.at(0))
    divisor = None if definition.divisor is Divisor.WEIGHTS else oracle.divisors[0]
    terms = Terms(situation.prediction, situation.target, weights, definition.factor, divisor)
    for i in range(len(allowed.intervals)):
        elements = range(count) if by_sample else [i]
        for _ in range(RUNS):
            on = machine(situation, choose, wider=wider, flushes=flushes)
            result = weight_gradient(on, terms, situation.upstream[0], elements)
            assert allowed.contains(i, result), (result, allowed.at(i), on)


@examples(200)
@given(data=st.data(), choose=chosen, wider=st.booleans(), flushes=st.booleans())
def test_roots(data: st.DataObject, choose: random.Random, *, wider: bool, flushes: bool) -> None:
    situation = data.draw(situations(weighted=False, factored=False))
    situation = replace(situation, definition=replace(situation.definition, root=True))
    oracle, allowed = expectation(situation, Quantity.VALUE, machine(situation, choose, wider=wider, flushes=flushes), flushes=flushes)
    note(allowed.at(0))
    for _ in range(RUNS):
        on = machine(situation, choose, wider=wider, flushes=flushes)
        divisor = oracle.divisors[0]
        in_the_middle = replace(on, output=on.wide if on.wide.is_wider_than(on.output) else on.output)
        result = rooted(on, value(in_the_middle, Terms(situation.prediction, situation.target, None, Fraction(1), divisor)))
        assert allowed.contains(0, result), (result, allowed.at(0), on)


@examples(200)
@given(data=st.data(), choose=chosen, wider=st.booleans(), flushes=st.booleans())
def test_gradients_of_roots(data: st.DataObject, choose: random.Random, *, wider: bool, flushes: bool) -> None:
    """What arrives at the mean is upstream/(2·root), of the root that was computed."""
    situation = data.draw(situations(weighted=False, factored=False))
    situation = replace(situation, definition=replace(situation.definition, root=True))
    on = machine(situation, choose, wider=wider, flushes=flushes)
    oracle, allowed = expectation(situation, Quantity.GRADIENT_PREDICTION, on, flushes=flushes)
    note(allowed.at(0))
    for _ in range(RUNS):
        on = machine(situation, choose, wider=wider, flushes=flushes)
        terms = Terms(situation.prediction, situation.target, None, Fraction(1), oracle.divisors[0])
        root = rooted(on, value(replace(on, output=on.wide if on.wide.is_wider_than(on.output) else on.output), terms))
        arrives = on.step(over(on.read(situation.upstream[0]), times(Fraction(2), root)))
        for i in range(len(situation.prediction)):
            factors = Factors(situation.prediction[i], situation.target[i], arrives, None, Fraction(1), oracle.divisors[0])
            result = gradient(replace(on, flushes_inputs=False), factors)
            assert allowed.contains(i, result), (result, allowed.at(i), on)


def mean_over(count: int, number: str) -> list[Fraction]:
    """A number, and zeros up to the count."""
    return [Fraction(float.fromhex(number)), *[Fraction(0)] * (count - 1)]


SUBNORMAL_UPSTREAM = float.hex(0.75 * 2.0**-14)
FOUND = [
    # What the searches above once found refused: format, prediction, target, upstream, result, flushes.
    pytest.param(
        "float16", mean_over(5, "0x1p8"), "0", "0x1.74p-18", 9728 * 2.0**-24, False, id="upstream/N loses digits, and is doubled after"
    ),
    pytest.param(
        "float32", mean_over(64, "0x1.00001ep-100"), "0", "0x1p-25", 2.0**-130, False, id="d·G/N underflows, and is doubled after"
    ),
    pytest.param("float16", mean_over(1, "0x1p3"), "0", SUBNORMAL_UPSTREAM, 0.0, True, id="a subnormal upstream gradient is read as zero"),
    pytest.param("float32", mean_over(6, "-0x1p-63"), "0", "-0x1.2p-61", 0.0, True, id="d·G/N is flushed, twice it would not be"),
    pytest.param(
        "bfloat16", mean_over(3, "0x1p-76"), "0", "0x1.fep+127", float("inf"), False, id="the doubled upstream gradient overflows"
    ),
    pytest.param("float16", mean_over(1, "0x1.ffcp15"), "-0x1.ffcp15", "0", float("nan"), False, id="an infinite difference times zero"),
]


@pytest.mark.parametrize(("name", "prediction", "target", "upstream", "result", "flushes"), FOUND)
def test_gradients_once_refused(name: str, prediction: list[Fraction], target: str, upstream: str, result: float, *, flushes: bool) -> None:
    fmt = FORMATS[name]
    targets = mean_over(len(prediction), target)
    arrays = [to_array(x, fmt) for x in (prediction, targets, mean_over(1, upstream))]
    inputs = Inputs(arrays[0], arrays[1], None, arrays[2].reshape(()))
    definition = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE)
    allowed = expectation_of(exact(definition, inputs), ERROR_MODEL, Quantity.GRADIENT_PREDICTION, flushes=flushes)
    assert allowed.contains(0, Fraction(result) if math.isfinite(result) else result)


@pytest.mark.parametrize(
    ("divisor", "prediction", "weight", "result"),
    [
        pytest.param(Divisor.ONE, [2.0**65, 1.0], [0.0, 1.0], math.nan, id="an infinite square times a weight of zero"),
        pytest.param(
            Divisor.WEIGHTS, [1.0, 1.0, 3.0, 1.0], [1.0, 2.0**-30, -1.0, -(2.0**-30)], -8 * 2.0**30, id="weights that sum to zero"
        ),
        pytest.param(Divisor.WEIGHTS, [1.0, 1.0], [2.0**-130, 2.0**-130], math.inf, id="weights whose reciprocal overflows"),
    ],
)
def test_weighted_values_once_refused(divisor: Divisor, prediction: list[float], weight: list[float], result: float) -> None:
    definition = Definition(Fraction(1), Over.ALL, divisor, Weights.ELEMENT)
    p, w = (np.array(x, np.float32) for x in (prediction, weight))
    inputs = Inputs(p, np.zeros_like(p), w, np.ones((), np.float32))
    allowed = expectation_of(exact(definition, inputs), ERROR_MODEL, Quantity.VALUE)
    assert allowed.contains(0, Fraction(result) if math.isfinite(result) else result)
    assert allowed.allowances


# ---- an infinite difference, and a scale that may come out as zero ----


@pytest.mark.parametrize(
    ("name", "upstream", "flushes", "may_be_nan"),
    [
        ("float32", 2.0**-126, True, True),  # half of it is flushed to zero
        ("float32", 2.0**-126, False, False),  # and kept elsewhere
        ("float32", 1.0, True, False),
        ("float16", 2.0**-24, False, True),  # half of the smallest subnormal number rounds to zero
        ("float16", 2.0**-20, False, False),
    ],
)
def test_zero_times_an_infinite_difference_is_nan(name: str, upstream: float, *, flushes: bool, may_be_nan: bool) -> None:
    """As G/N · 2(p − t) is computed."""
    dtype = FORMATS[name].dtype
    inputs = Inputs(np.array([-np.inf, 1], dtype), np.zeros(2, dtype), None, np.asarray(upstream, dtype))
    oracle = exact(Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE), inputs)
    allowed = expectation_of(oracle, ERROR_MODEL, Quantity.GRADIENT_PREDICTION, flushes=flushes)
    assert allowed.at(0).contains(-math.inf)
    assert allowed.at(0).contains(math.nan) is may_be_nan
    assert not allowed.at(1).contains(math.nan)
