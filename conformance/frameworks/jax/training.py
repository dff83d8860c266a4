"""JAX trains: ``jax.value_and_grad`` and ``optax.sgd``, op by op and with the whole step under ``jax.jit``."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.jax.implementations import MODES
from conformance.frameworks.jax.tensors import device_named, place
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import NO_METRIC, TrainingLog
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, LOSS, OUTPUT_BIAS, OUTPUT_WEIGHT, Samples, TrainingTask

ENTRY = "optax.sgd(rate).update(gradients, state), with gradients of jnp.mean(jnp.square(prediction - target){})"
Parameters = dict[str, jax.Array]


def implementations() -> Sequence[Implementation]:
    """The two losses, with and without weights."""
    return (
        Implementation("optax.sgd", ENTRY.format(""), "training/sgd", perform, MODES, DTYPES),
        Implementation("optax.sgd-weighted", ENTRY.format(" * weight[:, None]"), "training/sgd-weighted", perform, MODES, DTYPES),
    )


def _loss(parameters: Parameters, inputs: jax.Array, targets: jax.Array, weight: jax.Array | None) -> jax.Array:
    hidden = jax.nn.relu(inputs @ parameters[HIDDEN_WEIGHT] + parameters[HIDDEN_BIAS])
    squares = jnp.square(hidden @ parameters[OUTPUT_WEIGHT] + parameters[OUTPUT_BIAS] - targets)
    return jnp.mean(squares if weight is None else squares * weight[:, None])


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
    """The loop, and after it the loss of other samples."""
    device = device_named(setting.device)
    optimizer = optax.sgd(float(task.rate))
    traced: set[bool] = set()

    def step(
        parameters: Parameters, state: optax.OptState, inputs: jax.Array, targets: jax.Array, weight: jax.Array | None
    ) -> tuple[Parameters, optax.OptState, jax.Array]:
        traced.add(isinstance(inputs, jax.core.Tracer))
        loss, gradients = jax.value_and_grad(_loss)(parameters, inputs, targets, weight)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, loss

    jit = setting.mode == "jit"
    run, measure = (jax.jit(step), jax.jit(_loss)) if jit else (step, _loss)
    parameters = jax.device_put({name: np.array(array) for name, array in task.parameters.items()}, device)
    state = optimizer.init(parameters)
    record = TrainingLog(task)

    def given(batch: Samples) -> list[jax.Array | None]:
        arrays: list[jax.Array | None] = jax.device_put([batch.inputs, batch.targets, batch.weight], device)
        return arrays

    for epoch in range(1, task.epochs + 1):
        total = 0.0
        for batch in task.samples.batches():
            parameters, state, loss = run(parameters, state, *given(batch))
            total += float(loss) * len(batch.inputs)
        record.losses.append(total / len(task.samples.inputs))
        record.keep(epoch, {name: np.asarray(array) for name, array in parameters.items()})
    if (evaluation := task.evaluation) is not None:
        total = sum(float(measure(parameters, *given(batch))) * len(batch.inputs) for batch in evaluation.batches())
        record.evaluation[LOSS] = total / len(evaluation.inputs)
    return record.produced(place(parameters[OUTPUT_BIAS]), "jit" if traced == {True} else "eager", no_metric=NO_METRIC)
