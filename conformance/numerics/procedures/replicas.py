"""A batch on several replicas, exactly: the loss and the gradient of the whole, which every replica must hold in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate

import numpy as np

from conformance.numerics.definition import Quantity
from conformance.numerics.exact.number import is_power_of_two
from conformance.numerics.procedures.exact_run import ExactResult, Exacts, ExactSums
from conformance.numerics.tasks import ReplicasTask, on_each


def averaged(task: ReplicasTask) -> ExactResult:
    """The mean of all squared residuals, and its gradient with respect to the parameters; on every replica the same."""
    work = ExactSums()
    prediction = work.product(task.inputs, task.parameters, "prediction")
    residual = work.sum(np.stack([prediction, -task.targets]), 0, "residual")
    loss, gradient = _mean(work, task.inputs, residual, "")
    shards = [
        _mean(work, shard.inputs, part, f" of replica {index}")
        for index, (shard, part) in enumerate(zip(task.split(), _split(residual, task.shards), strict=True))
    ]
    replicas = len(task.shards)
    arrays = {
        Quantity.GRADIENT_PARAMETERS: on_each(replicas, gradient),
        Quantity.LOSS: on_each(replicas, np.array(loss, dtype=object)),
    }
    return ExactResult(arrays, work.demands, tuple(_objections(task, loss, gradient, shards)))


def _mean(work: ExactSums, inputs: Exacts, residual: Exacts, where: str) -> tuple[Fraction, Exacts]:
    """The loss of some rows, and its gradient; a conforming implementation may take them apart or together."""
    count = Fraction(residual.size)
    loss = work.quotient(residual * residual, count, f"loss{where}")
    scaled = [work.quotient(np.array([2 * r], dtype=object), count, f"slope of the loss{where}") for r in residual.ravel()]
    return loss, work.product(inputs.T, np.array(scaled, dtype=object).reshape(residual.shape), f"gradient{where}")


def _split(rows: Exacts, shards: Sequence[int]) -> list[Exacts]:
    return np.split(rows, list(accumulate(shards))[:-1])


def _objections(task: ReplicasTask, loss: Fraction, gradient: Exacts, shards: Sequence[tuple[Fraction, Exacts]]) -> Iterator[str]:
    """Say what a wrong implementation would get right, and where it matters when an implementation multiplies by a factor."""
    if not is_power_of_two(Fraction(task.targets.size)):
        yield f"{task.targets.size} elements, which is no power of two"
    if not loss or not gradient.all():
        yield "a loss or a gradient that is zero, so that scaling it changes nothing"
    for index, (_, alone) in enumerate(shards):
        if np.all(alone == gradient):
            yield f"the gradient of replica {index} alone, which is that of the whole batch"
    if len(set(task.shards)) > 1:
        if sum(one for one, _ in shards) == len(shards) * loss:
            yield "shards that differ in length, though the average of their losses is the loss of the whole batch"
        if np.any(sum(one for _, one in shards) == len(shards) * gradient):
            yield "shards that differ in length, though the average of their gradients is somewhere the gradient of the whole batch"
