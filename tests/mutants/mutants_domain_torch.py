"""Wrong in what a subject of PyTorch need not have: second derivatives, forward mode, batches, a gradient of the target."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from parts_torch import EveryMode

import conformance

IN_TORCH = partial(conformance.implementation, "mse/mean", framework="torch", dtypes=("float32",))


class _HalvesTheCurvature(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """The first derivative is right; half of it is a constant to the second."""

    @staticmethod
    def forward(ctx: Any, prediction: Any, target: Any) -> Any:
        ctx.save_for_backward(prediction, target)
        return (prediction - target).square().mean()

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        prediction, target = ctx.saved_tensors
        difference = prediction - target
        part = upstream * (difference + difference.detach()) / prediction.numel()
        return part, -part if ctx.needs_input_grad[1] else None


@IN_TORCH(name="torch-halves-the-curvature")
def halves_the_curvature(prediction: Any, target: Any) -> Any:
    """Undeclared, and it does not raise."""
    return _HalvesTheCurvature.apply(prediction, target)


@IN_TORCH(name="torch-halves-the-curvature-beside-a-constant")
def halves_the_curvature_beside_a_constant(prediction: Any, target: Any) -> Any:
    """The same where the target is a constant, so that the mixed part is none."""
    return _HalvesTheCurvature.apply(prediction, target.detach())


class _Once(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    @staticmethod
    def forward(ctx: Any, prediction: Any, target: Any) -> Any:
        ctx.save_for_backward(prediction, target)
        return (prediction - target).square().mean()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]  # likewise
    def backward(ctx: Any, upstream: Any) -> Any:
        prediction, target = ctx.saved_tensors
        part = upstream * (2 / max(prediction.numel(), 1)) * (prediction - target)
        return part, -part


@IN_TORCH(name="torch-raises-in-the-curvature-that-it-declares", second_derivative=True)
def raises_in_the_curvature_that_it_declares(prediction: Any, target: Any) -> Any:
    """It is differentiable once."""
    return _Once.apply(prediction, target)


class _ForwardOfThePredictionTwice(EveryMode):
    @staticmethod
    def jvp(ctx: Any, along_prediction: Any, along_target: Any) -> Any:
        return EveryMode.jvp(ctx, 2 * along_prediction, along_target)


@IN_TORCH(name="torch-has-a-wrong-rule-for-forward-mode")
def has_a_wrong_rule_for_forward_mode(prediction: Any, target: Any) -> Any:
    """It need not have one."""
    return _ForwardOfThePredictionTwice.apply(prediction, target)


class _BatchesAsOne(EveryMode):
    @staticmethod
    def vmap(info: Any, in_dims: Any, prediction: Any, target: Any) -> tuple[Any, int]:
        values, where = EveryMode.vmap(info, in_dims, prediction, target)
        return values.mean().expand(values.shape), where


@IN_TORCH(name="torch-has-a-wrong-rule-for-batches")
def has_a_wrong_rule_for_batches(prediction: Any, target: Any) -> Any:
    """It need not have one; this one averages over the batch."""
    return _BatchesAsOne.apply(prediction, target)


@IN_TORCH(name="torch-detaches-the-target-and-scales-the-gradient")
def detaches_the_target_and_scales_the_gradient(prediction: Any, target: Any) -> Any:
    """The target is a constant; the gradient of the prediction is that of a sum of halves."""
    value = (prediction - target.detach()).square().mean()
    return value.detach() + (prediction - prediction.detach()).mul((prediction - target).detach()).mean()


@IN_TORCH(name="torch-ignores-the-upstream-gradient-that-it-is-given")
def ignores_the_upstream_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """The decorator's gradient takes the place of autograd's, and leaves out what arrives from above."""
    return (prediction - target).square().mean()


@ignores_the_upstream_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, _upstream: Any) -> tuple[Any, None]:
    return 2 * (prediction - target) / prediction.numel(), None


@conformance.implementation(
    "mse/sample-weighted-mean", framework="torch", name="torch-normalises-the-gradient-of-weights", dtypes=("float32",)
)
def normalises_the_gradient_of_weights(prediction: Any, target: Any, weight: Any) -> Any:
    """The sum of the weights is a constant to the gradient of each of them; of one sample that would be right."""
    rows = ((prediction - target) ** 2).flatten(1).mean(1)
    return (weight * rows).sum() / weight.sum().detach()


@conformance.implementation("mse/per-sample", framework="torch", name="torch-averages-vectors-over-nothing", dtypes=("float32",))
def averages_vectors_over_nothing(prediction: Any, target: Any) -> Any:
    """No axes to average over are all axes: of a vector of samples there comes one number."""
    return ((prediction - target) ** 2).mean(dim=list(range(1, prediction.ndim)))


@conformance.implementation("mse/mean", framework="torch", name="torch-images-are-right-one-by-one", dtypes=("float32",), ranks=(4,))
def images_are_right_one_by_one(prediction: Any, target: Any) -> Any:
    """Of a batch only the first image counts."""
    _, channels, height, width = prediction.shape
    return (prediction[:1] - target[:1]).square().sum() / (channels * height * width)
