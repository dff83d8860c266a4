"""The kill table of this suite beside those of three ways in which losses are checked today, on the same variants in one run.

    python benchmarks/power.py [FILES…] [--seeds N] [--profile P] [--format text|json]

Each method is written as its users write it, with the oracle that they have: NumPy in float64, and its gradients where there are any.
A mutant counts as killed only if every seed kills it; an equivalent variant as accused if any seed accuses it.
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

from conformance.numerics.definition import Definition, Divisor
from conformance.power.power_run import PowerRun
from conformance.power.variants import EQUIVALENT, GROUPS, examine, group_of, own_files
from conformance.run.profiles import PROFILES
from conformance.specs.load import load
from conformance.subject import Subject, load_subjects

Array = npt.NDArray[Any]
Method = Callable[["Loss", int], None]
"""Raises, whatever it raises, if it rejects a loss."""

FRAMEWORKS = ("numpy", "torch")
SHAPES = ((10,), (32, 10))


@dataclass(frozen=True)
class Loss:
    """A variant as its tests see it: NumPy in, NumPy out, and the definition in float64 beside it.

    ``inputs`` are prediction, target and, where the operation has weights, weight.
    """

    subject: Subject
    definition: Definition

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Those that the operation is defined on."""
        return [shape for shape in SHAPES if len(shape) >= self.definition.least_rank]

    def normal(self, rng: np.random.Generator, shape: tuple[int, ...]) -> list[Array]:
        """Normal prediction and target; weights between a half and two, and masks of ones and zeros."""
        weight = self.definition.weight_shape(shape)
        drawn = [rng.standard_normal(shape) for _ in range(2)]
        if weight is None:
            return drawn
        return [*drawn, np.arange(np.prod(weight)).reshape(weight) % 3 != 0 if self.definition.masked else rng.uniform(0.5, 2, weight)]

    def value(self, *inputs: Array) -> Array:
        """The value."""
        if self.subject.framework == "torch":
            import torch

            return np.asarray(self.subject.call(*map(torch.tensor, inputs)).detach().numpy())
        return np.asarray(self.subject.call(*(x.copy() for x in inputs)))

    def gradients(self, inputs: Sequence[Array], upstream: Array) -> list[Array]:
        """With respect to prediction and target; none where the variant has none."""
        if self.subject.framework == "torch":
            import torch

            tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
            return [g.numpy() for g in torch.autograd.grad(self.subject.call(*tensors), tensors[:2], torch.tensor(upstream))]
        rule = self.subject.gradient
        return [] if rule is None else [np.asarray(g) for g in rule(*(x.copy() for x in inputs), upstream)[:2]]

    def reference(self, *inputs: Array) -> Array:
        """The value in float64."""
        weight, divisor = self._parts(*inputs)
        terms = weight * np.square(inputs[0].astype(np.float64) - inputs[1].astype(np.float64))
        value = float(self.definition.factor) * terms.reshape(*self.definition.value_shape(terms.shape), -1).sum(axis=-1) / divisor
        return np.asarray(np.sqrt(value) if self.definition.root else value)

    def reference_gradient(self, inputs: Sequence[Array], upstream: Array) -> Array:
        """With respect to the prediction, in float64."""
        weight, divisor = self._parts(*inputs)
        part = 2 * float(self.definition.factor) * weight * (inputs[0].astype(np.float64) - inputs[1].astype(np.float64)) / divisor
        if self.definition.root:
            part = part / (2 * self.reference(*inputs))
        return np.asarray(part * upstream.reshape(upstream.shape + (1,) * (part.ndim - upstream.ndim)))

    def _parts(self, prediction: Array, target: Array, weight: Array | None = None) -> tuple[Array, float]:
        """The weight of every element, and what every sum is divided by."""
        del target
        shape = prediction.shape
        spread = np.ones(shape) if weight is None else weight.astype(np.float64).reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
        spread = np.broadcast_to(spread, shape)
        match self.definition.divisor:
            case Divisor.ONE:
                return spread, 1.0
            case Divisor.COUNT:
                return spread, float(self.definition.summands(shape))
            case Divisor.LAST_AXIS:
                return spread, float(shape[-1])
            case Divisor.WEIGHTS:
                return spread, float(spread.sum())
            case Divisor.NONZERO_WEIGHTS:
                return spread, float(np.count_nonzero(spread))


