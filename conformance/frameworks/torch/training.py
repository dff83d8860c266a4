"""PyTorch trains: ``nn.Sequential``, ``nn.MSELoss`` and ``torch.optim.SGD`` in the loop that everyone writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.torch.compiler import fresh_compiler, graphs
from conformance.frameworks.torch.implementations import MODES
from conformance.frameworks.torch.tensors import is_compiling, place, refusing_what_lacks_a_kernel, to_array, to_tensor
from conformance.frameworks.training_log import train
from conformance.numerics.tasks import PARAMETERS, TrainingTask


def _weighted(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """What people write where the module takes no weights."""
    return (weight * nn.functional.mse_loss(prediction, target, reduction="none").mean(dim=1)).mean()


@refusing_what_lacks_a_kernel()
def _perform(loss: Callable[..., Tensor], task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
    """Train, then evaluate."""
    given = [to_tensor(task.parameters[name], setting.device) for name in PARAMETERS]
    hidden, output = (nn.Linear(*weight.shape, dtype=weight.dtype, device=setting.device) for weight in given[::2])
    model = nn.Sequential(hidden, nn.ReLU(), output)
    model.load_state_dict(dict(zip(model.state_dict(), (array.t() for array in given))))  # PyTorch's weights have a row an output
    optimizer = torch.optim.SGD(model.parameters(), lr=float(task.rate))
    before = fresh_compiler() if setting.mode == "compile" else 0
    marks: set[bool] = set()

    def marked(inputs: Tensor, targets: Tensor, *weight: Tensor | None) -> tuple[Tensor, bool]:
        # Inside a compiled graph the mark is the constant True; any way of running eager returns False.
        return loss(model(inputs), targets, *weight), is_compiling()

    run = torch.compile(marked, fullgraph=True) if setting.mode == "compile" else marked

    def forward(inputs: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
        value, compiled = run(inputs, targets) if weight is None else run(inputs, targets, weight)
        marks.add(compiled)
        return value

    def step(*batch: Tensor) -> Tensor:
        value = forward(*batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    log = train(
        task,
        lambda array: to_tensor(array.copy(), setting.device),
        step,
        torch.no_grad()(forward),
        lambda: {name: to_array(parameter.t()) for name, parameter in zip(PARAMETERS, model.parameters())},
    )
    return log.produced(place(output.weight), "compile" if marks == {True} and graphs() > before else "eager")


ENTRY = "torch.optim.SGD(model.parameters(), lr).step() after {}.backward()"
PLAIN = "torch.nn.MSELoss()(model(inputs), targets)"
WEIGHTED = '(weight * mse_loss(prediction, target, reduction="none").mean(dim=1)).mean()'
IMPLEMENTATIONS = (
    Implementation("SGD.MSELoss", ENTRY.format(PLAIN), "training/sgd", partial(_perform, nn.MSELoss()), MODES, DTYPES),
    Implementation("SGD.weighted", ENTRY.format(WEIGHTED), "training/sgd-weighted", partial(_perform, _weighted), MODES, DTYPES),
)
