"""PyTorch trains: ``nn.Sequential``, ``nn.MSELoss`` and ``torch.optim.SGD`` in the loop that everyone writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.torch.compiler import fresh_compiler, graphs
from conformance.frameworks.torch.implementations import MODES
from conformance.frameworks.torch.tensors import place, to_array, to_tensor
from conformance.frameworks.training_log import NO_METRIC, TrainingLog
from conformance.numerics.formats import Array
from conformance.numerics.tasks import HIDDEN_BIAS, HIDDEN_WEIGHT, LOSS, OUTPUT_BIAS, OUTPUT_WEIGHT, Samples, TrainingTask

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Of prediction, target and the weights of samples."""


def implementations() -> Sequence[Implementation]:
    """The module's loss, and the weighted one that people write where the module takes no weights."""
    plain = nn.MSELoss()

    def module(prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:  # noqa: ARG001 - there is none
        loss: Tensor = plain(prediction, target)
        return loss

    def weighted(prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return (weight * nn.functional.mse_loss(prediction, target, reduction="none").mean(dim=1)).mean()

    loop = "torch.optim.SGD(model.parameters(), lr).step() after {}.backward()"
    written_out = '(weight * mse_loss(prediction, target, reduction="none").mean(dim=1)).mean()'
    return (
        Implementation(
            "SGD.MSELoss", loop.format("torch.nn.MSELoss()(model(inputs), targets)"), "training/sgd", _using(module), MODES, DTYPES
        ),
        Implementation("SGD.weighted", loop.format(written_out), "training/sgd-weighted", _using(weighted), MODES, DTYPES),
    )


def _using(loss: Loss) -> Callable[[TrainingTask, ExecutionSetting], ProcedureResult]:
    def perform(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
        return _Training(task, setting, loss).run()

    return perform


class _Training:
    """One training on one device, in one mode."""

    def __init__(self, task: TrainingTask, setting: ExecutionSetting, loss: Loss) -> None:
        self.task, self.device, self.loss = task, setting.device, loss
        given = {name: to_tensor(array, self.device) for name, array in task.parameters.items()}
        (inputs, units), outputs = given[HIDDEN_WEIGHT].shape, given[OUTPUT_BIAS].shape[0]
        options = {"dtype": given[HIDDEN_WEIGHT].dtype, "device": self.device}
        self.hidden, self.output = nn.Linear(inputs, units, **options), nn.Linear(units, outputs, **options)
        self.model = nn.Sequential(self.hidden, nn.ReLU(), self.output)
        state = {"0.weight": HIDDEN_WEIGHT, "0.bias": HIDDEN_BIAS, "2.weight": OUTPUT_WEIGHT, "2.bias": OUTPUT_BIAS}
        self.model.load_state_dict({key: given[name].t() for key, name in state.items()})  # PyTorch's weights have a row an output
        self.compiled: set[bool] = set()
        self.before = fresh_compiler() if setting.mode == "compile" else 0
        self.forward = torch.compile(self._forward, fullgraph=True) if setting.mode == "compile" else self._forward

    def run(self) -> ProcedureResult:
        """The loop, and after it the loss of other samples."""
        optimizer = torch.optim.SGD(self.model.parameters(), lr=float(self.task.rate))
        record = TrainingLog(self.task)
        for epoch in range(1, self.task.epochs + 1):
            record.losses.append(self._pass(self.task.samples, optimizer))
            record.keep(epoch, self._parameters())
        if self.task.evaluation is not None:
            with torch.no_grad():
                record.evaluation[LOSS] = self._pass(self.task.evaluation, None)
        ran = "compile" if self.compiled == {True} and graphs() > self.before else "eager"
        return record.produced(place(self.output.weight), ran, no_metric=NO_METRIC)

    def _forward(self, inputs: Tensor, targets: Tensor, weight: Tensor | None) -> tuple[Tensor, bool]:
        # Inside a compiled graph the mark is the constant True; any way of running eager returns False.
        return self.loss(self.model(inputs), targets, weight), torch.compiler.is_compiling()

    def _pass(self, samples: Samples, optimizer: torch.optim.Optimizer | None) -> float:
        """Go once through the batches; the mean of their losses, each counted as often as it has samples."""
        total = 0.0
        for batch in samples.batches():
            given = (batch.inputs, batch.targets, batch.weight)
            loss, compiled = self.forward(*(None if array is None else to_tensor(array.copy(), self.device) for array in given))
            self.compiled.add(compiled)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(batch.inputs)
        return total / len(samples.inputs)

    def _parameters(self) -> dict[str, Array]:
        return {
            HIDDEN_WEIGHT: to_array(self.hidden.weight.T),
            HIDDEN_BIAS: to_array(self.hidden.bias),
            OUTPUT_WEIGHT: to_array(self.output.weight.T),
            OUTPUT_BIAS: to_array(self.output.bias),
        }