# ---- the methods ----


def _must_be_close(found: Array, wanted: Array) -> None:
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-5, atol=1e-8):
        raise AssertionError("not close")


def randn_and_allclose(loss: Loss, number: int) -> None:
    """(a) Normal float32 inputs, ``np.allclose`` with its defaults, on the value and on both gradients."""
    rng = np.random.default_rng(number)
    for shape in loss.shapes:
        inputs = [x.astype(np.float32) for x in loss.normal(rng, shape)]
        wanted = loss.reference(*inputs)
        _must_be_close(loss.value(*inputs), wanted)
        upstream = np.ones(wanted.shape, np.float32)
        gradient = loss.reference_gradient(inputs, upstream)
        for found, sign in zip(loss.gradients(inputs, upstream), (1, -1), strict=False):
            _must_be_close(found, sign * gradient)


def hypothesis_and_assert_allclose(loss: Loss, number: int) -> None:
    """(b) 100 examples of ``arrays()`` of floats up to 1000, ``assert_allclose(rtol=1e-5)`` on the value and on both gradients."""
    floats = st.floats(-1000, 1000, width=32)
    shapes = hnp.array_shapes(min_dims=max(1, loss.definition.least_rank), max_dims=3, max_side=10)

    def drawn(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[Array, ...]]:
        arrays = [hnp.arrays(np.float32, shape, elements=floats)] * 2
        weight = loss.definition.weight_shape(shape)
        if weight is not None:
            numbers = st.sampled_from([0.0, 1.0]) if loss.definition.masked else st.floats(0.5, 2, width=32)
            arrays.append(hnp.arrays(np.float32, weight, elements=numbers))
        return st.tuples(*arrays)

    @settings(max_examples=100, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @seed(number)
    @given(shapes.flatmap(drawn))
    def test(inputs: tuple[Array, ...]) -> None:
        if loss.definition.masked and not inputs[2].any():
            return
        wanted = loss.reference(*inputs)
        np.testing.assert_allclose(loss.value(*inputs), wanted, rtol=1e-5, atol=1e-6)
        upstream = np.ones(wanted.shape, np.float32)
        gradient = loss.reference_gradient(inputs, upstream)
        for found, sign in zip(loss.gradients(inputs, upstream), (1, -1), strict=False):
            np.testing.assert_allclose(found, sign * gradient, rtol=1e-5, atol=1e-6)

    test()


def assert_close_and_gradcheck(loss: Loss, number: int) -> None:
    """(c) ``assert_close`` with the tolerances of each dtype on the value, and ``gradcheck`` in float64.

    Not in float16, where the default tolerance is no more than the rounding of a difference and its square: it accuses equivalent variants.
    """
    import torch

    rng = np.random.default_rng(number)
    for shape in loss.shapes:
        for dtype in (torch.float32, torch.float64):
            inputs = [torch.tensor(x).to(dtype).numpy() for x in loss.normal(rng, shape)]
            wanted, found = loss.reference(*inputs), loss.value(*inputs)
            torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted), check_dtype=False, **_tolerances(dtype))
    drawn = [torch.tensor(x).double() for x in loss.normal(rng, (4, 5))]
    checked = [x.requires_grad_(not (loss.definition.masked and i == 2)) for i, x in enumerate(drawn)]
    if loss.subject.framework == "torch":
        assert torch.autograd.gradcheck(loss.subject.call, checked)
        return
    if loss.subject.gradient is not None:
        assert torch.autograd.gradcheck(_as_function(loss), checked)


def _tolerances(dtype: Any) -> dict[str, float]:
    """Those that ``assert_close`` chooses for two tensors of the dtype; it would choose by the reference, which is in float64."""
    import torch

    return {"rtol": 1e-7, "atol": 1e-7} if dtype is torch.float64 else {"rtol": 1.3e-6, "atol": 1e-5}


