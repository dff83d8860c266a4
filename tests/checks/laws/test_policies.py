"""A policy that is declared is held against what is observed; a wrong declaration fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_target import SPECS, cells_of

from conformance.checks.laws.law import LAWS
from conformance.numerics.formats import Array
from conformance.results.merging import find
from conformance.results.reading import read
from conformance.results.records import Cell, Outcome
from conformance.specs.model import Policy
from conformance.specs.policies import POLICIES, declared


def mean(p: Array, t: Array) -> Any:
    return np.mean(np.square(p - t))


def wide(p: Array, t: Array) -> Any:
    return np.mean(np.square(p.astype(np.float64) - t.astype(np.float64))).astype(np.result_type(p, t))


def strict(p: Array, t: Array) -> Any:
    if p.shape != t.shape or p.dtype != t.dtype:
        raise ValueError("shapes and dtypes must be equal")
    return mean(p, t)


def aligns(p: Array, t: Array) -> Any:
    return mean(p.reshape(t.shape) if p.size == t.size else p, t)


def narrows(p: Array, t: Array) -> Any:
    return mean(p.astype(np.float32), t.astype(np.float32))


def sums_in_half(p: Array, t: Array) -> Any:
    return np.add.accumulate(np.square(p - t).ravel())[-1] / p.dtype.type(p.size)


def chosen(p: Array, t: Array, w: Array) -> Any:
    return np.mean(np.square(p - t)[w.astype(bool)])


def chosen_first(p: Array, t: Array, w: Array) -> Any:
    """Beside a gradient that multiplies with the mask."""
    return chosen(p, t, w)


def multiplied(p: Array, t: Array, w: Array) -> Any:
    return np.sum(w * np.square(p - t)) / np.sum(w)


def of_the_chosen(p: Array, t: Array, w: Array, upstream: Array) -> Any:
    d = np.where(w.astype(bool), 2 * (p - t) * upstream / np.sum(w), 0)
    return d, -d


def of_the_multiplied(p: Array, t: Array, w: Array, upstream: Array) -> Any:
    d = w * (2 * (p - t) * upstream / np.sum(w))
    return d, -d


OBSERVED = [
    ("broadcasting", "float32", mean, "broadcasts"),
    ("broadcasting", "float32", strict, "raises"),
    ("broadcasting", "float32", aligns, "aligns ranks"),
    ("promotion", "float32", mean, "wider dtype"),
    ("promotion", "float32", narrows, "narrower dtype"),
    ("promotion", "float32", strict, "raises"),
    ("half-accumulation", "float16", wide, "wider"),
    ("half-accumulation", "float16", sums_in_half, "input format"),
    ("square-overflow", "float16", mean, "overflows"),
    ("square-overflow", "float16", wide, "wider"),
    ("float64", "float64", mean, "kept"),
    ("float64", "float64", narrows, "narrowed"),
    ("masked-out", "float32", chosen, "takes no part"),
    ("masked-out", "float32", chosen_first, "spreads to gradients"),
    ("masked-out", "float32", multiplied, "spreads"),
]


def check(policy: str, dtype: str, call: Any, *answers: str) -> Cell:
    entries = [Policy(policy, {}, answer, "It says so", "", Path()) for answer in answers]
    own_gradient = {chosen: of_the_chosen, multiplied: of_the_multiplied, chosen_first: of_the_multiplied}.get(call)
    operation = "mse/masked-mean" if policy == "masked-out" else "mse/mean"
    (cell,) = cells_of(f"{operation}/law/policy-{policy}", call, own_gradient, dtype=dtype, policies=entries)
    return cell


@pytest.mark.parametrize(("policy", "dtype", "call", "answer"), OBSERVED)
def test_the_right_declaration_passes_and_every_other_fails(policy: str, dtype: str, call: Any, answer: str) -> None:
    assert check(policy, dtype, call, answer).outcome is Outcome.PASS
    for other in set(POLICIES[policy]) - {answer}:
        cell = check(policy, dtype, call, other)
        assert cell.outcome is Outcome.FAIL
        assert cell.reason == f"declared {other!r} (because It says so), but observed {answer!r}"


@pytest.mark.parametrize(("policy", "dtype", "call", "answer"), OBSERVED)
def test_where_nothing_is_declared_the_cell_says_what_was_observed(policy: str, dtype: str, call: Any, answer: str) -> None:
    cell = check(policy, dtype, call)
    assert cell.outcome is Outcome.UNSUPPORTED
    assert cell.reason == f"no declaration covers it; observed: {answer}"


def test_of_several_declarations_the_last_counts() -> None:
    assert check("broadcasting", "float32", mean, "raises", "broadcasts").outcome is Outcome.PASS


def test_every_policy_that_may_be_declared_has_a_law() -> None:
    assert {name for name in LAWS if name.startswith("policy-")} == {f"policy-{name}" for name in POLICIES}


def test_every_policy_that_is_asked_of_a_shipped_implementation_is_declared() -> None:
    """By the cells of the committed results files, in all their modes."""
    folder = Path(__file__).parents[3] / "reports" / "results"
    asked = [cell for file in find([folder]) for cell in read(file).cells if "/law/policy-" in cell.check]
    assert {cell.check.rpartition("/policy-")[2] for cell in asked} == set(POLICIES)
    for cell in asked:
        if cell.target.implementation != "*":
            assert cell.check.rpartition("/policy-")[2] in declared(SPECS.policies, cell.target.model_dump()), cell.id
