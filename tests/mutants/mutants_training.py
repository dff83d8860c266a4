"""Wrong trainings: the gradient, the step, the relu, the weights of samples, or what is reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from parts import Array, Floats, wide
from parts_training import SGD, WEIGHTED, Parameters, Pass, Trainer, trains

from conformance.numerics.tasks import HIDDEN_BIAS, LOSS, METRIC, OUTPUT_BIAS, OUTPUT_WEIGHT, WEIGHTED_METRIC, Samples, TrainingTask

# -- the gradient -------------------------------------------------------------------------------------------------------------


@trains(SGD)
class ForgetsTheTwo(Trainer):
    """The derivative of half the square."""

    def scaled(self, one: Pass) -> Floats:
        return super().scaled(one) / 2


@trains(SGD)
class DividesByOneLess(Trainer):
    """The divisor of a sample variance."""

    def scaled(self, one: Pass) -> Floats:
        return np.asarray(super().scaled(one) * one.residual.size / (one.residual.size - 1))


@trains(SGD)
class StepsByTheSum(Trainer):
    """A mean is reported, the gradient is that of the sum."""

    def scaled(self, one: Pass) -> Floats:
        return 2 * one.residual


@trains(SGD)
class DividesBySamples(Trainer):
    """The sum over the last axis, where the mean belongs."""

    def scaled(self, one: Pass) -> Floats:
        return np.asarray(super().scaled(one) * one.residual.shape[1])


@trains(SGD)
class DividesByAFullBatch(Trainer):
    """A batch that is not full is divided by what a full one has."""

    def scaled(self, one: Pass) -> Floats:
        return super().scaled(one) * len(one.inputs) / self.task.samples.batch


@trains(SGD)
class PassesTheRelu(Trainer):
    """The gradient goes through units that are not active."""

    def slope(self, before: Floats) -> Floats:
        return np.ones_like(before)


@trains(SGD)
class LeaksThroughTheRelu(Trainer):
    """A sixteenth of it does."""

    def slope(self, before: Floats) -> Floats:
        return np.where(before > 0, 1.0, 0.0625)


@trains(SGD)
class TakesTheReluForASquare(Trainer):
    """The slope of max(x, 0)²."""

    def slope(self, before: Floats) -> Floats:
        return 2 * np.maximum(before, 0)


@trains(SGD)
class BackThroughNewWeights(Trainer):
    """The output layer steps first, and the gradient goes back through what it has become."""

    def gradients(self, one: Pass) -> Parameters:
        kept = self.parameters[OUTPUT_WEIGHT]
        self.parameters[OUTPUT_WEIGHT] = kept - self.rate * (one.hidden.T @ self.scaled(one))
        found = super().gradients(one)
        self.parameters[OUTPUT_WEIGHT] = kept
        return found


# -- the step -----------------------------------------------------------------------------------------------------------------


class _Remembers(Trainer):
    """Has seen so many steps, and keeps something of each parameter."""

    def __init__(self, task: TrainingTask) -> None:
        super().__init__(task)
        self.kept = {name: np.zeros_like(array) for name, array in self.parameters.items()}
        self.steps = 0

    def step(self, one: Pass) -> None:
        self.steps += 1
        super().step(one)


@trains(SGD)
class HasMomentum(_Remembers):
    """A quarter of the last step is done again."""

    def update(self, name: str, gradient: Floats) -> None:
        self.kept[name] = gradient + self.kept[name] / 4
        super().update(name, self.kept[name])


@trains(SGD)
class ForgetsToZero(_Remembers):
    """Gradients add up from step to step."""

    def update(self, name: str, gradient: Floats) -> None:
        self.kept[name] = self.kept[name] + gradient
        super().update(name, self.kept[name])


@trains(SGD)
class DoublesTheThirdStep(_Remembers):
    """The learning rate is applied twice in the third step."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, gradient * (self.rate if self.steps == 3 else 1))


@trains(SGD)
class SlowsDown(_Remembers):
    """A schedule that halves the rate after each step."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, gradient * 2.0 ** (1 - self.steps))


@trains(SGD)
class Ascends(Trainer):
    """Up the gradient."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, -gradient)


@trains(SGD)
class IgnoresTheRate(Trainer):
    """Steps as long as the gradient."""

    def __init__(self, task: TrainingTask) -> None:
        super().__init__(task)
        self.rate = 1.0


@trains(SGD)
class KeepsTheHiddenBias(Trainer):
    """It is no parameter of the optimizer."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, gradient * (name != HIDDEN_BIAS))


@trains(SGD)
class KeepsTheOutputBias(Trainer):
    """It is no parameter of the optimizer."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, gradient * (name != OUTPUT_BIAS))


