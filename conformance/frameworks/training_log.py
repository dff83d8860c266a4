"""The training that people write by hand, and what any training leaves behind, put together at its end. Imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.frameworks.base import ExecutionMismatch
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import Array, name_of
from conformance.numerics.tasks import LOSS, PARAMETERS, Samples, TrainingTask, after, evaluated


@dataclass
class TrainingLog:
    """The record of one training. Reported numbers are host numbers, of whatever format: what they are worth is judged by their bits."""

    task: TrainingTask
    parameters: dict[str, Array] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    evaluation: dict[str, float] = field(default_factory=dict)
    missing: dict[Quantity, str] = field(default_factory=dict)

    def keep(self, epoch: int, parameters: Mapping[str, Any]) -> None:
        """The parameters after an epoch, if they are wanted."""
        if epoch in self.task.stops:
            self.parameters |= {after(name, epoch): np.array(parameters[name]) for name in PARAMETERS}

    def produced(self, device: str, mode: str) -> ProcedureResult:
        """All of it; the dtype is that of the parameters.

        Raises:
            ExecutionMismatch: the parameters are of several dtypes.
        """
        dtypes = sorted({name_of(array) for array in self.parameters.values()})
        if len(dtypes) != 1:
            raise ExecutionMismatch(f"the parameters came back in {' and '.join(dtypes) or 'no dtype'}, expected one")
        reported = {name: np.array(values) for name, values in self.metrics.items()}
        reported |= {evaluated(name): np.array(value) for name, value in self.evaluation.items() if name != LOSS}
        arrays = {Quantity.PARAMETERS: self.parameters, Quantity.LOSS: {LOSS: np.array(self.losses)}, Quantity.METRIC: reported}
        if LOSS in self.evaluation:
            arrays[Quantity.EVALUATION] = {LOSS: np.array(self.evaluation[LOSS])}
        return ProcedureResult(arrays, ExecutionSetting(device, mode, dtypes[0]), self.missing)


def train(
    task: TrainingTask,
    tensor: Callable[[Array], Any],
    step: Callable[..., Any],
    loss: Callable[..., Any],
    parameters: Callable[[], Mapping[str, Any]],
) -> TrainingLog:
    """The loop, and after it the loss of other samples.

    ``step`` and ``loss`` are given the inputs, targets and weights (or None) of a batch, each made by ``tensor``, and return its loss.
    """

    def mean_loss(samples: Samples, of_batch: Callable[..., Any]) -> float:
        """Go once through the batches; the mean of their losses, each counted as often as it has samples."""
        total = 0.0
        for batch in samples.batches():
            given = (batch.inputs, batch.targets, batch.weight)
            total += float(of_batch(*(None if array is None else tensor(array) for array in given))) * len(batch.inputs)
        return total / len(samples.inputs)

    log = TrainingLog(task, missing={Quantity.METRIC: "a loop written by hand reports no metric beside the loss"})
    for epoch in range(1, task.epochs + 1):
        log.losses.append(mean_loss(task.samples, step))
        log.keep(epoch, parameters())
    if task.evaluation is not None:
        log.evaluation[LOSS] = mean_loss(task.evaluation, loss)
    return log
