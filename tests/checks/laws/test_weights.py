"""The laws of weights, masks and roots: each is broken by a loss that is about it, and kept by a right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from one_target import cells_of

from conformance.checks.laws.law import LAWS
from conformance.numerics.formats import Array
from conformance.results.records import Outcome

Call = Callable[..., Any]


def squares(p: Array, t: Array) -> Array:
    return np.asarray(np.square(p - t))


def weighted_sum(p: Array, t: Array, w: Array) -> Any:
    return (w * squares(p, t)).sum()


def weighted_mean(p: Array, t: Array, w: Array) -> Any:
    return weighted_sum(p, t, w) / w.sum()


def gradients_of_the_sum(p: Array, t: Array, w: Array, g: Array) -> tuple[Any, ...]:
    part = 2 * w * (p - t) * g
    return part, -part, squares(p, t) * g


def gradients_of_the_mean(p: Array, t: Array, w: Array, g: Array) -> tuple[Any, ...]:
    part = 2 * w * (p - t) * (g / w.sum())
    return part, -part, (squares(p, t) - weighted_mean(p, t, w)) * (g / w.sum())


def root(p: Array, t: Array) -> Any:
    return np.sqrt(squares(p, t).mean())


RIGHT: dict[str, tuple[Call, Call | None]] = {
    "mse/weighted-sum": (weighted_sum, gradients_of_the_sum),
    "mse/weighted-mean": (weighted_mean, gradients_of_the_mean),
    "mse/masked-mean": (lambda p, t, w: squares(p, t)[w != 0].mean(), None),
    "mse/root-mean": (root, None),
}
WRONG: list[tuple[str, str, Call, Call | None]] = [
    ("weight-scaling", "mse/weighted-sum", lambda p, t, w: (np.trunc(w) * squares(p, t)).sum(), None),
    ("weight-scaling", "mse/weighted-mean", lambda p, t, w: weighted_sum(p, t, w) / (w.sum() + w.dtype.type(1e-8)), None),
    ("weight-scaling", "mse/weighted-mean", weighted_mean, lambda *a: (*gradients_of_the_mean(*a)[:2], gradients_of_the_sum(*a)[2])),
    ("weight-negation", "mse/weighted-sum", lambda p, t, w: (np.abs(w) * squares(p, t)).sum(), None),
    ("weight-negation", "mse/weighted-mean", lambda p, t, w: weighted_sum(p, t, w) / np.abs(w).sum(), None),
    ("weight-homogeneity", "mse/weighted-sum", weighted_sum, lambda *a: (*gradients_of_the_sum(*a)[:2], 2 * gradients_of_the_sum(*a)[2])),
    ("weight-homogeneity", "mse/weighted-mean", weighted_mean, gradients_of_the_sum),
    ("zero-weight", "mse/weighted-sum", lambda p, t, w: ((w + w.dtype.type(1e-6)) * squares(p, t)).sum(), None),
    ("zero-weight", "mse/weighted-mean", weighted_mean, lambda *a: (a[0] - a[1], a[1] - a[0], gradients_of_the_mean(*a)[2])),
    ("zero-weight", "mse/masked-mean", lambda p, t, w: squares(p, t).mean() * w.size / w.sum(), None),
    ("whole-roots", "mse/root-mean", lambda p, t: np.exp(np.log(squares(p, t).mean()) / 2), None),
]


def outcomes(law: str, operation: str, call: Call, own: Call | None) -> dict[Outcome, str]:
    return {cell.outcome: cell.reason for cell in cells_of(f"{operation}/law/{law}", call, own)}


@pytest.mark.parametrize(("law", "operation", "call", "own"), WRONG)
def test_a_law_is_broken_by_what_it_is_about(law: str, operation: str, call: Call, own: Call | None) -> None:
    assert Outcome.FAIL in outcomes(law, operation, call, own)


@pytest.mark.parametrize(("law", "operation"), sorted({(law, operation) for law, operation, *_ in WRONG}))
def test_a_law_is_kept_by_what_is_right(law: str, operation: str) -> None:
    found = outcomes(law, operation, *RIGHT[operation])
    assert found.keys() <= {Outcome.PASS, Outcome.UNSUPPORTED}, found
    assert Outcome.PASS in found


def test_every_law_of_weights_is_here() -> None:
    assert {name for name, law in LAWS.items() if law.test.__module__.endswith(".weights")} == {law for law, *_ in WRONG}


def test_a_mask_hides_what_it_leaves_out_or_the_check_says_so() -> None:
    """The gradient of what is masked out must be zero, whatever the value does."""
    case = "mse/masked-mean/case/masked-mean-vector"
    passes = cells_of(case, RIGHT["mse/masked-mean"][0], lambda p, t, w, g: ((p - t) * w * g, (t - p) * w * g, 0 * w))
    leaks = cells_of(case, RIGHT["mse/masked-mean"][0], lambda p, t, w, g: ((p - t) * g, (t - p) * g, 0 * w))
    assert {cell.outcome for cell in passes} == {Outcome.PASS}
    assert [cell.outcome for cell in leaks] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
