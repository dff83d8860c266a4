"""Laws for which nothing may round: every operation has shapes for them, whatever few shapes a profile compiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from one_target import SPECS, cells_of

from conformance.checks.context import CheckContext, ExpectationCache, FunctionEvaluator
from conformance.checks.laws.comparing import exact_inputs, exact_shapes
from conformance.frameworks.base import Evaluation
from conformance.numerics.definition import Inputs
from conformance.numerics.exact.oracle import exact
from conformance.numerics.exact.representable import first_inexact_step
from conformance.numerics.formats import FORMATS, Array
from conformance.results.records import Outcome, Target
from conformance.run.profiles import PROFILES

BY_COUNT = "mse/sample-weighted-by-count"
COMPILED = {name: replace(profile.budget, compiles_each_shape=True) for name, profile in PROFILES.items()}
"""The profiles, with the shapes that they compile where they do not compile either: what NumPy evaluates here, jit does elsewhere."""
FITTED = ("exact-arithmetic", "linearity", "euler", "permutation", "weight-homogeneity", "zero-weight")


def by_count(p: Array, t: Array, w: Array) -> Any:
    return np.mean(w * np.square(p - t).mean(axis=-1))


def its_gradients(p: Array, t: Array, w: Array, upstream: Array) -> tuple[Any, ...]:
    scale = upstream / p.dtype.type(p.size)
    part = 2 * (w * scale)[:, None] * (p - t)
    return part, -part, np.square(p - t).sum(axis=-1) * scale


@pytest.mark.parametrize("law", FITTED)
def test_a_right_loss_keeps_the_law_where_no_compiled_shape_is_exact(law: str) -> None:
    """5 × 8 elements are no power of two, and a mean by sample has no other shape there: an exact one stands in for it."""
    assert all(len(shape) < 2 or np.prod(shape) == 40 for shape in COMPILED["full"].shapes)
    found = cells_of(f"{BY_COUNT}/law/{law}", by_count, its_gradients, budget=COMPILED["full"])
    assert found
    assert {cell.outcome for cell in found} == {Outcome.PASS}, [cell.reason for cell in found]
    assert all(cell.evaluations for cell in found)


def test_and_a_wrong_one_breaks_it() -> None:
    found = cells_of(
        f"{BY_COUNT}/law/exact-arithmetic", lambda p, t, w: by_count(p, t, w) * 40 / 39, its_gradients, budget=COMPILED["full"]
    )
    assert Outcome.FAIL in {cell.outcome for cell in found}


def _evaluates_nothing(_: Inputs) -> Evaluation:
    raise AssertionError("only shapes and inputs are asked for")


def context(operation: str, profile: str, dtype: str) -> CheckContext:
    target = Target(framework="numpy", version="0", implementation="mine", device="cpu", mode="eager", dtype=dtype)
    return CheckContext(
        target,
        SPECS.operations[operation],
        FunctionEvaluator(_evaluates_nothing),
        SPECS.error_model,
        flushes=False,
        budget=COMPILED[profile],
        cache=ExpectationCache(),
    )


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("operation", [name for name, o in SPECS.operations.items() if "exact-arithmetic" in o.laws])
def test_nothing_rounds_on_the_shapes_that_laws_are_given(operation: str, dtype: str) -> None:
    for profile in PROFILES:
        here = context(operation, profile, dtype)
        shapes = exact_shapes(here)
        assert shapes
        assert all(len(shape) >= here.operation.definition.least_rank for shape in shapes)
        for shape in shapes:
            drawn = exact_inputs(here, shape, seed=1)
            assert first_inexact_step(exact(here.operation.definition, drawn.inputs), FORMATS[dtype]) == "", (profile, shape)
