"""TensorFlow trains: a ``GradientTape`` loop over variables, eager, as a graph, and compiled by XLA."""

from __future__ import annotations

from typing import Any

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.tensorflow.implementations import MODES
from conformance.frameworks.tensorflow.tensors import constant, host, place, running_on, tf
from conformance.frameworks.training_log import train
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, OUTPUT_BIAS, OUTPUT_WEIGHT, TrainingTask


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
    """Train, then evaluate."""
    with running_on(setting.device):
        return _trained(task, setting.mode)


def _trained(task: TrainingTask, mode: str) -> ProcedureResult:
    parameters = {name: tf.Variable(constant(array)) for name, array in task.parameters.items()}
    eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def loss(inputs: Any, targets: Any, weight: Any) -> Any:
        hidden = tf.nn.relu(tf.matmul(inputs, parameters[HIDDEN_WEIGHT]) + parameters[HIDDEN_BIAS])
        squares = tf.square(tf.matmul(hidden, parameters[OUTPUT_WEIGHT]) + parameters[OUTPUT_BIAS] - targets)
        return tf.reduce_mean(squares if weight is None else squares * weight[:, None])

    def step(inputs: Any, targets: Any, weight: Any) -> Any:
        eagerly.add(tf.executing_eagerly())
        with tf.GradientTape() as tape:
            value = loss(inputs, targets, weight)
        variables = list(parameters.values())
        for variable, gradient in zip(variables, tape.gradient(value, variables)):
            variable.assign_sub(float(task.rate) * gradient)
        return value

    def in_mode(body: Any) -> Any:
        return body if mode == "eager" else tf.function(body, jit_compile=mode == "xla" or None)

    run = in_mode(step)
    log = train(task, constant, run, in_mode(loss), lambda: {name: host(variable) for name, variable in parameters.items()})
    ran = "eager"
    if True not in eagerly:  # as far as it was observed; XLA cannot fall back by itself
        traces = run._list_all_concrete_functions()  # noqa: SLF001 - the only list of what was traced
        ran = "xla" if all(one.function_def.attr["_XlaMustCompile"].b for one in traces) else "graph"
    return log.produced(place(parameters[OUTPUT_BIAS]), ran)


ENTRY = "variable.assign_sub(rate * gradient), with gradients by tf.GradientTape of tf.reduce_mean(tf.square(prediction - target){})"
IMPLEMENTATIONS = (
    Implementation("GradientTape.sgd", ENTRY.format(""), "training/sgd", perform, MODES, DTYPES),
    Implementation("GradientTape.sgd-weighted", ENTRY.format(" * weight[:, None]"), "training/sgd-weighted", perform, MODES, DTYPES),
)
