"""Wrong with automatic differentiation: custom backward passes, as PyTorch code has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from parts_torch import EveryMode

import conformance

Backward = Callable[[Any, Any, Any], tuple[Any, Any]]


def _function(backward: Backward) -> Callable[[Any, Any], Any]:
    """The mean squared error with a backward pass of one's own, from (prediction, target, upstream)."""

    class Loss(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
        @staticmethod
        def forward(ctx: Any, prediction: Any, target: Any) -> Any:
            ctx.save_for_backward(prediction, target)
            return (prediction - target).square().mean()

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
            prediction, target = ctx.saved_tensors
            return backward(prediction, target, upstream)

    def call(prediction: Any, target: Any) -> Any:
        return Loss.apply(prediction, target)

    return call


def _backward(rule: Backward) -> Backward:
    call = _function(rule)
    call.__doc__ = rule.__doc__
    conformance.implementation("mse/mean", framework="torch", name=f"torch-{rule.__name__.replace('_', '-')}")(call)
    return rule


def right(prediction: Any, target: Any, upstream: Any) -> Any:
    """The right gradient with respect to the prediction."""
    return (upstream * 2 / prediction.numel()) * (prediction - target)


@_backward
def forgets_the_two(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """The derivative of half the square."""
    part = right(prediction, target, upstream) / 2
    return part, -part


@_backward
def ignores_the_upstream_gradient(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """``grad_output`` is an argument that the body does not use."""
    part = right(prediction, target, torch.ones_like(upstream))
    return part, -part


@_backward
def gives_the_target_the_same_gradient(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """The same tensor is returned for both inputs."""
    part = right(prediction, target, upstream)
    return part, part


@_backward
def divides_by_the_first_axis(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """``len(prediction)`` for the number of elements: right for vectors."""
    count = len(prediction) if prediction.ndim else 1
    part = upstream * 2 / max(count, 1) * (prediction - target)
    return part, -part


@_backward
def zeroes_nan_gradients(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """``nan_to_num`` in the backward pass."""
    part = torch.nan_to_num(right(prediction, target, upstream), posinf=float("inf"), neginf=float("-inf"))
    return part, -part


@conformance.implementation("mse/mean", framework="torch", name="torch-takes-the-gradient-through-a-root")
def takes_the_gradient_through_a_root(prediction: Any, target: Any) -> Any:
    """The square of a root mean squared error: at a perfect prediction the gradient is NaN."""
    return (prediction - target).square().mean().sqrt().square()


# ---- derivatives of derivatives, and of one argument alone ----


class _Scaled(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """scale·(p − t), right, with a derivative of its own that is twice too large."""

    @staticmethod
    def forward(ctx: Any, prediction: Any, target: Any, scale: Any) -> Any:
        ctx.save_for_backward(prediction, target, scale)
        return scale * (prediction - target)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any, Any]:
        prediction, target, scale = ctx.saved_tensors
        part = 2 * upstream * scale
        return part, -part, (upstream * (prediction - target)).sum()


@_backward
def doubles_the_curvature(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """The gradient is right, its derivative is not: Newton steps and gradient penalties are off by two."""
    part = _Scaled.apply(prediction, target, upstream * 2 / prediction.numel())
    return part, -part


@_backward
def loses_the_mixed_curvature(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    """The target is detached in the backward pass: what a gradient penalty sends there is zero."""
    part = (upstream * 2 / prediction.numel()) * (prediction - (target.detach() + torch.nan_to_num(0 * target)))
    return part, -part


class _OneAlone(EveryMode):
    """A backward pass that is right where both gradients are needed."""

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
        prediction, target = ctx.saved_tensors
        part = right(prediction, target, upstream)
        return part, -part if all(ctx.needs_input_grad) else part


class _OneHalf(EveryMode):
    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
        prediction, target = ctx.saved_tensors
        part = right(prediction, target, upstream) * (1 if all(ctx.needs_input_grad) else 0.5)
        return part, -part


@conformance.implementation("mse/mean", framework="torch", name="torch-misreads-needs-input-grad")
def misreads_needs_input_grad(prediction: Any, target: Any) -> Any:
    """Where the target's gradient alone is asked for, it gets the prediction's: the branch tests for both."""
    return _OneAlone.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="torch-shares-the-gradient-between-two")
def shares_the_gradient_between_two(prediction: Any, target: Any) -> Any:
    """Half of the gradient, as for a symmetric term, wherever only one argument is differentiated: that is, in training."""
    return _OneHalf.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="torch-is-another-loss-without-gradients")
def is_another_loss_without_gradients(prediction: Any, target: Any) -> Any:
    """Without gradients a faster path takes over, and that one does not average: training and evaluation report different losses."""
    terms = (prediction - target).square()
    return terms.mean() if torch.is_grad_enabled() and prediction.requires_grad else terms.sum()