@trains(SGD)
class Decays(Trainer):
    """A little of each parameter is taken away."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, gradient + self.parameters[name] / 64)


@trains(SGD)
class ClipsGradients(Trainer):
    """No element of a gradient is larger than a half."""

    def update(self, name: str, gradient: Floats) -> None:
        super().update(name, np.clip(gradient, -0.5, 0.5))


@trains(SGD)
class DropsTheRaggedBatch(Trainer):
    """What does not fill a batch is not seen."""

    def batches(self, samples: Samples) -> Sequence[Samples]:
        found = super().batches(samples)
        return [batch for batch in found if len(batch.inputs) == samples.batch] or found


@trains(SGD)
class TurnsTheBatchesAround(Trainer):
    """The last batch comes first."""

    def batches(self, samples: Samples) -> Sequence[Samples]:
        return super().batches(samples)[::-1]


@trains(SGD, dtypes=("float64",))
class ComputesInFloat32(Trainer):
    """Residuals are rounded to float32."""

    def forward(self, batch: Samples) -> Pass:
        one = super().forward(batch)
        return Pass(one.samples, one.inputs, one.before, one.hidden, wide(one.residual.astype(np.float32)), one.weight)


@trains(SGD, dtypes=("float32",))
class ReturnsFloat64(Trainer):
    """The right parameters, in another dtype."""

    def narrow(self, array: Floats) -> Array:
        return array


# -- what is reported ---------------------------------------------------------------------------------------------------------


@trains(SGD)
class ReportsAfterTheStep(Trainer):
    """The loss of a batch from which it has just learnt."""

    def trained(self, batch: Samples) -> tuple[float, Pass]:
        super().trained(batch)
        return self.measured(batch)


@trains(SGD)
class AveragesBatches(Trainer):
    """The mean of the means of the batches, ragged or not."""

    def together(self, losses: Sequence[float], sizes: Sequence[int]) -> float:  # noqa: ARG002 - what it should ask for
        return float(np.mean(losses))


@trains(SGD)
class EvaluatesTheMeanOfBatches(Trainer):
    """The same in an evaluation only."""

    def evaluate(self, samples: Samples) -> dict[str, float]:
        losses = [self.measured(batch)[0] for batch in self.batches(samples)]
        return super().evaluate(samples) | {LOSS: float(np.mean(losses))}


@trains(SGD)
class ReportsTheLastBatch(Trainer):
    """The loss of the last batch for that of all."""

    def together(self, losses: Sequence[float], sizes: Sequence[int]) -> float:  # noqa: ARG002 - what it should ask for
        return losses[-1]


@trains(SGD)
class EvaluatesFullBatchesOnly(Trainer):
    """The last samples are left out."""

    def evaluate(self, samples: Samples) -> dict[str, float]:
        part = slice(0, samples.batch)
        return super().evaluate(Samples(samples.inputs[part], samples.targets[part], None, samples.batch))


@trains(SGD)
class EvaluatesBeforeTraining(Trainer):
    """The parameters are those it started with."""

    def evaluate(self, samples: Samples) -> dict[str, float]:
        self.parameters = {name: wide(array) for name, array in self.task.parameters.items()}
        return super().evaluate(samples)


@trains(SGD)
class ReportsTheRoot(Trainer):
    """The metric is that of another name."""

    def metrics(self, passes: Sequence[Pass]) -> dict[str, float]:
        return {name: value**0.5 for name, value in super().metrics(passes).items()}


@trains(SGD)
class NeverResetsTheMetric(Trainer):
    """It goes on from one epoch into the next."""

    def __init__(self, task: TrainingTask) -> None:
        super().__init__(task)
        self.seen: list[Pass] = []

    def metrics(self, passes: Sequence[Pass]) -> dict[str, float]:
        self.seen += passes
        return super().metrics(self.seen)


# -- the weights of samples ---------------------------------------------------------------------------------------------------


@trains(WEIGHTED)
class IgnoresWeights(Trainer):
    """Each sample counts once."""

    def forward(self, batch: Samples) -> Pass:
        return super().forward(Samples(batch.inputs, batch.targets, None, batch.batch))


@trains(WEIGHTED)
class WeightsOnlyTheReport(Trainer):
    """The gradient knows nothing of them."""

    def scaled(self, one: Pass) -> Floats:
        return 2 * one.residual / one.residual.size


@trains(WEIGHTED)
class WeightsOnlyTheGradient(Trainer):
    """The report knows nothing of them."""

    def loss(self, one: Pass) -> float:
        return float(np.square(one.residual).mean())


@trains(WEIGHTED)
class WeightsTwice(Trainer):
    """Once in the loss, and once more in its gradient."""

    def scaled(self, one: Pass) -> Floats:
        return super().scaled(one) * one.weight


@trains(WEIGHTED)
class DividesByTheWeights(Trainer):
    """A weighted mean, whose divisor is the sum of the weights."""

    def scaled(self, one: Pass) -> Floats:
        return super().scaled(one) * len(one.inputs) / (one.weight.sum() or 1)

    def loss(self, one: Pass) -> float:
        return super().loss(one) * len(one.inputs) / float(one.weight.sum() or 1)


@trains(WEIGHTED)
class DividesByNonzeroWeights(Trainer):
    """Samples of weight zero are not counted."""

    def scaled(self, one: Pass) -> Floats:
        return super().scaled(one) * len(one.inputs) / (np.count_nonzero(one.weight) or 1)


@trains(WEIGHTED)
class WeightsTheMean(Trainer):
    """The loss is one number before the weights come, and each of them multiplies it."""

    def scaled(self, one: Pass) -> Floats:
        return np.asarray(2 * one.residual / one.residual.size * one.weight.mean())

    def loss(self, one: Pass) -> float:
        return float(np.square(one.residual).mean() * one.weight.mean())


@trains(WEIGHTED)
class EvaluatesWithoutWeights(Trainer):
    """They are used in the training only."""

    def evaluate(self, samples: Samples) -> dict[str, float]:
        return super().evaluate(Samples(samples.inputs, samples.targets, None, samples.batch))


@trains(WEIGHTED)
class ReportsTheLossAsMetric(Trainer):
    """What should be without weights, or divided by them, is the loss once more."""

    def report(self, samples: Samples, through: object) -> dict[str, float]:
        found = super().report(samples, through)  # type: ignore[arg-type]  # it only passes it on
        return dict.fromkeys((LOSS, METRIC, WEIGHTED_METRIC), found[LOSS])
