"""What the variants of replicas are made of: a right one, in float64, in steps of which each gets only one wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from parts import Array, Floats, wide

import conformance
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.tasks import ReplicasTask, on_replica

MEAN_GRADIENT = "replicas/mean-gradient"


@dataclass(frozen=True, eq=False)
class Share:
    """What one replica knows before it hears of the others: the sums over its rows, and how many elements they have."""

    loss: Floats
    gradient: Floats
    count: int


class Replicas:
    """Right in all its steps."""

    def __init__(self, task: ReplicasTask) -> None:
        self.task = task

    def shares(self) -> list[Share]:
        parameters, found = wide(self.task.parameters), []
        for shard in self.task.split():
            inputs = wide(shard.inputs)
            residual = inputs @ parameters - wide(shard.targets)
            found.append(Share(np.asarray(np.sum(residual * residual)), 2 * inputs.T @ residual, residual.size))
        return found

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        """What is made of the sums of all replicas."""
        return np.asarray(sum(sums) / sum(counts))

    def held(self, index: int, shares: Sequence[Share]) -> tuple[Floats, Floats]:  # noqa: ARG002 - all hold the same
        """The loss and the gradient that a replica holds in the end."""
        counts = [one.count for one in shares]
        return self.together([one.loss for one in shares], counts), self.together([one.gradient for one in shares], counts)

    def run(self) -> ProcedureResult:
        shares, dtype = self.shares(), self.task.inputs.dtype
        arrays: dict[Quantity, dict[str, Array]] = {Quantity.LOSS: {}, Quantity.GRADIENT_PARAMETERS: {}}
        for index in range(len(shares)):
            loss, gradient = self.held(index, shares)
            arrays[Quantity.LOSS][on_replica(index)] = np.asarray(loss).astype(dtype)
            arrays[Quantity.GRADIENT_PARAMETERS][on_replica(index)] = np.asarray(gradient).astype(dtype)
        return ProcedureResult(arrays, ExecutionSetting("cpu", "eager", dtype.name))


def spreads(replicas: type[Replicas]) -> type[Replicas]:
    """Register replicas as an implementation of the procedure, under their own name."""

    def perform(task: ReplicasTask, setting: ExecutionSetting) -> ProcedureResult:
        return replicas(task).run()

    perform.__doc__ = replicas.__doc__
    name = re.sub(r"(?<=.)(?=[A-Z])", "-", replicas.__name__).lower()
    conformance.implementation(MEAN_GRADIENT, framework="numpy", name=f"spreads-{name}")(perform)
    return replicas
