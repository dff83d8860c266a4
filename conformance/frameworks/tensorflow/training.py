"""TensorFlow trains: a ``GradientTape`` loop over variables, eager, as a graph, and compiled by XLA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.tensorflow.implementations import MODES
from conformance.frameworks.tensorflow.tensors import constant, host, place, running_on, tf
from conformance.frameworks.training_log import NO_METRIC, TrainingLog
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, LOSS, OUTPUT_BIAS, OUTPUT_WEIGHT, Samples, TrainingTask

ENTRY = "variable.assign_sub(rate * gradient), with gradients by tf.GradientTape of tf.reduce_mean(tf.square(prediction - target){})"


def implementations() -> Sequence[Implementation]:
    """The two losses, with and without weights."""
    weighted = ENTRY.format(" * weight[:, None]")
    return (
        Implementation("GradientTape.sgd", ENTRY.format(""), "training/sgd", perform, MODES, DTYPES),
        Implementation("GradientTape.sgd-weighted", weighted, "training/sgd-weighted", perform, MODES, DTYPES),
    )


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
    """The loop, and after it the loss of other samples."""
    with running_on(setting.device):
        return _Training(task, setting.mode).run()


class _Training:
    """One training in one mode."""

    def __init__(self, task: TrainingTask, mode: str) -> None:
        self.task = task
        self.variables = {name: tf.Variable(constant(array)) for name, array in task.parameters.items()}
        self.eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace
        self.step: Any = self._step
        self.measure: Any = self._loss
        if mode != "eager":
            self.step, self.measure = (tf.function(body, jit_compile=mode == "xla" or None) for body in (self._step, self._loss))

    def run(self) -> ProcedureResult:
        """Train, then evaluate."""
        record = TrainingLog(self.task)
        for epoch in range(1, self.task.epochs + 1):
            record.losses.append(self._pass(self.task.samples, self.step))
            record.keep(epoch, {name: host(variable) for name, variable in self.variables.items()})
        if self.task.evaluation is not None:
            record.evaluation[LOSS] = self._pass(self.task.evaluation, self.measure)
        return record.produced(place(self.variables[OUTPUT_BIAS]), self._mode(), no_metric=NO_METRIC)

    def _pass(self, samples: Samples, body: Any) -> float:
        """Go once through the batches; the mean of their losses, each counted as often as it has samples."""
        total = 0.0
        for batch in samples.batches():
            given = (None if array is None else constant(array) for array in (batch.inputs, batch.targets, batch.weight))
            total += float(body(*given)) * len(batch.inputs)
        return total / len(samples.inputs)

    def _loss(self, inputs: Any, targets: Any, weight: Any) -> Any:
        hidden = tf.nn.relu(tf.matmul(inputs, self.variables[HIDDEN_WEIGHT]) + self.variables[HIDDEN_BIAS])
        squares = tf.square(tf.matmul(hidden, self.variables[OUTPUT_WEIGHT]) + self.variables[OUTPUT_BIAS] - targets)
        return tf.reduce_mean(squares if weight is None else squares * weight[:, None])

    def _step(self, inputs: Any, targets: Any, weight: Any) -> Any:
        self.eagerly.add(tf.executing_eagerly())
        with tf.GradientTape() as tape:
            loss = self._loss(inputs, targets, weight)
        variables = list(self.variables.values())
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_sub(float(self.task.rate) * gradient)
        return loss

    def _mode(self) -> str:
        """How it ran, as far as it was observed; XLA cannot fall back by itself."""
        if True in self.eagerly:
            return "eager"
        concrete = self.step._list_all_concrete_functions()  # noqa: SLF001 - the only list of what was traced
        return "xla" if all(one.function_def.attr["_XlaMustCompile"].b for one in concrete) else "graph"