def _as_function(loss: Loss) -> Callable[..., Any]:
    """The value and the gradients that a NumPy variant gives, as a function that torch differentiates."""
    import torch

    class Wrapped(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.save_for_backward(*inputs)
            return torch.tensor(loss.value(*(x.numpy() for x in inputs)))

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
            inputs = [x.detach().numpy() for x in ctx.saved_tensors]
            assert loss.subject.gradient is not None
            return tuple(torch.tensor(np.asarray(g)) for g in loss.subject.gradient(*(x.copy() for x in inputs), upstream.numpy()))

    def call(*inputs: Any) -> Any:
        return Wrapped.apply(*inputs)

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
    """What one method made of the variants."""

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
    """Each file is loaded afresh, so that a variant that remembers has not seen the method before."""
    score, started, losses = Score(set(), set(), 0.0), time.perf_counter(), load().operations
    for path in files:
        for subject in load_subjects(path):
            found = (rejects(method, Loss(subject, losses[subject.operation].definition), number) for number in seeds)
            if group_of(path) == EQUIVALENT:
                if any(found):
                    score.accused.add(subject.name)
            elif all(found):
                score.killed.add(subject.name)
    score.seconds = time.perf_counter() - started
    return score


def score_of_the_suite(files: Sequence[Path], seeds: Sequence[int], profile: str) -> Score:
    """The same for the checks of this suite."""
    started = time.perf_counter()
    verdicts = PowerRun(load(), PROFILES[profile], seeds, examine(files, (), 2), 2, stop_at_first_kill=True).execute()
    hows = {v.variant.name: v.how(seeds) for v in verdicts}
    return Score(
        {name for name, how in hows.items() if how == "killed"},
        {name for name, how in hows.items() if how == "accused"},
        time.perf_counter() - started,
    )


def comparable(files: Sequence[Path]) -> list[Path]:
    """The files whose variants all methods can run: losses, in plain NumPy and eager PyTorch."""
    losses = load().operations

    def can_be_run(subject: Subject) -> bool:
        return subject.operation in losses and subject.framework in FRAMEWORKS and subject.modes == ("eager",)

    return [path for path in files if all(can_be_run(subject) for subject in load_subjects(path))]


def table(files: Sequence[Path], seeds: Sequence[int], profile: str) -> dict[str, Any]:
    """Every method on every variant, in plain types."""
    groups = {subject.name: group_of(path) for path in files for subject in load_subjects(path)}
    scores = {name: score_of(method, files, seeds) for name, method in METHODS.items()}
    scores[SUITE] = score_of_the_suite(files, seeds, profile)
    fastest = min(score.seconds for score in scores.values())
    mutants = [name for name, group in groups.items() if group != EQUIVALENT]
    return {
        "seeds": list(seeds),
        "mutants": len(mutants),
        "equivalent variants": len(groups) - len(mutants),
        "methods": {
            name: {
                "groups": {g: f"{sum(groups[k] == g for k in score.killed)}/{list(groups.values()).count(g)}" for g in GROUPS},
                "killed": len(score.killed),
                "percent": round(100 * len(score.killed) / max(1, len(mutants)), 1),
                "accused": sorted(score.accused),
                "time": round(score.seconds / fastest, 1),
            }
            for name, score in scores.items()
        },
        "killed by none of the others": sorted(scores[SUITE].killed.difference(*(scores[name].killed for name in METHODS))),
        "survivors": {name: sorted(set(mutants) - score.killed) for name, score in scores.items()},
    }


def show(found: dict[str, Any]) -> None:
    """The table, a column for each method."""
    methods = found["methods"]
    rows = [["killed with each seed", *methods]]
    rows += [[g, *(m["groups"][g] for m in methods.values())] for g in GROUPS if found["methods"][SUITE]["groups"][g] != "0/0"]
    rows.append(["all", *(f"{m['killed']}/{found['mutants']}, {m['percent']} %" for m in methods.values())])
    rows.append(["equivalent variants accused", *(f"{len(m['accused'])}/{found['equivalent variants']}" for m in methods.values())])
    rows.append(["time, times the fastest", *(str(m["time"]) for m in methods.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--seeds", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--profile", type=click.Choice(tuple(PROFILES)), default="full", show_default=True)
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
