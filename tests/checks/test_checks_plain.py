"""What is judged in a few steps is judged as it is in all of them; what is kept is kept within limits."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.checks import context
from conformance.checks.context import ExpectationCache
from conformance.checks.judge import judge
from conformance.inputs.families import FAMILIES, Descriptor, make
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Definition, Divisor, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS
from conformance.specs.load import load

ERROR_MODEL = load().error_model
QUANTITIES = st.sampled_from([Quantity.VALUE, Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET])


def one(family: str, seed: int, over: Over, dtype: str, quantity: Quantity, *, flushes: bool) -> Expectation:
    definition = Definition(Fraction(1), over, Divisor.COUNT, Weights.NONE)
    inputs = make(FAMILIES[family], Descriptor(seed, (3, 5), 2, 0), definition, dtype)
    return expectation_of(exact(definition, inputs), ERROR_MODEL, quantity, flushes=flushes)


@settings(max_examples=300, deadline=None)
@given(
    family=st.sampled_from(list(FAMILIES)),
    seed=st.integers(0, 999),
    over=st.sampled_from(Over),
    dtype=st.sampled_from(list(FORMATS)),
    quantity=QUANTITIES,
    moved=st.lists(st.integers(-3, 3), min_size=15, max_size=15),
    flushes=st.booleans(),
)
def test_the_few_steps_say_what_all_of_them_say(
    family: str, seed: int, over: Over, dtype: str, quantity: Quantity, moved: list[int], *, flushes: bool
) -> None:
    expected = one(family, seed, over, dtype, quantity, flushes=flushes)
    count = expected.index.size
    with np.errstate(over="ignore", invalid="ignore"):
        found = expected.center + np.ldexp(np.array(moved[:count], float), expected.ulp_exponent)
        observed = found.astype(FORMATS[dtype].dtype).reshape(expected.shape)
    quickly = judge(expected, observed, flushes=flushes)
    expected.__dict__["plain"] = False
    assert quickly == judge(expected, observed, flushes=flushes)


def test_ordinary_results_take_the_few_steps() -> None:
    assert one("ordinary", 0, Over.ALL, "float32", Quantity.VALUE, flushes=False).plain
    assert not one("extremes", 0, Over.NONE, "float32", Quantity.VALUE, flushes=False).plain


def test_the_cache_forgets_the_oldest_beyond_its_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_ELEMENTS", 40)
    cache = ExpectationCache()
    made = []

    def maker(key: int) -> Callable[[], Expectation]:
        def make_it() -> Expectation:
            made.append(key)
            return one("ordinary", key, Over.NONE, "float32", Quantity.VALUE, flushes=False)  # 15 elements

        return make_it

    for key in (0, 1, 0, 2, 0, 1):
        cache.get(key, maker(key))
    assert made == [0, 1, 2, 1]


def test_nobody_can_write_to_made_inputs() -> None:
    definition = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE)
    made = [make(FAMILIES["ordinary"], Descriptor(1, (3,), 2, 0), definition, "float32") for _ in range(2)]
    assert np.shares_memory(made[0].prediction, made[1].prediction)
    with pytest.raises(ValueError, match="read-only"):
        made[0].prediction[0] = 1
