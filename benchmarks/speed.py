"""The usual test of a loss, this suite, and the bare calls of both, side by side in one run, and where the time goes.

    python benchmarks/speed.py [--inputs 2000] [--naive 200] [--framework NAME]… [--growth] [--format text|json]

- naive: Hypothesis draws both arrays with `arrays()`, every framework is called eagerly, `assert_allclose` compares value and both
  gradients with NumPy in float64;
- suite: the check `mse/mean/bound/ordinary` on one eager float32 target of each framework, as a worker runs it, nothing shared between;
- floor: the same calls of the same implementations on the suite's own inputs, from host arrays to host arrays, no checking at all.

Times are CPU times of one process, after a first call of every shape. NumPy differentiates nothing: of it there are values alone.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.checks import bounds, together, trial
from conformance.checks.base import findings
from conformance.checks.judge import judge
from conformance.engine import header_of
from conformance.executors.protocol import Request
from conformance.executors.worker import Bench, open_bench
from conformance.frameworks.base import Evaluation, Implementation
from conformance.inputs.families import make_stack
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array
from conformance.plan import Selection
from conformance.profiles import PROFILES, Profile
from conformance.writer import Writer

FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
CHECK = "mse/mean/bound/ordinary"
BATCH = 16
PARTS = ("drawing", "framework", "exact value", "judging", "recording")
Bare = Callable[[Array, Array], Sequence[Array]]
"""Value and, where there are any, both gradients."""


# ---- the bare calls ----


def bare(name: str, implementation: Implementation) -> Bare:
    """One implementation as its users call it, with the gradients of its framework."""
    call = implementation.call
    match name:
        case "torch":
            import torch

            def in_torch(prediction: Array, target: Array) -> Sequence[Array]:
                tensors = [torch.from_numpy(x).requires_grad_() for x in (prediction, target)]
                value = call(*tensors)
                return [x.detach().numpy() for x in (value, *torch.autograd.grad(value, tensors))]

            return in_torch
        case "tensorflow":
            import tensorflow as tf

            def in_tensorflow(prediction: Array, target: Array) -> Sequence[Array]:
                tensors = [tf.constant(prediction), tf.constant(target)]
                with tf.GradientTape() as tape:
                    tape.watch(tensors)
                    value = call(*tensors)
                return [x.numpy() for x in (value, *tape.gradient(value, tensors))]

            return in_tensorflow
        case "jax":
            import jax

            def in_jax(prediction: Array, target: Array) -> Sequence[Array]:
                value, pullback = jax.vjp(call, *jax.device_put([prediction, target]))
                return [np.asarray(x) for x in (value, *pullback(jax.numpy.ones((), value.dtype)))]

            return in_jax
        case _:
            return lambda prediction, target: [np.asarray(call(prediction, target))]


# ---- the naive test ----


def naive(calls: Sequence[Bare], shapes: Sequence[tuple[int, ...]], count: int) -> float:
    """CPU seconds of ``count`` examples, each on every framework."""
    floats = st.floats(-1000, 1000, width=32)

    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test(data: st.DataObject) -> None:
        shape = data.draw(st.sampled_from(list(shapes)))
        p, t = (data.draw(hnp.arrays(np.float32, shape, elements=floats)) for _ in range(2))
        d = p.astype(np.float64) - t
        wanted = [np.mean(d * d), 2 * d / d.size, -2 * d / d.size]
        for call in calls:
            for found, due in zip(call(p, t), wanted, strict=False):
                np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-6)

    started = time.process_time()
    test()
    return time.process_time() - started


# ---- the suite ----


@dataclass
class Stopwatch:
    """CPU time by part, and the inputs that were evaluated."""

    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    inputs: list[Inputs] = field(default_factory=list)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added to a part; parts do not nest."""

        def run(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[part] += time.process_time() - started

        return run

    def evaluated(self, evaluate: Callable[[Inputs], Evaluation]) -> Callable[[Inputs], Evaluation]:
        """An evaluation, timed, whose inputs are kept."""
        run = self.timed("framework", evaluate)

        def keep(inputs: Inputs) -> Evaluation:
            self.inputs.append(inputs)
            found: Evaluation = run(inputs)
            return found

        return keep

    @contextmanager
    def watching(self, bench: Bench) -> Iterator[None]:
        """Everything of a check that has a part of its own."""
        prepare, expect = bench.framework.prepare, trial.Trial.expect

        def worked_out(*args: Any) -> Any:
            expectation = expect(*args)
            _ = expectation.plain, expectation.u_per_ulp  # made when first asked for: here, not while judging
            return expectation

        with ExitStack() as stack:
            stack.enter_context(patch.object(bounds, "make_stack", self.timed("drawing", make_stack)))
            stack.enter_context(patch.object(bounds, "findings", self.timed("recording", findings)))
            for module in (trial, together):
                stack.enter_context(patch.object(module, "judge", self.timed("judging", judge)))
            stack.enter_context(patch.object(trial.Trial, "expect", self.timed("exact value", worked_out)))
            stack.enter_context(patch.object(bench.framework, "prepare", lambda *args: self.evaluated(prepare(*args))))
            yield


def profile_of(inputs: int) -> Profile:
    """The quick profile with so many inputs."""
    return replace(PROFILES["quick"], examples=max(inputs // BATCH, 1), batch=BATCH, seed=0)


def implementation_of(bench: Bench) -> Implementation:
    """The first implementation of the mean."""
    return next(one for one in bench.implementations.values() if one.operation == "mse/mean")


def run_suite(bench: Bench, folder: Path) -> float:
    """CPU seconds of the check, to the last cell in a results file."""
    request = Request(check=CHECK, implementation=implementation_of(bench).name, device="cpu", mode="eager", dtype="float32")
    header = header_of(bench.description(), bench.specs, bench.profile, Selection(), "speed")  # once a run, whatever its length
    started = time.process_time()
    with Writer(folder / "one.jsonl", header) as writer:
        for cell in bench.answer(request).cells:
            writer.append(cell)
        writer.close(0.0)
    return time.process_time() - started


def fresh(bench: Bench, inputs: int) -> Bench:
    """The same framework, with nothing kept."""
    make_stack.cache_clear()
    return Bench(bench.framework, bench.implementations, bench.specs, profile_of(inputs), bench.version, bench.checks)


@dataclass(frozen=True)
class Measured:
    """Of one framework, in microseconds of CPU time for each input; ``parts`` is where those of the suite go."""

    framework: str
    inputs: int
    floor: float
    suite: float
    parts: dict[str, float]
    compiling: float
    """Seconds, once: what the first call of each shape took longer than the second."""


def measure(bench: Bench, count: int, folder: Path) -> Measured:
    """Floor and suite on the same inputs."""
    name, implementation = bench.framework.name, implementation_of(bench)
    watch = Stopwatch()
    first = fresh(bench, 200)
    with watch.watching(first):
        run_suite(first, folder)
    call = bare(name, implementation)
    compiling = warm(call, watch.inputs)
    suite = run_suite(fresh(bench, count), folder)
    watch = Stopwatch()
    watched = fresh(bench, count)
    with watch.watching(watched):
        total = run_suite(watched, folder)
    pairs = [(inputs.prediction, inputs.target) for inputs in watch.inputs]
    started = time.process_time()
    for prediction, target in pairs:
        call(prediction, target)
    floor = time.process_time() - started
    spent = {part: watch.spent[part] / total for part in PARTS}
    return Measured(
        name, len(pairs), 1e6 * floor / len(pairs), 1e6 * suite / len(pairs), {**spent, "searching": 1 - sum(spent.values())}, compiling
    )


def warm(call: Bare, inputs: Sequence[Inputs]) -> float:
    """Call once and again for every shape; by how many seconds the first calls were slower."""
    slower = 0.0
    for one in {one.shape: one for one in inputs}.values():
        times = []
        for _ in range(2):
            started = time.process_time()
            call(one.prediction, one.target)
            times.append(time.process_time() - started)
        slower += times[0] - times[1]
    return max(slower, 0.0)


def grown(bench: Bench, folder: Path, counts: Sequence[int]) -> list[dict[str, float]]:
    """The suite on more and more inputs: microseconds for each, and what the process takes at its peak."""
    run_suite(fresh(bench, counts[0]), folder)
    return [
        {
            "inputs": count,
            "µs for each": 1e6 * run_suite(fresh(bench, count), folder) / count,
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        for count in counts
    ]


@click.command()
@click.option("--inputs", type=click.IntRange(min=BATCH), default=2000, show_default=True, help="Of the suite, on each framework.")
@click.option("--naive", "examples", type=click.IntRange(min=1), default=200, show_default=True, help="Examples of the naive test.")
@click.option("--framework", "names", multiple=True, type=click.Choice(FRAMEWORKS), default=FRAMEWORKS)
@click.option("--growth", is_flag=True, help="The first framework again, with 1, 10 and 100 times as many inputs.")
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(inputs: int, examples: int, names: tuple[str, ...], growth: bool, as_format: str) -> None:  # noqa: FBT001 - click passes it by name
    """Print what an input costs: naively, in this suite, and at the least."""
    started = time.process_time()
    benches = [open_bench(name, None, profile_of(inputs), ()) for name in names]
    loading = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(bench, inputs, Path(folder)) for bench in benches]
        larger = grown(benches[0], Path(folder), [inputs // 10, inputs, inputs * 10]) if growth else []
    calls = [bare(bench.framework.name, implementation_of(bench)) for bench in benches]
    naively = 1e6 * naive(calls, PROFILES["quick"].compiled_shapes, examples) / examples
    floor, suite = sum(one.floor for one in found), sum(one.suite for one in found)
    exact_value = sum(m.suite * m.parts["exact value"] for m in found) / suite
    rate = 1e6 * len(found) / suite
    answer = {
        "inputs": inputs,
        "loading, s": loading,
        "frameworks": [
            {"framework": m.framework, "floor": m.floor, "suite": m.suite, "parts": m.parts, "compiling, s": m.compiling} for m in found
        ],
        "floor": floor,
        "suite": suite,
        "naive": naively,
        "naive / suite": naively / suite,
        "suite / floor": suite / floor,
        "evaluations/s": rate,
        "exact value": exact_value,
        "growth": larger,
    }
    if as_format == "json":
        click.echo(json.dumps(answer))
        return
    columns = [*PARTS, "searching"]
    click.echo(
        f"{'µs for each input':<18}{'floor':>8}{'suite':>8}{'ratio':>7}  " + "".join(f"{part:>13}" for part in columns) + "    compiling"
    )
    for m in found:
        share = "".join(f"{100 * m.parts[part]:>11.0f} %" for part in columns)
        click.echo(f"{m.framework:<18}{m.floor:>8.0f}{m.suite:>8.0f}{m.suite / m.floor:>7.2f}  {share}{m.compiling:>9.1f} s")
    click.echo(f"{'all':<18}{floor:>8.0f}{suite:>8.0f}{suite / floor:>7.2f}")
    click.echo(f"naive: {naively:,.0f} µs, {naively / suite:.1f} times the suite; exact values are {100 * exact_value:.0f} % of its time")
    click.echo(f"{rate:,.0f} evaluations/s; loading the frameworks took {loading:.1f} s")
    for line in larger:
        click.echo(", ".join(f"{key}: {value:,.0f}" for key, value in line.items()))


if __name__ == "__main__":
    main()
