"""Grades, line by line of their table, and the chain probe on summation orders whose chains are known."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conformance.checks.context import CheckContext, ExpectationCache, FunctionEvaluator
from conformance.checks.grading import ORDER, grade, tree_bound_u, tree_height, worst
from conformance.checks.growth import GrowthCheck, constant, probe, random
from conformance.frameworks.base import Evaluation, ExecutionReport
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.results.records import Grade, Outcome, Target
from conformance.run.profiles import PROFILES
from conformance.specs.load import load

SPECS = load()
SEQUENTIAL, PAIRWISE, LANES = "sequential", "pairwise", "8 lanes"


def graded(
    *,
    u: float = 0,
    ulp: float = 0,
    rounded: bool = False,
    tree: float = 80,
    n: int = 1000,
    random: bool = False,
    chain: float | None = None,
) -> Grade:
    return grade(error_u=u, error_ulp=ulp, correctly_rounded=rounded, tree_bound=tree, n=n, random=random, chain=chain)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (Grade.CORRECTLY_ROUNDED, {"ulp": 0.5, "u": 1, "rounded": True}),
        (Grade.FAITHFUL, {"ulp": 0.5, "u": 1}),
        (Grade.FAITHFUL, {"ulp": 0.999, "u": 1.9}),
        (Grade.CONSTANT, {"ulp": 1, "u": 2}),
        (Grade.CONSTANT, {"ulp": 4, "u": 8, "tree": 5}),
        (Grade.CONSTANT, {"ulp": 3, "u": 6, "chain": 1000}),
        (Grade.LOGARITHMIC, {"ulp": 4.1, "u": 8.2}),
        (Grade.LOGARITHMIC, {"ulp": 40, "u": 80}),
        (Grade.LOGARITHMIC, {"ulp": 40, "u": 80, "chain": 84}),
        (Grade.LINEAR, {"ulp": 41, "u": 81}),
        (Grade.SQUARE_ROOT, {"ulp": 41, "u": 81, "random": True}),
        (Grade.SQUARE_ROOT, {"ulp": 94, "u": 6 * math.sqrt(1000), "random": True}),
        (Grade.LINEAR, {"ulp": 95, "u": 6 * math.sqrt(1000) + 1, "random": True}),
        (Grade.SQUARE_ROOT, {"ulp": 10, "u": 20, "chain": 4 * math.sqrt(1000)}),
        (Grade.LINEAR, {"ulp": 10, "u": 20, "chain": 4 * math.sqrt(1000) + 1}),
        (Grade.LINEAR, {"ulp": 10, "u": 20, "chain": 999}),
    ],
)
def test_the_table_of_grades(expected: Grade, found: dict[str, Any]) -> None:
    assert graded(**found) is expected


def test_grades_are_ordered_from_best_to_worst() -> None:
    assert list(ORDER) == list(Grade)
    assert worst([]) is None
    assert worst([Grade.FAITHFUL]) is Grade.FAITHFUL
    assert worst([Grade.CONSTANT, Grade.LINEAR, Grade.CORRECTLY_ROUNDED]) is Grade.LINEAR


@pytest.mark.parametrize(("n", "height"), [(0, 64), (1, 64), (2, 66), (3, 68), (1024, 84), (1025, 86), (10**6, 104)])
def test_the_height_of_a_tree(n: int, height: int) -> None:
    assert tree_height(n) == height


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
def test_the_bound_of_a_tree_is_that_of_so_many_additions(fmt: Format) -> None:
    accumulator = FORMATS["float32"] if fmt.precision < 24 else fmt
    for n in (10, 1000, 10**6):
        additions = min(n - 1, tree_height(n))
        cast = 1 + fmt.rounding if fmt.precision < 24 else 1
        theta = (1 + fmt.rounding) ** 3 * (1 + additions * accumulator.unit_roundoff) * (1 + accumulator.rounding) ** 2 * cast - 1
        found = tree_bound_u(SPECS.operations["mse/mean"].definition, SPECS.error_model, fmt, n)
        assert found == float(theta / fmt.unit_roundoff)


# ---- the chain probe ----


def in_lanes(squares: Array) -> Any:
    """Eight accumulators, each in sequence, then added one after the other."""
    padded = np.append(squares, np.zeros(-squares.size % 8, squares.dtype)).reshape(-1, 8)
    return np.add.accumulate(np.add.accumulate(padded, axis=0)[-1])[-1]


def in_pairs(squares: Array) -> Any:
    while squares.size > 1:
        squares = np.append(squares, np.zeros(squares.size % 2, squares.dtype)).reshape(-1, 2)
        squares = squares[:, 0] + squares[:, 1]
    return squares[0]


SUMS: dict[str, Callable[[Array], Any]] = {SEQUENTIAL: lambda s: np.add.accumulate(s)[-1], PAIRWISE: in_pairs, LANES: in_lanes}


def context(operation: str, dtype: str, order: str, n: int) -> CheckContext:
    """A target that sums the squares in a known order."""

    def evaluate(inputs: Inputs) -> Evaluation:
        squares = np.square(inputs.prediction - inputs.target)
        total = SUMS[order](squares)
        value = total / squares.dtype.type(squares.size) if operation == "mse/mean" else total
        return Evaluation(np.asarray(value), {}, ExecutionReport("cpu", "eager", dtype, ()))

    target = Target(framework="numpy", version="0", implementation=order.replace(" ", "-"), device="cpu", mode="eager", dtype=dtype)
    budget = replace(PROFILES["full"].budget, growth_sizes=(n,))
    found = SPECS.operations[operation]
    evaluator = FunctionEvaluator(evaluate)
    return CheckContext(target, found, evaluator, SPECS.error_model, flushes=False, budget=budget, cache=ExpectationCache())


def chain_and_grade(operation: str, dtype: str, order: str, n: int) -> tuple[float, Grade | None]:
    (finding,) = GrowthCheck(operation=operation).run(context(operation, dtype, order, n))
    assert finding.outcome is Outcome.PASS, finding.reason
    found = [re.fullmatch(r"chain of (\d+) at n = (\d+)", flag) for flag in finding.flags]
    (match,) = [m for m in found if m]
    assert int(match[2]) == n
    return float(match[1]), finding.grade


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operation", ["mse/sum", "mse/mean"])
@pytest.mark.parametrize("n", [1000, 20_000])
def test_the_probe_counts_the_chain(operation: str, dtype: str, n: int) -> None:
    """To within one rounding of the probe's sum, which is 8 in float32 and 4 in float64, and one of the mean's division."""
    near = 2 * (8 if dtype == "float32" else 4)
    sequential, linear = chain_and_grade(operation, dtype, SEQUENTIAL, n)
    assert abs(sequential - (n - 1)) <= near
    lanes, also_linear = chain_and_grade(operation, dtype, LANES, n)
    assert abs(lanes - (n // 8 - 1)) <= 3 * near  # the other lanes are added to the large number one by one
    pairwise, good = chain_and_grade(operation, dtype, PAIRWISE, n)
    assert pairwise <= 2 * math.log2(n) + near
    assert linear is Grade.LINEAR
    assert also_linear in ({Grade.LINEAR} if n // 8 > 4 * math.sqrt(n) else {Grade.SQUARE_ROOT, Grade.LINEAR})
    assert good in {Grade.FAITHFUL, Grade.CONSTANT}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_probe_is_exact_before_it_is_summed(dtype: str) -> None:
    fmt = FORMATS[dtype]
    p, t = probe(100, fmt)
    squares = np.square(p - t)
    first = Fraction(float(squares[0]))
    assert first >= Fraction(2) ** (fmt.precision + 1)
    assert fmt.round(first + 1) == first  # a one is less than half an ulp of it
    assert fmt.round(first - 1) != first - 1 or fmt.ulp(first - 1) <= 1
    assert set(squares[1:].tolist()) == {1.0}


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_data_of_growth_is_the_same_every_time(dtype: str) -> None:
    fmt = FORMATS[dtype]
    for data in (constant, random, probe):
        one, other = data(100, fmt), data(100, fmt)
        for a, b in zip(one, other, strict=True):
            assert a.dtype == fmt.dtype
            assert a.shape == (100,)
            assert a.tobytes() == b.tobytes()
