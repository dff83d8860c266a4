"""JAX trains: ``jax.value_and_grad`` and ``optax.sgd``, op by op and with the whole step under ``jax.jit``."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.jax.implementations import MODES
from conformance.frameworks.jax.tensors import device_named, place
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import train
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, OUTPUT_BIAS, OUTPUT_WEIGHT, TrainingTask

Parameters = dict[str, jax.Array]


def _loss(parameters: Parameters, inputs: jax.Array, targets: jax.Array, weight: jax.Array | None) -> jax.Array:
    hidden = jax.nn.relu(inputs @ parameters[HIDDEN_WEIGHT] + parameters[HIDDEN_BIAS])
    squares = jnp.square(hidden @ parameters[OUTPUT_WEIGHT] + parameters[OUTPUT_BIAS] - targets)
    return jnp.mean(squares if weight is None else squares * weight[:, None])


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
    """Train, then evaluate."""
    device = device_named(setting.device)
    optimizer = optax.sgd(float(task.rate))
    traced: set[bool] = set()

    def updated(parameters: Parameters, state: optax.OptState, *batch: jax.Array) -> tuple[Parameters, optax.OptState, jax.Array]:
        traced.add(isinstance(batch[0], jax.core.Tracer))
        loss, gradients = jax.value_and_grad(_loss)(parameters, *batch)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, loss

    run, measure = (jax.jit(updated), jax.jit(_loss)) if setting.mode == "jit" else (updated, _loss)
    parameters = jax.device_put({name: np.array(array) for name, array in task.parameters.items()}, device)
    state = optimizer.init(parameters)

    def step(*batch: jax.Array) -> jax.Array:
        nonlocal parameters, state
        parameters, state, loss = run(parameters, state, *batch)
        return loss

    log = train(task, lambda array: jax.device_put(array, device), step, lambda *batch: measure(parameters, *batch), lambda: parameters)
    return log.produced(place(parameters[OUTPUT_BIAS]), "jit" if traced == {True} else "eager")


ENTRY = "optax.sgd(rate).update(gradients, state), with gradients of jnp.mean(jnp.square(prediction - target){})"
IMPLEMENTATIONS = (
    Implementation("optax.sgd", ENTRY.format(""), "training/sgd", perform, MODES, DTYPES),
    Implementation("optax.sgd-weighted", ENTRY.format(" * weight[:, None]"), "training/sgd-weighted", perform, MODES, DTYPES),
)
