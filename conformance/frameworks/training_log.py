"""What a training leaves behind, collected while it runs and put together at its end. Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from conformance.frameworks.base import ExecutionMismatch
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import Array
from conformance.numerics.tasks import LOSS, PARAMETERS, TrainingTask, after, evaluated

NO_METRIC = "a loop written by hand reports no metric beside the loss"


@dataclass
class TrainingLog:
    """The record of one training. Reported numbers are host numbers, of whatever format: what they are worth is judged by their bits."""

    task: TrainingTask
    parameters: dict[str, Array] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    evaluation: dict[str, float] = field(default_factory=dict)

    def keep(self, epoch: int, parameters: Mapping[str, Array]) -> None:
        """The parameters after an epoch, if they are wanted."""
        if epoch in self.task.stops:
            self.parameters |= {after(name, epoch): np.array(parameters[name]) for name in PARAMETERS}

    def produced(self, device: str, mode: str, *, no_metric: str = "") -> ProcedureResult:
        """All of it; the dtype is that of the parameters.

        Raises:
            ExecutionMismatch: the parameters are of several dtypes.
        """
        dtypes = sorted({array.dtype.name for array in self.parameters.values()})
        if len(dtypes) != 1:
            raise ExecutionMismatch(f"the parameters came back in {' and '.join(dtypes) or 'no dtype'}, expected one")
        reported = {name: np.array(values) for name, values in self.metrics.items()}
        reported |= {evaluated(name): np.array(value) for name, value in self.evaluation.items() if name != LOSS}
        arrays = {Quantity.PARAMETERS: self.parameters, Quantity.LOSS: {LOSS: np.array(self.losses)}, Quantity.METRIC: reported}
        if LOSS in self.evaluation:
            arrays[Quantity.EVALUATION] = {LOSS: np.array(self.evaluation[LOSS])}
        missing = {Quantity.METRIC: no_metric} if no_metric else {}
        return ProcedureResult(arrays, ExecutionSetting(device, mode, dtypes[0]), missing)
