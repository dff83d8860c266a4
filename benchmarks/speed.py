"""The usual test of a loss, this suite, and the bare calls of both, side by side in one run, and where the time goes.

    python benchmarks/speed.py [--inputs 2000] [--naive 200] [--framework NAME]… [--growth] [--format text|json]

- naive: Hypothesis draws both arrays with `arrays()`, every framework is called eagerly, `assert_allclose` compares value and both
  gradients with NumPy in float64; shapes are drawn with `array_shapes()`, or are the three that the suite has where they are compiled;
- suite: the check `mse/mean/bound/ordinary` on one float32 target of each framework, as judge and runner run it, nothing shared between:
  eager, one input after the other, and in the batched mode, a stack at a time (of NumPy, which has none, eagerly too);
- floor: the same calls of the same implementations on the suite's own inputs, from host arrays to host arrays, no checking at all.

Times are CPU times of one process, in which judge and runner exchange their messages without a pipe, after a first call of every shape;
what those took longer is in the column `compiling`. NumPy differentiates nothing: of it there are values alone.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.checks import base, bounds, context, observe
from conformance.checks.base import findings
from conformance.checks.budget import Budget
from conformance.checks.judge import judge
from conformance.frameworks import registry
from conformance.frameworks.base import Evaluation, Implementation
from conformance.frameworks.vmap import VMAP
from conformance.inputs.families import make_stack
from conformance.judges.harness import Harness, open_harness
from conformance.judges.protocol import Request
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array
from conformance.results.writing import Writer
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES
from conformance.runner.session import Session
from conformance.specs.load import load
from conformance.specs.model import Specs
from conformance.workers import in_process
from conformance.workers.in_process import InProcess

FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
CHECK = "mse/mean/bound/ordinary"
BATCHES = {"eager": 16, VMAP: 256}
PARTS = ("drawing", "messages", "framework", "exact value", "judging", "recording")
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
                tensors = [torch.tensor(x).requires_grad_() for x in (prediction, target)]
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


def bare_batch(name: str, implementation: Implementation) -> Bare:
    """The same of stacks, through the framework's automatic batching."""
    call = implementation.call
    match name:
        case "torch":
            import torch

            def of_one(prediction: Any, target: Any) -> Any:
                value, pullback = torch.func.vjp(call, prediction, target)
                return (value, *pullback(torch.ones_like(value)))

            batched = torch.vmap(of_one)
            return lambda prediction, target: [x.numpy() for x in batched(torch.tensor(prediction), torch.tensor(target))]
        case "tensorflow":
            import tensorflow as tf

            def differentiated(pair: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(pair)
                    value = call(*pair)
                return [value, *tape.gradient(value, pair)]

            def in_tensorflow(*pair: Any) -> Any:
                return tf.vectorized_map(differentiated, list(pair))

            traced = {rank: tf.function(in_tensorflow, input_signature=[tf.TensorSpec([None] * rank)] * 2) for rank in range(2, 6)}
            return lambda prediction, target: [x.numpy() for x in traced[prediction.ndim](prediction, target)]
        case "jax":
            import jax

            def with_gradients(prediction: Any, target: Any) -> Any:
                value, gradients = jax.value_and_grad(call, (0, 1))(prediction, target)
                return (value, *gradients)

            compiled = jax.jit(jax.vmap(with_gradients))
            return lambda prediction, target: [np.asarray(x) for x in compiled(*jax.device_put([prediction, target]))]
        case _:
            raise ValueError(f"{name} has no automatic batching")


# ---- the naive test ----


def naive(calls: Sequence[Bare], shapes: st.SearchStrategy[tuple[int, ...]], count: int) -> float:
    """CPU seconds of ``count`` examples, each on every framework."""
    floats = st.floats(-1000, 1000, width=32)

    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test(data: st.DataObject) -> None:
        shape = data.draw(shapes)
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
    def watching(self, session: Session) -> Iterator[None]:
        """Everything of a check that has a part of its own."""
        prepare, expect = session.framework.prepare, context.CheckContext.expect

        def worked_out(*args: Any) -> Any:
            expectation = expect(*args)
            _ = expectation.plain, expectation.u_per_ulp  # made when first asked for: here, not while judging
            return expectation

        with ExitStack() as stack:
            stack.enter_context(patch.object(bounds, "make_stack", self.timed("drawing", make_stack)))
            stack.enter_context(patch.object(base, "findings", self.timed("recording", findings)))
            stack.enter_context(patch.object(observe, "judge", self.timed("judging", judge)))
            stack.enter_context(patch.object(context.CheckContext, "expect", self.timed("exact value", worked_out)))
            stack.enter_context(patch.object(session.framework, "prepare", lambda *args: self.evaluated(prepare(*args))))
            stack.enter_context(patch.object(in_process, "_sent", self.timed("messages", in_process._sent)))  # noqa: SLF001 - no name but this
            yield


def budget_of(inputs: int, batch: int) -> Budget:
    """The budget of the profile full with so many inputs, as many at a time."""
    return replace(PROFILES["full"].budget, examples=max(inputs // batch, 1), batch=batch, seed=0)


def session_of(name: str) -> Session:
    """A framework and its own entry points."""
    framework = registry.load(name)
    return Session(framework, {one.name: one for one in framework.implementations()}, registry.info_of(name))


def implementation_of(session: Session) -> Implementation:
    """The first implementation of the mean."""
    return next(one for one in session.implementations.values() if one.operation == "mse/mean")


def run_suite(session: Session, budget: Budget, folder: Path, mode: str = "eager") -> tuple[float, int]:
    """CPU seconds of the check, by a new judge, to the last cell in a results file, and how many values it judged."""
    bench = judge_of(session)
    description, name = bench.description, implementation_of(session).name
    budget = replace(budget, compiles_each_shape=mode in description.compiling_modes)
    request = Request(check=CHECK, implementation=name, device="cpu", mode=mode, dtype="float32", budget=budget, timeout=600)
    header = Run(bench.specs, PROFILES["full"], Selection(), folder, run_id="speed").header(description)  # once a run, whatever its length
    started = time.process_time()
    with Writer(folder / "one.jsonl", header) as writer:
        cells = bench.answer(request).cells
        for cell in cells:
            writer.append(cell)
        writer.close(0.0)
    return time.process_time() - started, cells[0].evaluations


def judge_of(session: Session) -> Harness:
    """One that has kept nothing."""
    make_stack.cache_clear()
    return open_harness(InProcess(session), specs())


@cache
def specs() -> Specs:
    """Those of the suite."""
    return load()


@dataclass(frozen=True)
class Measured:
    """Of one framework, in microseconds of CPU time for each input; ``parts`` is where those of the suite go."""

    framework: str
    mode: str
    inputs: int
    floor: float
    suite: float
    parts: dict[str, float]
    compiling: float
    """Seconds, once: what the first call of each shape took longer than the second."""


def measure(session: Session, count: int, folder: Path, mode: str, batch: int) -> Measured:
    """Floor and suite on the same inputs. What compiles does so in a first run, on the target that the others are run on too."""
    name, implementation = session.framework.name, implementation_of(session)
    with patch.object(session.framework, "prepare", cache(session.framework.prepare)):
        watch = Stopwatch()
        with watch.watching(session):
            run_suite(session, budget_of(12 * batch, batch), folder, mode)
        call = bare_batch(name, implementation) if mode == VMAP else bare(name, implementation)
        compiling = warm(call, watch.inputs)
        suite, _ = run_suite(session, budget_of(count, batch), folder, mode)
        watch = Stopwatch()
        with watch.watching(session):
            total, evaluated = run_suite(session, budget_of(count, batch), folder, mode)
    pairs = [(inputs.prediction, inputs.target) for inputs in watch.inputs]
    started = time.process_time()
    for prediction, target in pairs:
        call(prediction, target)
    floor = time.process_time() - started
    spent = {part: watch.spent[part] / total for part in PARTS}
    parts = {**spent, "searching": 1 - sum(spent.values())}
    return Measured(name, mode, evaluated, 1e6 * floor / evaluated, 1e6 * suite / evaluated, parts, compiling)


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


def grown(session: Session, folder: Path, counts: Sequence[int]) -> list[dict[str, float]]:
    """The suite on more and more inputs of one shape: microseconds for each, and what the process takes at its peak.

    Fewer inputs are put to it as often as makes as many, so that whatever else the machine does weighs as much on each line.
    """
    run_suite(session, budget_of(counts[0], BATCHES["eager"]), folder)
    lines = []
    for count in counts:
        runs = [run_suite(session, _of_one_shape(count), folder) for _ in range(counts[-1] // count)]
        seconds, inputs = map(sum, zip(*runs, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append({"inputs": inputs // len(runs), "µs for each": 1e6 * seconds / inputs, "peak MB": peak})
    return lines


def _of_one_shape(count: int) -> Budget:
    """How many elements an input has must not depend on how many inputs there are: few are drawn of few shapes."""
    return replace(budget_of(count, BATCHES["eager"]), eager_shapes=((64,),), compiled_shapes=((64,),))


@click.command()
@click.option("--inputs", type=click.IntRange(min=256), default=2048, show_default=True, help="Of the suite, on each framework.")
@click.option("--naive", "examples", type=click.IntRange(min=1), default=200, show_default=True, help="Examples of the naive test.")
@click.option("--framework", "names", multiple=True, type=click.Choice(FRAMEWORKS), default=FRAMEWORKS)
@click.option("--growth", is_flag=True, help="The first framework again, with 1, 10 and 100 times as many inputs.")
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(inputs: int, examples: int, names: tuple[str, ...], growth: bool, as_format: str) -> None:  # noqa: FBT001 - click passes it by name
    """Print what an input costs: naively, in this suite, and at the least."""
    started = time.process_time()
    sessions = [session_of(name) for name in names]
    loading = time.process_time() - started
    ways = {
        "one by one": [(session, "eager", BATCHES["eager"]) for session in sessions],
        "batched": [(session, VMAP if VMAP in implementation_of(session).modes else "eager", BATCHES[VMAP]) for session in sessions],
    }
    with tempfile.TemporaryDirectory() as folder:
        found = {way: [measure(session, inputs, Path(folder), mode, batch) for session, mode, batch in how] for way, how in ways.items()}
        larger = grown(sessions[0], Path(folder), [inputs // 10, inputs, inputs * 10]) if growth else []
    calls = [bare(session.framework.name, implementation_of(session)) for session in sessions]
    shapes = {
        "array_shapes()": hnp.array_shapes(max_dims=3),
        "three shapes": st.sampled_from(list(PROFILES["full"].budget.compiled_shapes)),
    }
    naively = {drawn: 1e6 * naive(calls, strategy, examples) / examples for drawn, strategy in shapes.items()}
    answer = {
        "inputs": inputs,
        "loading, s": loading,
        "naive": naively,
        "growth": larger,
        **{way: _summed(rows, naively) for way, rows in found.items()},
    }
    if as_format == "json":
        click.echo(json.dumps(answer))
        return
    columns = [*PARTS, "searching"]
    click.echo(
        f"{'µs for each input':<20}{'floor':>8}{'suite':>8}{'ratio':>7}  " + "".join(f"{part:>13}" for part in columns) + "    compiling"
    )
    for way, rows in found.items():
        for m in rows:
            share = "".join(f"{100 * m.parts[part]:>11.0f} %" for part in columns)
            costs = f"{m.floor:>8.0f}{m.suite:>8.0f}{m.suite / m.floor:>7.2f}"
            click.echo(f"{m.framework + ', ' + m.mode:<20}{costs}  {share}{m.compiling:>9.1f} s")
        total = _summed(rows, naively)
        click.echo(f"{way:<20}{total['floor']:>8.0f}{total['suite']:>8.0f}{total['suite / floor']:>7.2f}")
        ratios = ", ".join(f"{total['naive / suite'][drawn]:.1f} ({drawn})" for drawn in naively)
        click.echo(
            f"  naive / suite: {ratios}; {total['evaluations/s']:,.0f} evaluations/s; exact values are {100 * total['exact value']:.0f} %"
        )
    click.echo("naive: " + ", ".join(f"{cost:,.0f} µs ({drawn})" for drawn, cost in naively.items()))
    click.echo(f"loading the frameworks took {loading:.1f} s")
    for line in larger:
        click.echo(", ".join(f"{key}: {value:,.0f}" for key, value in line.items()))


def _summed(rows: Sequence[Measured], naively: Mapping[str, float]) -> dict[str, Any]:
    """All frameworks together: an input on each of them."""
    floor, suite = sum(one.floor for one in rows), sum(one.suite for one in rows)
    return {
        "frameworks": [
            {
                "framework": m.framework,
                "mode": m.mode,
                "inputs": m.inputs,
                "floor": m.floor,
                "suite": m.suite,
                "parts": m.parts,
                "compiling, s": m.compiling,
            }
            for m in rows
        ],
        "floor": floor,
        "suite": suite,
        "suite / floor": suite / floor,
        "naive / suite": {drawn: cost / suite for drawn, cost in naively.items()},
        "evaluations/s": 1e6 * len(rows) / suite,
        "exact value": sum(m.suite * m.parts["exact value"] for m in rows) / suite,
    }


if __name__ == "__main__":
    main()
