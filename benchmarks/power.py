"""The kill table of this suite beside those of three ways in which losses are checked today, on the same miniatures in one run.

    python benchmarks/power.py [FILES…] [--seeds N] [--profile P] [--format text|json]

Each method is written as its users write it, with the oracle that they have: NumPy in float64, and its gradients where there are any.
A wrong miniature counts as killed only if every seed kills it; a right one as accused if any seed accuses it.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.power.miniatures import GROUPS, RIGHT, examine, group_of, own_files
from conformance.power.run import PowerRun
from conformance.profiles import PROFILES
from conformance.specs.load import load
from conformance.subject import Subject, load_subjects

Array = npt.NDArray[Any]
Method = Callable[["Loss", int], None]
"""Raises, whatever it raises, if it rejects a loss."""

FRAMEWORKS = ("numpy", "torch")
SHAPES = ((10,), (32, 10))


@dataclass(frozen=True)
class Loss:
    """A miniature as its tests see it: NumPy in, NumPy out, and the definition in float64 beside it."""

    subject: Subject

    def value(self, prediction: Array, target: Array) -> Array:
        """The value."""
        if self.subject.framework == "torch":
            import torch

            return np.asarray(self.subject.call(torch.tensor(prediction), torch.tensor(target)).detach().numpy())
        return np.asarray(self.subject.call(prediction.copy(), target.copy()))

    def gradients(self, prediction: Array, target: Array, upstream: Array) -> list[Array]:
        """With respect to prediction and target; none where the miniature has none."""
        if self.subject.framework == "torch":
            import torch

            inputs = [torch.tensor(x, requires_grad=True) for x in (prediction, target)]
            return [g.numpy() for g in torch.autograd.grad(self.subject.call(*inputs), inputs, torch.tensor(upstream))]
        rule = self.subject.gradient
        return [] if rule is None else [np.asarray(g) for g in rule(prediction.copy(), target.copy(), upstream)]

    def reference(self, prediction: Array, target: Array) -> Array:
        """The value in float64."""
        squares = np.square(prediction.astype(np.float64) - target.astype(np.float64))
        match self.subject.operation:
            case "mse/mean":
                return np.asarray(squares.mean())
            case "mse/sum":
                return np.asarray(squares.sum())
            case "mse/last-axis":
                return np.asarray(squares.mean(axis=-1))
            case _:
                return squares

    def reference_gradient(self, prediction: Array, target: Array, upstream: Array) -> Array:
        """With respect to the prediction, in float64."""
        doubled = 2 * (prediction.astype(np.float64) - target.astype(np.float64))
        match self.subject.operation:
            case "mse/mean":
                return np.asarray(doubled / doubled.size * upstream)
            case "mse/last-axis":
                return np.asarray(doubled / doubled.shape[-1] * upstream[..., np.newaxis])
            case _:
                return np.asarray(doubled * upstream)


# ---- the methods ----


def _must_be_close(found: Array, wanted: Array) -> None:
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-5, atol=1e-8):
        raise AssertionError("not close")


def randn_and_allclose(loss: Loss, number: int) -> None:
    """(a) Normal float32 inputs, ``np.allclose`` with its defaults, on the value and on both gradients."""
    rng = np.random.default_rng(number)
    for shape in SHAPES:
        prediction, target = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        wanted = loss.reference(prediction, target)
        _must_be_close(loss.value(prediction, target), wanted)
        upstream = np.ones(wanted.shape, np.float32)
        gradient = loss.reference_gradient(prediction, target, upstream)
        for found, sign in zip(loss.gradients(prediction, target, upstream), (1, -1), strict=False):
            _must_be_close(found, sign * gradient)


def hypothesis_and_assert_allclose(loss: Loss, number: int) -> None:
    """(b) 100 examples of ``arrays()`` of floats up to 1000, ``assert_allclose(rtol=1e-5)`` on the value and on both gradients."""
    floats = st.floats(-1000, 1000, width=32)
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=10)
    pairs = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.float32, shape, elements=floats)] * 2))

    @settings(max_examples=100, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @seed(number)
    @given(pairs)
    def test(pair: tuple[Array, Array]) -> None:
        prediction, target = pair
        wanted = loss.reference(prediction, target)
        np.testing.assert_allclose(loss.value(prediction, target), wanted, rtol=1e-5, atol=1e-6)
        upstream = np.ones(wanted.shape, np.float32)
        gradient = loss.reference_gradient(prediction, target, upstream)
        for found, sign in zip(loss.gradients(prediction, target, upstream), (1, -1), strict=False):
            np.testing.assert_allclose(found, sign * gradient, rtol=1e-5, atol=1e-6)

    test()


def assert_close_and_gradcheck(loss: Loss, number: int) -> None:
    """(c) ``assert_close`` with the tolerances of each dtype on the value, and ``gradcheck`` in float64.

    Not in float16, where the default tolerance is no more than the rounding of a difference and its square: it accuses right ones.
    """
    import torch

    rng = np.random.default_rng(number)
    for shape in SHAPES:
        for dtype in (torch.float32, torch.float64):
            prediction, target = (torch.tensor(rng.standard_normal(shape)).to(dtype) for _ in range(2))
            wanted = loss.reference(prediction.numpy(), target.numpy())
            found = loss.value(prediction.numpy(), target.numpy())
            torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted), check_dtype=False, **_tolerances(dtype))
    inputs = [torch.tensor(rng.standard_normal((4, 5)), requires_grad=True) for _ in range(2)]
    if loss.subject.framework == "torch":
        assert torch.autograd.gradcheck(loss.subject.call, inputs)
        return
    if loss.subject.gradient is not None:
        assert torch.autograd.gradcheck(_as_function(loss), inputs)


def _tolerances(dtype: Any) -> dict[str, float]:
    """Those that ``assert_close`` chooses for two tensors of the dtype; it would choose by the reference, which is in float64."""
    import torch

    return {"rtol": 1e-7, "atol": 1e-7} if dtype is torch.float64 else {"rtol": 1.3e-6, "atol": 1e-5}


def _as_function(loss: Loss) -> Callable[[Any, Any], Any]:
    """The value and the gradients that a NumPy miniature gives, as a function that torch differentiates."""
    import torch

    class Wrapped(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
        @staticmethod
        def forward(ctx: Any, prediction: Any, target: Any) -> Any:
            ctx.save_for_backward(prediction, target)
            return torch.tensor(loss.value(prediction.numpy(), target.numpy()))

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
            prediction, target = (x.detach().numpy() for x in ctx.saved_tensors)
            return tuple(torch.tensor(g) for g in loss.gradients(prediction, target, upstream.numpy()))

    def call(prediction: Any, target: Any) -> Any:
        return Wrapped.apply(prediction, target)

    return call


METHODS: dict[str, Method] = {
    "randn + allclose": randn_and_allclose,
    "hypothesis + assert_allclose": hypothesis_and_assert_allclose,
    "assert_close + gradcheck": assert_close_and_gradcheck,
}
SUITE = "conformance"


# ---- the comparison ----


@dataclass
class Score:
    """What one method made of the miniatures."""

    killed: set[str]
    accused: set[str]
    seconds: float


def rejects(method: Method, loss: Loss, number: int) -> bool:
    """Whether a method rejects a loss with a seed; whatever is raised rejects."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            method(loss, number)
        except Exception:  # noqa: BLE001 - an assertion, or whatever the loss raises
            return True
    return False


