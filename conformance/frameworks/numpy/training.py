"""NumPy trains: forward, backward and steps written out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import NO_METRIC, TrainingLog
from conformance.numerics.formats import Array
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, LOSS, OUTPUT_BIAS, OUTPUT_WEIGHT, Samples, TrainingTask

ENTRY = "parameter -= rate * gradient, with gradients by hand of np.mean(np.square(prediction - target){})"


def implementations() -> Sequence[Implementation]:
    """The two losses, with and without weights; the arithmetic is the same."""
    return (
        Implementation("by-hand.sgd", ENTRY.format(""), "training/sgd", perform, ("eager",), DTYPES),
        Implementation("by-hand.sgd-weighted", ENTRY.format(" * weight"), "training/sgd-weighted", perform, ("eager",), DTYPES),
    )


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:  # noqa: ARG001 - there is one device and one mode
    """The loop, and after it the loss of other samples."""
    parameters = {name: np.array(array) for name, array in task.parameters.items()}
    rate = parameters[HIDDEN_WEIGHT].dtype.type(float(task.rate))
    record = TrainingLog(task)
    for epoch in range(1, task.epochs + 1):
        total = 0.0
        for batch in task.samples.batches():
            loss, gradients = _differentiated(parameters, batch)
            total += loss * len(batch.inputs)
            for name, gradient in gradients.items():
                parameters[name] -= rate * gradient
        record.losses.append(total / len(task.samples.inputs))
        record.keep(epoch, parameters)
    if (evaluation := task.evaluation) is not None:
        total = sum(_differentiated(parameters, batch)[0] * len(batch.inputs) for batch in evaluation.batches())
        record.evaluation[LOSS] = total / len(evaluation.inputs)
    return record.produced("cpu", "eager", no_metric=NO_METRIC)


def _differentiated(parameters: Mapping[str, Array], batch: Samples) -> tuple[float, Mapping[str, Array]]:
    """The loss of a batch, and its gradient with respect to each parameter."""
    before = batch.inputs @ parameters[HIDDEN_WEIGHT] + parameters[HIDDEN_BIAS]
    hidden = np.maximum(before, 0)
    residual = hidden @ parameters[OUTPUT_WEIGHT] + parameters[OUTPUT_BIAS] - batch.targets
    weighted = residual if batch.weight is None else residual * batch.weight[:, None]
    loss = np.mean(weighted * residual)
    scaled = 2 * weighted / residual.dtype.type(residual.size)
    back = np.where(before > 0, scaled @ parameters[OUTPUT_WEIGHT].T, 0)
    return float(loss), {
        HIDDEN_WEIGHT: batch.inputs.T @ back,
        HIDDEN_BIAS: back.sum(axis=0),
        OUTPUT_WEIGHT: hidden.T @ scaled,
        OUTPUT_BIAS: scaled.sum(axis=0),
    }
