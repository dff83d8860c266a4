"""Every law has something to say: for each there is a loss that breaks it, and one that is right and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from one_target import cells_of

from conformance.checks.laws.law import LAWS
from conformance.frameworks.base import Implementation
from conformance.numerics.formats import Array
from conformance.results.records import Cell, Outcome

Call = Callable[..., Any]


def squares(p: Array, t: Array) -> Array:
    return np.asarray(np.square(p - t))


def mean(p: Array, t: Array) -> Any:
    return squares(p, t).mean()


def gradient(p: Array, t: Array, upstream: Array) -> tuple[Any, Any]:
    part = (2 * upstream / p.dtype.type(p.size)) * (p - t)
    return part, -part


class Remembers:
    """One more than it should be from its second call on, for each shape, object, or failure it has met."""

    def __init__(self, key: Callable[[Array, Array], object]) -> None:
        self.key = key
        self.seen: set[object] = set()

    def __call__(self, p: Array, t: Array) -> Any:
        known = self.key(p, t) in self.seen
        self.seen.add(self.key(p, t))
        return mean(p, t) + known


class Caches:
    """The result of the tensor it was last called with."""

    last: tuple[Array, Any] | None = None

    def __call__(self, p: Array, t: Array) -> Any:
        if self.last is None or self.last[0] is not p:
            self.last = p, mean(p, t)
        return self.last[1]


class Fails:
    """Wrong once it has refused a call."""

    failed = False

    def __call__(self, p: Array, t: Array) -> Any:
        if p.shape != t.shape:
            self.failed = True
            raise ValueError("shapes differ")
        return mean(p, t) + self.failed


class Plans:
    """Remembers the length of the first call of each rank."""

    def __init__(self) -> None:
        self.longest = 0

    def __call__(self, p: Array, t: Array) -> Any:
        known, self.longest = self.longest, max(self.longest, p.size)
        return mean(p, t) * (2 if known > 0 and p.size < known else 1)


def reads_memory(p: Array, t: Array) -> Any:
    if not p.size or (p.flags.c_contiguous and t.flags.c_contiguous):
        return mean(p, t)
    lowest = p if all(stride >= 0 for stride in p.strides) else p[tuple(slice(None, None, -1) for _ in p.shape)]
    return squares(np.lib.stride_tricks.as_strided(lowest, (1,), (p.itemsize,)), t.ravel()[:1]).mean()


def overwrites(p: Array, t: Array) -> Any:
    if p.flags.writeable:
        p -= t
        return np.square(p).mean()
    return mean(p, t)


WRONG: dict[str, tuple[str, Call, Call | None]] = {
    "exact-arithmetic": ("mse/mean", lambda p, t: squares(p, t).sum() / max(p.size - 1, 1), None),
    "subnormals-as-declared": ("mse/mean", lambda p, t: np.where(squares(p, t) < np.finfo(np.float32).tiny, 0, squares(p, t)).mean(), None),
    "swap": ("mse/mean", lambda p, t: (p * p - t * t).mean(), None),
    "negation": ("mse/mean", lambda p, t: np.where(p > t, squares(p, t), 0).mean(), None),
    "scaling": ("mse/mean", lambda p, t: np.abs(p - t).mean(), None),
    "antisymmetry": ("mse/mean", mean, lambda p, t, g: (gradient(p, t, g)[0], 0 * p)),
    "linearity": ("mse/mean", mean, lambda p, t, g: gradient(p, t, np.abs(g))),
    "repetition": ("mse/mean", Remembers(lambda p, t: (p.tobytes(), t.tobytes())), None),
    "euler": ("mse/mean", mean, lambda p, t, g: tuple(part / 2 for part in gradient(p, t, g))),
    "equality": ("mse/mean", lambda p, t: mean(p, t) + p.dtype.type(1e-7), None),
    "sign": ("mse/mean", lambda p, t: (np.square(p) - 2 * p * t + np.square(t)).mean(), None),
    "permutation": ("mse/mean", lambda p, t: mean(p, t) + np.square(p - t).ravel()[0] if p.size else mean(p, t), None),
    "concatenation": ("mse/mean", lambda p, t: squares(p, t).sum() / max(p.size - 1, 1), None),
    "rounds-once": ("mse/none", lambda p, t: p * p - 2 * p * t + t * t, None),
    "every-length": ("mse/mean", lambda p, t: squares(p, t).ravel()[: p.size - (p.size % 32 == 31)].sum() / max(p.size, 1), None),
    "special-pairs": ("mse/mean", lambda p, t: np.nan_to_num(squares(p, t)).mean(), None),
    "layouts": ("mse/mean", reads_memory, None),
    "inputs-unchanged": ("mse/mean", overwrites, None),
    "one-buffer": ("mse/mean", lambda p, t: mean(p, t) + np.shares_memory(p, t), None),
    "after-other-shapes": ("mse/mean", Plans(), None),
    "after-a-failure": ("mse/mean", Fails(), None),
    "edited-in-place": ("mse/mean", Caches(), None),
}


def run(
    law: str, operation: str, call: Call, own: Call | None = None, framework: str = "numpy", others: tuple[Implementation, ...] = ()
) -> list[Cell]:
    return cells_of(f"{operation}/law/{law}", call, own, framework=framework, others=others)


def outcomes(cells: list[Cell]) -> set[Outcome]:
    return {cell.outcome for cell in cells}


@pytest.mark.parametrize("law", WRONG)
def test_a_law_is_broken_by_what_it_is_about(law: str) -> None:
    operation, call, own = WRONG[law]
    found = run(law, operation, call, own or (gradient if operation == "mse/mean" else None))
    assert Outcome.FAIL in outcomes(found), [(cell.outcome, cell.reason) for cell in found]


@pytest.mark.parametrize("law", WRONG)
def test_a_law_is_kept_by_what_is_right(law: str) -> None:
    operation = WRONG[law][0]
    found = run(law, operation, mean if operation == "mse/mean" else squares, gradient if operation == "mse/mean" else None)
    assert outcomes(found) <= {Outcome.PASS, Outcome.UNSUPPORTED}, [cell.reason for cell in found]
    assert Outcome.PASS in outcomes(found)


def test_forms_of_one_entry_point_must_agree() -> None:
    total = Implementation("mine.sum", "mine_sum", "mse/sum", lambda p, t: squares(p, t).sum(), ("eager",), ("float32",))
    doubled = replace(total, call=lambda p, t: 2 * squares(p, t).sum())
    assert outcomes(run("reductions-agree", "mse/mean", mean, others=(total,))) == {Outcome.PASS}
    (cell,) = run("reductions-agree", "mse/mean", mean, others=(doubled,))
    assert cell.outcome is Outcome.FAIL
    assert "mine_sum" in cell.reason
    assert outcomes(run("reductions-agree", "mse/mean", mean)) == {Outcome.UNSUPPORTED}


# ---- what needs automatic differentiation: one autograd function, right or wrong in one respect ----

STREAMS = {"any-split", "any-split-of-a-vector", "empty-batch", "updates-reset"}
RESPECTS = {"value-alone", "one-argument", "forward-mode", "curvature", "batching", "thread-count"}


def differentiated(wrong: str) -> Call:
    """The mean as a ``torch.autograd.Function`` that is right in every respect but one."""
    import torch

    class Loss(torch.autograd.Function):  # type: ignore[misc]  # torch's class has no types
        @staticmethod
        def forward(p: Any, t: Any) -> Any:
            value = (p - t).square().mean()
            if wrong == "thread-count" and torch.get_num_threads() > 1:
                value = value + (p - t)[0].square() / p.numel()
            return value

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004 - the signature is torch's
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            p, t = ctx.saved_tensors
            part = 2 * (p - t) * upstream[0] / p.numel()
            if wrong == "curvature":
                part = part.detach()
                part = part + 0 * (p - t) * upstream[0]
            both = all(ctx.needs_input_grad)
            return (part, -part) if both or wrong != "one-argument" else (2 * part, -2 * part)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            p, t = ctx.saved_tensors
            return 2 * ((p - t) * (tangents[0] - tangents[1])).sum() / (p.numel() * (2 if wrong == "forward-mode" else 1))

        @staticmethod
        def vmap(info: Any, dims: Any, p: Any, t: Any) -> Any:  # noqa: ARG004 - the signature is torch's
            squared = (p - t).square()
            return (squared.mean().expand(info.batch_size) if wrong == "batching" else squared.flatten(1).mean(1)), 0

    def call(p: Any, t: Any) -> Any:
        if wrong == "value-alone" and not p.requires_grad:
            return 2 * (p - t).square().mean()
        return Loss.apply(p, t)

    return call


@pytest.mark.parametrize("law", sorted(RESPECTS))
def test_a_law_of_derivatives_sees_what_it_is_about(law: str) -> None:
    pytest.importorskip("torch")
    right = run(law, "mse/mean", differentiated(""), framework="torch")
    assert outcomes(right) == {Outcome.PASS}, [cell.reason for cell in right]
    wrong = run(law, "mse/mean", differentiated(law), framework="torch")
    assert Outcome.FAIL in outcomes(wrong), [(cell.outcome, cell.reason) for cell in wrong]


def test_every_law_is_put_to_the_test_here_or_by_its_own_tests() -> None:
    others = STREAMS | {name for name, law in LAWS.items() if law.test.__module__.endswith((".weights", ".trust"))}
    elsewhere = {name for name in LAWS if name.startswith(("policy-", "integer")) or "dtypes" in name} | others
    assert set(LAWS) == set(WRONG) | RESPECTS | {"reductions-agree"} | elsewhere
