"""Intervals accuse no right one: every result of a simulated conforming evaluation lies inside.

The inputs are where it can go wrong: next to powers of two, cancelling, where squares or products leave the range at either end.
"""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from drawing import Situation, examples, situations
from hypothesis import event, given
from hypothesis import strategies as st
from simulation import Factors, Machine, Terms, gradient, value

from conformance.numerics.bounds import expectation_of
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact import Exact, exact
from conformance.numerics.formats import FORMATS
from conformance.numerics.interval import Expectation, Interval
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
    event("undefined" if interval.undefined else "underflow" if not interval.relative else "overflow" if interval.infinity else "in the middle")


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
        assert allowed.admits(0, result), (result, allowed.at(0), on)


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
            assert allowed.admits(i, result), (result, allowed.at(i), on)
            assert mirrored.admits(i, -result), (result, mirrored.at(i), on)
