"""NumPy trains: forward, backward and steps written out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.frameworks.base import Implementation
from conformance.frameworks.numpy.implementations import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import train
from conformance.numerics.formats import Array
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, OUTPUT_BIAS, OUTPUT_WEIGHT, TrainingTask


def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:  # noqa: ARG001 - there is one device and one mode
    """Train, then evaluate."""
    parameters = {name: np.array(array) for name, array in task.parameters.items()}
    rate = parameters[HIDDEN_WEIGHT].dtype.type(float(task.rate))

    def differentiated(inputs: Array, targets: Array, weight: Array | None) -> tuple[Array, Mapping[str, Array]]:
        before = inputs @ parameters[HIDDEN_WEIGHT] + parameters[HIDDEN_BIAS]
        hidden = np.maximum(before, 0)
        residual = hidden @ parameters[OUTPUT_WEIGHT] + parameters[OUTPUT_BIAS] - targets
        weighted = residual if weight is None else residual * weight[:, None]
        scaled = 2 * weighted / residual.dtype.type(residual.size)
        back = np.where(before > 0, scaled @ parameters[OUTPUT_WEIGHT].T, 0)
        return np.mean(weighted * residual), {
            HIDDEN_WEIGHT: inputs.T @ back,
            HIDDEN_BIAS: back.sum(axis=0),
            OUTPUT_WEIGHT: hidden.T @ scaled,
            OUTPUT_BIAS: scaled.sum(axis=0),
        }

    def step(*batch: Array) -> Array:
        loss, gradients = differentiated(*batch)
        for name, gradient in gradients.items():
            parameters[name] -= rate * gradient
        return loss

    return train(task, np.asarray, step, lambda *batch: differentiated(*batch)[0], lambda: parameters).produced("cpu", "eager")


ENTRY = "parameter -= rate * gradient, with gradients by hand of np.mean(np.square(prediction - target){})"
IMPLEMENTATIONS = (
    Implementation("by-hand.sgd", ENTRY.format(""), "training/sgd", perform, ("eager",), DTYPES),
    Implementation("by-hand.sgd-weighted", ENTRY.format(" * weight"), "training/sgd-weighted", perform, ("eager",), DTYPES),
)
