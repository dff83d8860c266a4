"""A recipe, applied to the exact results of one operation, gives those of the other: for every two operations of the specs."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import Array
from conformance.reports.compare.formulas import SYMBOLS, Factor, Recipe, made_of
from conformance.specs.load import load

Number = Fraction | float


@cache
def definitions() -> dict[str, Definition]:
    return {name: operation.definition for name, operation in load().operations.items()}


def spread(definition: Definition, weight: Array | None, shape: tuple[int, int]) -> Array | None:
    """The weight of every element."""
    if weight is None:
        return None
    return np.broadcast_to(weight[:, None], shape) if definition.by_sample else weight


def value(definition: Definition, p: Array, t: Array, weight: Array | None) -> list[Number]:
    upstream = np.ones(definition.value_shape(p.shape))
    found = exact(definition, Inputs(p, t, weight, upstream)).value
    return [found.at(place) for place in range(upstream.size)]


def arguments(wanted: Definition, given: Definition, p: Array, t: Array, weight: Array | None) -> tuple[Array, Array, Array | None]:
    """Prediction, target and weight as the recipe says that they are given to ``given``."""
    every = spread(wanted, weight, (p.shape[0], p.shape[1]))
    if given.weights is Weights.NONE:
        return p, t, None
    if wanted.weights is Weights.NONE:
        return p, t, np.ones(given.weight_shape(p.shape) or ())
    if given.by_sample and not wanted.by_sample:
        assert every is not None
        return p.reshape(-1, 1), t.reshape(-1, 1), every.reshape(-1)
    return p, t, weight if given.by_sample else every


def applied(recipe: Recipe, wanted: Definition, given: Definition, p: Array, t: Array, weight: Array | None) -> list[Number]:
    """What the recipe makes of exact results."""
    rows, columns = p.shape
    every = spread(wanted, weight, (rows, columns))
    numbers = value(given, *arguments(wanted, given, p, t, weight))
    numbers = [x**2 for x in numbers] if recipe.squared else numbers
    if recipe.weighted:
        assert weight is not None
        assert every is not None
        held = every.reshape(-1) if given.over is Over.NONE else weight
        numbers = [Fraction(float(w)) * x for w, x in zip(held, numbers, strict=True)]
    if recipe.over is not None:
        length = len(numbers) if recipe.over is Over.ALL else columns
        numbers = [sum(numbers[i : i + length], Fraction(0)) for i in range(0, len(numbers), length)]
    total = Fraction(0) if weight is None else sum((Fraction(float(w)) for w in weight.reshape(-1)), Fraction(0))
    nonzero = 0 if weight is None else int(np.count_nonzero(weight))
    symbols = {"n": p.size, "N": rows, "d": columns, "Σw": total, "k": nonzero, "m": nonzero}
    factor = recipe.factor.number
    for symbol, power in recipe.factor.powers.items():
        factor *= Fraction(symbols[symbol]) ** power
    numbers = [factor * x for x in numbers]
    return [float(x) ** 0.5 for x in numbers] if recipe.root else numbers


PAIRS = [(one, other) for one, other in product(definitions(), repeat=2) if made_of(definitions()[one], definitions()[other])]


@pytest.mark.parametrize(("name", "other"), PAIRS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None)
def test_a_recipe_gives_the_other_operation(name: str, other: str, seed: int) -> None:
    wanted, given = definitions()[name], definitions()[other]
    recipe = made_of(wanted, given)
    assert recipe is not None
    draw = np.random.default_rng(seed)
    shape = (int(draw.integers(1, 4)), int(draw.integers(1, 4)))
    p, t = (draw.integers(-4, 5, shape).astype(np.float64) for _ in range(2))
    held = wanted.weight_shape(shape)
    weight = None if held is None else draw.integers(0, 2 if wanted.masked else 4, held).astype(np.float64)
    if weight is not None and not weight.any():
        weight[(0,) * weight.ndim] = 1
    made, expected = applied(recipe, wanted, given, p, t, weight), value(wanted, p, t, weight)
    if wanted.root or given.root:
        assert [float(x) for x in made] == pytest.approx([float(x) for x in expected])
    else:
        assert made == expected


def test_most_operations_can_be_made_of_some_other_one() -> None:
    assert len(PAIRS) > 150
    assert {one for one, other in PAIRS if one != other} == set(definitions())


def test_what_was_summed_cannot_be_taken_apart_again() -> None:
    for name in ("mse/none", "mse/last-axis", "mse/per-sample"):
        assert made_of(definitions()[name], definitions()["mse/mean"]) is None
    assert made_of(definitions()["mse/weighted-mean"], definitions()["mse/mean"]) is None


@pytest.mark.parametrize(
    ("wanted", "given", "written"),
    [
        ("mse/half-sum", "mse/sum", "1 / 2 * B"),
        ("mse/sum", "mse/mean", "n * B"),
        ("mse/half-sum", "mse/mean", "n / 2 * B"),
        ("mse/sum-of-row-means", "mse/sum", "1 / d * B"),
        ("mse/mean", "mse/none", "1 / n * (sum of B)"),
        ("mse/mean", "mse/root-mean", "(B) ** 2"),
        ("mse/weighted-mean", "mse/none", "1 / Σw * (sum of weight * B)"),
    ],
)
def test_a_recipe_is_written_as_a_person_would(wanted: str, given: str, written: str) -> None:
    recipe = made_of(definitions()[wanted], definitions()[given])
    assert recipe is not None
    assert recipe.written("B") == written


def test_factors_multiply_and_invert() -> None:
    factor = Factor(Fraction(3, 2), {"n": 1, "Σw": -1})
    assert (factor * factor.inverse).is_one
    assert factor.words == "3 * n / (2 * Σw)"
    assert set(factor.powers) <= set(SYMBOLS)


def test_every_divisor_is_known() -> None:
    assert {definition.divisor for definition in definitions().values()} == set(Divisor)
