"""Right, and as people write them in PyTorch: modules, constant targets, masks of truth values, kernels that refuse most modes."""

from __future__ import annotations

from functools import partial
from typing import Any

import shared_parts  # noqa: F401 - finds the parts
import torch
from torch import nn
from torch.nn import functional

import conformance

IN_TORCH = partial(conformance.implementation, framework="torch")
IN_FLOAT32 = partial(IN_TORCH, dtypes=("float32",))


class _Averages(nn.Module):  # type: ignore[misc]  # torch has no types here
    """A loss as a module that holds another."""

    def __init__(self) -> None:
        super().__init__()
        self.criterion = nn.MSELoss(reduction="none")

    def forward(self, prediction: Any, target: Any) -> Any:
        return self.criterion(prediction, target).mean()


IN_TORCH("mse/mean", name="torch-is-a-module")(_Averages())


@IN_TORCH("mse/mean", name="torch-detaches-its-target")
def detaches_its_target(prediction: Any, target: Any) -> Any:
    """As in distillation and in Q-learning."""
    return functional.mse_loss(prediction, target.detach())


class _Once(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """A fused kernel: no second derivative, no forward mode, no batches, a constant target, no empty inputs."""

    @staticmethod
    def forward(ctx: Any, prediction: Any, target: Any) -> Any:
        difference = prediction - target
        ctx.save_for_backward(difference)
        return difference.square().mean()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]  # likewise
    def backward(ctx: Any, upstream: Any) -> Any:
        (difference,) = ctx.saved_tensors
        return upstream * (2.0 / difference.numel()) * difference, None


@IN_FLOAT32("mse/mean", name="torch-is-a-fused-kernel")
def torch_is_a_fused_kernel(prediction: Any, target: Any) -> Any:
    """Its backward pass is a kernel too, and cannot be differentiated again."""
    return _Once.apply(prediction, target)


class _NewStyle(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """With ``setup_context``, and without a rule for batches."""

    @staticmethod
    def forward(prediction: Any, target: Any) -> Any:
        return (prediction - target).square().sum()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, _output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        prediction, target = ctx.saved_tensors
        part = 2 * upstream * (prediction - target)
        return part, -part


@IN_FLOAT32("mse/sum", name="torch-has-no-rule-for-batches")
def has_no_rule_for_batches(prediction: Any, target: Any) -> Any:
    """A custom function, twice differentiable."""
    return _NewStyle.apply(prediction, target)


@IN_TORCH("mse/mean", name="torch-views-what-it-is-given")
def views_what_it_is_given(prediction: Any, target: Any) -> Any:
    """``view`` raises where memory is not contiguous."""
    return functional.mse_loss(prediction.view(-1), target.view(-1))


@IN_FLOAT32("mse/per-sample", name="torch-flattens-samples")
def flattens_samples(prediction: Any, target: Any) -> Any:
    """Of two axes at least."""
    return ((prediction - target) ** 2).flatten(1).mean(1)


@IN_TORCH("mse/mean", name="torch-averages-images")
def averages_images(prediction: Any, target: Any) -> Any:
    """Of four axes."""
    return functional.mse_loss(prediction, target, reduction="none").mean(dim=(1, 2, 3)).mean()


@IN_TORCH("mse/masked-mean", name="torch-indexes-with-a-mask")
def indexes_with_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values."""
    return functional.mse_loss(prediction[mask], target[mask])


@IN_FLOAT32("mse/masked-mean", name="torch-fills-with-a-mask")
def fills_with_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values, negated."""
    return ((prediction - target) ** 2).masked_fill(~mask, 0).sum() / mask.sum()


@IN_FLOAT32("mse/sample-weighted-mean", name="torch-weights-samples")
def weights_samples(prediction: Any, target: Any, weight: Any) -> Any:
    """The weight is a constant, and so is the target."""
    rows = ((prediction - target.detach()) ** 2).flatten(1).mean(1)
    return (weight.detach() * rows).sum() / weight.detach().sum()


@IN_TORCH("mse/mean", name="torch-is-a-metric")
@torch.no_grad()  # type: ignore[untyped-decorator]  # torch has no types here
def is_a_metric(prediction: Any, target: Any) -> Any:
    """It has no gradient at all."""
    return (prediction - target).square().mean()


@IN_TORCH("mse/mean", name="torch-has-the-gradient-that-it-is-given")
def has_the_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """By the decorator, in place of autograd."""
    return (prediction - target).square().mean()


@has_the_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    part = 2 * upstream * (prediction - target) / prediction.numel()
    return part, -part
