"""What the variants of training are made of: a right one, in float64, in steps of which each gets only one wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from parts import Array, Floats, wide

import conformance
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import TrainingLog
from conformance.numerics.tasks import (
    HIDDEN_BIAS,
    HIDDEN_WEIGHT,
    LOSS,
    METRIC,
    OUTPUT_BIAS,
    OUTPUT_WEIGHT,
    WEIGHTED_METRIC,
    Samples,
    TrainingTask,
)

Parameters = Mapping[str, Floats]
SGD, WEIGHTED = "training/sgd", "training/sgd-weighted"


@dataclass(frozen=True, eq=False)
class Pass:
    """One batch on its way through the network."""

    samples: Samples
    inputs: Floats
    before: Floats
    hidden: Floats
    residual: Floats
    weight: Floats
    """A column: ones where there are no weights."""


class Trainer:
    """Right in all its steps."""

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.rate = float(task.rate)
        self.parameters: dict[str, Floats] = {name: wide(array) for name, array in task.parameters.items()}
        self.dtype = task.samples.inputs.dtype

    def batches(self, samples: Samples) -> Sequence[Samples]:
        return list(samples.batches())

    def forward(self, batch: Samples) -> Pass:
        p, inputs = self.parameters, wide(batch.inputs)
        before = inputs @ p[HIDDEN_WEIGHT] + p[HIDDEN_BIAS]
        hidden = np.maximum(before, 0)
        weight = np.ones(len(inputs)) if batch.weight is None else wide(batch.weight)
        residual = hidden @ p[OUTPUT_WEIGHT] + p[OUTPUT_BIAS] - wide(batch.targets)
        return Pass(batch, inputs, before, hidden, residual, weight[:, None])

    def loss(self, one: Pass) -> float:
        return float(np.sum(one.weight * np.square(one.residual)) / one.residual.size)

    def scaled(self, one: Pass) -> Floats:
        """The gradient of the loss with respect to the prediction."""
        return np.asarray(2 * one.weight * one.residual / one.residual.size)

    def slope(self, before: Floats) -> Floats:
        """The derivative of the relu."""
        return np.asarray(before > 0, dtype=np.float64)

    def gradients(self, one: Pass) -> Parameters:
        scaled = self.scaled(one)
        back = scaled @ self.parameters[OUTPUT_WEIGHT].T * self.slope(one.before)
        return {
            HIDDEN_WEIGHT: one.inputs.T @ back,
            HIDDEN_BIAS: back.sum(axis=0),
            OUTPUT_WEIGHT: one.hidden.T @ scaled,
            OUTPUT_BIAS: scaled.sum(axis=0),
        }

    def step(self, one: Pass) -> None:
        for name, gradient in self.gradients(one).items():
            self.update(name, gradient)

    def update(self, name: str, gradient: Floats) -> None:
        self.parameters[name] = self.parameters[name] - self.rate * gradient

    def together(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        """What is reported of several batches."""
        return float(np.dot(losses, sizes) / np.sum(sizes))

    def trained(self, batch: Samples) -> tuple[float, Pass]:
        """One step: its loss, and what the metrics see."""
        one = self.forward(batch)
        loss = self.loss(one)
        self.step(one)
        return loss, one

    def measured(self, batch: Samples) -> tuple[float, Pass]:
        one = self.forward(batch)
        return self.loss(one), one

    def metrics(self, passes: Sequence[Pass]) -> dict[str, float]:
        squares = np.concatenate([np.square(one.residual) for one in passes])
        weight = np.concatenate([one.weight for one in passes])
        return {METRIC: float(squares.mean()), WEIGHTED_METRIC: float((weight * squares).sum() / (weight.sum() * squares.shape[1]))}

    def report(self, samples: Samples, through: Callable[[Samples], tuple[float, Pass]]) -> dict[str, float]:
        batches = self.batches(samples)
        seen = [through(batch) for batch in batches]
        return {LOSS: self.together([loss for loss, _ in seen], [len(b.inputs) for b in batches]), **self.metrics([one for _, one in seen])}

    def evaluate(self, samples: Samples) -> dict[str, float]:
        return self.report(samples, self.measured)

    def narrow(self, array: Floats) -> Array:
        return array.astype(self.dtype)

    def run(self) -> ProcedureResult:
        record = TrainingLog(self.task)
        for epoch in range(1, self.task.epochs + 1):
            reported = self.report(self.task.samples, self.trained)
            record.losses.append(reported.pop(LOSS))
            for name, value in reported.items():
                record.metrics.setdefault(name, []).append(value)
            record.keep(epoch, {name: self.narrow(array) for name, array in self.parameters.items()})
        if self.task.evaluation is not None:
            record.evaluation = self.evaluate(self.task.evaluation)
        return record.produced("cpu", "eager")


def trains(operation: str, **arguments: Any) -> Callable[[type[Trainer]], type[Trainer]]:
    """Register a trainer as an implementation of a procedure, under its own name."""

    def register(trainer: type[Trainer]) -> type[Trainer]:
        def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
            return trainer(task).run()

        perform.__doc__ = trainer.__doc__
        name = re.sub(r"(?<=.)(?=[A-Z])", "-", trainer.__name__).lower()
        conformance.implementation(operation, framework="numpy", name=f"trains-{name}", **arguments)(perform)
        return trainer

    return register
