"""Training a small network exactly: forward, backward and gradient descent in rational numbers.

The network is dense, relu, dense. The loss of a batch is the sum of all squared residuals, each times the weight of its sample where
there are weights, divided by their number. No framework is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from conformance.numerics.definition import Quantity
from conformance.numerics.exact.number import is_power_of_two
from conformance.numerics.procedures.exact_run import ExactResult, Exacts, ExactSums
from conformance.numerics.tasks import (
    HIDDEN_BIAS,
    HIDDEN_WEIGHT,
    LOSS,
    METRIC,
    OUTPUT_BIAS,
    OUTPUT_WEIGHT,
    PARAMETERS,
    WEIGHTED_METRIC,
    Samples,
    TrainingTask,
    after,
    evaluated,
)


def train(task: TrainingTask) -> ExactResult:
    """Gradient descent through the batches in their order, as many times as there are epochs; then the evaluation."""
    work = _Training(objections=_indivisible(task))
    parameters: dict[str, Exacts] = {}
    reports: list[Mapping[str, Fraction]] = []
    now = task.parameters
    for epoch in range(1, task.epochs + 1):
        now, report = work.epoch(now, task.samples, task.rate, f" in epoch {epoch}")
        reports.append(report)
        parameters |= {after(name, epoch): array for name, array in now.items() if epoch in task.stops}
    reported = {name: np.array([report[name] for report in reports], dtype=object) for name in reports[0]}
    arrays = {Quantity.PARAMETERS: parameters, Quantity.LOSS: {LOSS: reported.pop(LOSS)}}
    if task.evaluation is not None:
        found = {name: np.array(x, dtype=object) for name, x in work.epoch(now, task.evaluation, None, " of the evaluation")[1].items()}
        arrays[Quantity.EVALUATION] = {LOSS: found.pop(LOSS)}
        reported |= {evaluated(name): x for name, x in found.items()}
    arrays[Quantity.METRIC] = reported
    return ExactResult(arrays, work.demands, work.objections)


def _indivisible(task: TrainingTask) -> list[str]:
    """Say where a factor is no power of two: then it matters when an implementation multiplies by it."""
    sizes = {batch.targets.size for batch in task.samples.batches()}
    found = [f"a batch has {size} elements, which is no power of two" for size in sizes if not is_power_of_two(Fraction(size))]
    return found if is_power_of_two(task.rate) else [*found, f"the learning rate {task.rate} is no power of two"]


@dataclass
class _Training(ExactSums):
    """One training; ``objections`` says where the relu is asked for less than it should be."""

    objections: list[str] = field(default_factory=list)

    def epoch(
        self, parameters: Mapping[str, Exacts], samples: Samples, rate: Fraction | None, where: str
    ) -> tuple[Mapping[str, Exacts], Mapping[str, Fraction]]:
        """One pass, with a step after each batch where there is a rate; what it reports are the losses from before each step."""
        squares = []
        for batch in samples.batches():
            p = parameters
            before = self.product(batch.inputs, p[HIDDEN_WEIGHT], f"first layer{where}", p[HIDDEN_BIAS])
            active = before > 0
            self._object(before, where, both=rate is not None)
            hidden = before * active
            prediction = self.product(hidden, p[OUTPUT_WEIGHT], f"prediction{where}", p[OUTPUT_BIAS])
            residual = self.sum(np.stack([prediction, -batch.targets]), 0, f"residual{where}")
            squares.append(residual * residual)
            weight = Fraction(1) if batch.weight is None else batch.weight[:, None]
            self.quotient(squares[-1] * weight, Fraction(residual.size), f"loss of a batch{where}")
            if rate is None:
                continue
            scaled = 2 * weight * residual / residual.size
            back = self.product(scaled, p[OUTPUT_WEIGHT].T, f"gradient behind the relu{where}") * active
            gradients = (
                self.product(batch.inputs.T, back, f"gradient of the {HIDDEN_WEIGHT}{where}"),
                self.sum(back, 0, f"gradient of the {HIDDEN_BIAS}{where}"),
                self.product(hidden.T, scaled, f"gradient of the {OUTPUT_WEIGHT}{where}"),
                self.sum(scaled, 0, f"gradient of the {OUTPUT_BIAS}{where}"),
            )
            steps = zip(PARAMETERS, gradients, strict=True)
            parameters = {name: self.sum(np.stack([p[name], -rate * g]), 0, f"update of the {name}{where}") for name, g in steps}
        return parameters, self._report(np.concatenate(squares), samples.weight, where)

    def _object(self, before: Exacts, where: str, *, both: bool) -> None:
        if (before == 0).any():
            self.objections.append(f"an input of the relu is exactly zero{where}, where frameworks may differ")
        if both and ((before > 0).all() or (before < 0).all()):
            self.objections.append(f"the relu is on one side only for a whole batch{where}")

    def _report(self, squares: Exacts, weight: Exacts | None, where: str) -> Mapping[str, Fraction]:
        count = Fraction(squares.size)
        metric = self.quotient(squares, count, f"metric{where}")
        if weight is None:
            return {LOSS: metric, METRIC: metric}
        weighted, outputs = squares * weight[:, None], squares.shape[1]
        total = self.quotient(weight, Fraction(1), f"sum of the weights{where}")
        return {
            LOSS: self.quotient(weighted, count, f"loss{where}"),
            METRIC: metric,
            WEIGHTED_METRIC: self.quotient(weighted, total * outputs, f"weighted metric{where}"),
        }