def score_of(method: Method, files: Sequence[Path], seeds: Sequence[int]) -> Score:
    """Each file is loaded afresh, so that a miniature that remembers has not seen the method before."""
    score, started = Score(set(), set(), 0.0), time.perf_counter()
    for path in files:
        for subject in load_subjects(path):
            found = (rejects(method, Loss(subject), number) for number in seeds)
            if group_of(path) == RIGHT:
                if any(found):
                    score.accused.add(subject.name)
            elif all(found):
                score.killed.add(subject.name)
    score.seconds = time.perf_counter() - started
    return score


def score_of_the_suite(files: Sequence[Path], seeds: Sequence[int], profile: str) -> Score:
    """The same for the checks of this suite."""
    started = time.perf_counter()
    verdicts = PowerRun(load(), PROFILES[profile], seeds, examine(files, (), 2), 2, once=True).execute()
    hows = {v.miniature.name: v.how(seeds) for v in verdicts}
    return Score(
        {name for name, how in hows.items() if how == "killed"},
        {name for name, how in hows.items() if how == "accused"},
        time.perf_counter() - started,
    )


def comparable(files: Sequence[Path]) -> list[Path]:
    """The files whose miniatures all methods can run: losses, in plain NumPy and eager PyTorch."""
    losses = load().operations

    def can_be_run(subject: Subject) -> bool:
        return subject.operation in losses and subject.framework in FRAMEWORKS and subject.modes == ("eager",)

    return [path for path in files if all(can_be_run(subject) for subject in load_subjects(path))]


def table(files: Sequence[Path], seeds: Sequence[int], profile: str) -> dict[str, Any]:
    """Every method on every miniature, in plain types."""
    groups = {subject.name: group_of(path) for path in files for subject in load_subjects(path)}
    scores = {name: score_of(method, files, seeds) for name, method in METHODS.items()}
    scores[SUITE] = score_of_the_suite(files, seeds, profile)
    fastest = min(score.seconds for score in scores.values())
    wrong = [name for name, group in groups.items() if group != RIGHT]
    return {
        "seeds": list(seeds),
        "wrong": len(wrong),
        "right": len(groups) - len(wrong),
        "methods": {
            name: {
                "groups": {g: f"{sum(groups[k] == g for k in score.killed)}/{list(groups.values()).count(g)}" for g in GROUPS},
                "killed": len(score.killed),
                "percent": round(100 * len(score.killed) / max(1, len(wrong)), 1),
                "accused": sorted(score.accused),
                "time": round(score.seconds / fastest, 1),
            }
            for name, score in scores.items()
        },
        "killed by none of the others": sorted(scores[SUITE].killed.difference(*(scores[name].killed for name in METHODS))),
        "survivors": {name: sorted(set(wrong) - score.killed) for name, score in scores.items()},
    }


def show(found: dict[str, Any]) -> None:
    """The table, a column for each method."""
    methods = found["methods"]
    rows = [["killed with each seed", *methods]]
    rows += [[g, *(m["groups"][g] for m in methods.values())] for g in GROUPS if found["methods"][SUITE]["groups"][g] != "0/0"]
    rows.append(["all", *(f"{m['killed']}/{found['wrong']}, {m['percent']} %" for m in methods.values())])
    rows.append(["right ones accused", *(f"{len(m['accused'])}/{found['right']}" for m in methods.values())])
    rows.append(["time, times the fastest", *(str(m["time"]) for m in methods.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--seeds", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--profile", type=click.Choice(tuple(PROFILES)), default="quick", show_default=True)
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(files: tuple[Path, ...], seeds: int, profile: str, as_format: str) -> None:
    """The kill table of this suite beside those of three ways in which losses are checked today."""
    found = table(files or comparable(own_files()), range(seeds), profile)
    if as_format == "json":
        click.echo(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
