"""Right, and different: other orders, other arithmetic, gradients gathered in another way. None may be accused."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Floats, wide
from parts_training import SGD, WEIGHTED, Parameters, Pass, Trainer, trains

from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, METRIC, OUTPUT_BIAS, OUTPUT_WEIGHT, PARAMETERS, WEIGHTED_METRIC, Samples


@trains(SGD)
class Plain(Trainer):
    """What the wrong ones are made from."""


@trains(WEIGHTED)
class PlainWeighted(Trainer):
    """The same, with weights."""


@trains(WEIGHTED)
class SampleBySample(Trainer):
    """The gradients of single samples are added, the last sample first."""

    def gradients(self, one: Pass) -> Parameters:
        total = {name: np.zeros_like(self.parameters[name]) for name in PARAMETERS}
        for i in reversed(range(len(one.inputs))):
            alone = Pass(one.samples, *(part[i : i + 1] for part in (one.inputs, one.before, one.hidden, one.residual, one.weight)))
            for name, gradient in super().gradients(alone).items():
                total[name] += gradient / len(one.inputs)
        return total


@trains(SGD)
class ScalesTheStep(Trainer):
    """The gradient of the sum, and a step that is shorter by its number."""

    def scaled(self, one: Pass) -> Floats:
        return 2 * one.residual

    def step(self, one: Pass) -> None:
        rate, self.rate = self.rate, self.rate / one.residual.size
        super().step(one)
        self.rate = rate


@trains(SGD)
class KeepsWeightsTransposed(Trainer):
    """A row an output, as PyTorch has it."""

    def forward(self, batch: Samples) -> Pass:
        first, second = (np.ascontiguousarray(self.parameters[name].T) for name in (HIDDEN_WEIGHT, OUTPUT_WEIGHT))
        before = (first @ wide(batch.inputs).T).T + self.parameters[HIDDEN_BIAS]
        hidden = before * (before > 0)
        residual = (second @ hidden.T).T - (wide(batch.targets) - self.parameters[OUTPUT_BIAS])
        return Pass(batch, wide(batch.inputs), before, hidden, residual, np.ones((len(hidden), 1)))


@trains(WEIGHTED)
class InItsOwnDtype(Trainer):
    """Every result is rounded to the dtype of the inputs; nothing is lost."""

    def forward(self, batch: Samples) -> Pass:
        one = super().forward(batch)
        return Pass(one.samples, *(wide(self.narrow(part)) for part in (one.inputs, one.before, one.hidden, one.residual, one.weight)))

    def scaled(self, one: Pass) -> Floats:
        return wide(self.narrow(super().scaled(one)))

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, wide(self.narrow(gradient)))
        self.parameters[name] = wide(self.narrow(self.parameters[name]))


@trains(WEIGHTED)
class InFractions(Trainer):
    """The loss in rational numbers, rounded once."""

    def loss(self, one: Pass) -> float:
        pairs = ((Fraction(w), Fraction(d)) for w, row in zip(one.weight[:, 0], one.residual, strict=True) for d in row)
        return float(sum(w * d * d for w, d in pairs) / one.residual.size)


@trains(SGD)
class OutputFirst(Trainer):
    """All gradients are there before the first parameter changes, and the last one changes first."""

    def step(self, one: Pass) -> None:
        for name, gradient in reversed(list(self.gradients(one).items())):
            self.update(name, gradient)


@trains(WEIGHTED)
class GathersMetrics(Trainer):
    """Totals and counts, batch by batch, divided at the end."""

    def metrics(self, passes: Sequence[Pass]) -> dict[str, float]:
        plain = weighted = weights = samples = 0.0
        for one in passes:
            per_sample = np.square(one.residual).mean(axis=1)
            plain, samples = plain + per_sample.sum(), samples + len(per_sample)
            weighted, weights = weighted + (per_sample * one.weight[:, 0]).sum(), weights + one.weight.sum()
        return {METRIC: float(plain / samples), WEIGHTED_METRIC: float(weighted / weights)}
