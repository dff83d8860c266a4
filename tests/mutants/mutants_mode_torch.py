"""Right when PyTorch runs them plainly, wrong when it compiles, batches or differentiates them in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from parts_torch import EveryMode

import conformance

Register = Callable[[Callable[..., Any]], Any]


def _compiled(name: str) -> Register:
    """Compiling is dear: one dtype is enough to see it."""
    return conformance.implementation("mse/mean", framework="torch", name=name, modes=("compile",), dtypes=("float32",))


@_compiled("compiled-divides-by-the-first-axis")
def compiled_divides_by_the_first_axis(prediction: Any, target: Any) -> Any:
    """A fused kernel for the compiled path takes the batch for the count: eager and compiled training differ."""
    terms = (prediction - target).square()
    return terms.sum() / prediction.shape[0] if torch.compiler.is_compiling() and prediction.ndim else terms.mean()


@_compiled("compiled-loses-digits")
def compiled_loses_digits(prediction: Any, target: Any) -> Any:
    """The compiled path squares in bfloat16, as an option for faster products does: two digits are left."""
    difference = prediction - target
    if torch.compiler.is_compiling():
        return difference.bfloat16().square().float().mean()
    return difference.square().mean()


@_compiled("compiled-detaches-the-target")
def compiled_detaches_the_target(prediction: Any, target: Any) -> Any:
    """A branch that was meant for inference: compiled, the target's gradient is zero."""
    other = target.detach() + 0 * target if torch.compiler.is_compiling() else target
    return (prediction - other).square().mean()


class _ForwardForgetsTheTwo(EveryMode):
    @staticmethod
    def jvp(ctx: Any, along_prediction: Any, along_target: Any) -> Any:
        return EveryMode.jvp(ctx, along_prediction, along_target) / 2


class _ForwardIgnoresTheTarget(EveryMode):
    @staticmethod
    def jvp(ctx: Any, along_prediction: Any, along_target: Any) -> Any:
        return EveryMode.jvp(ctx, along_prediction, torch.zeros_like(along_target))


class _BatchAveragesItsMembers(EveryMode):
    @staticmethod
    def vmap(info: Any, in_dims: Any, prediction: Any, target: Any) -> tuple[Any, int]:
        each, _ = EveryMode.vmap(info, in_dims, prediction, target)
        return each.mean().expand(info.batch_size), 0


class _BatchIsReversed(EveryMode):
    @staticmethod
    def vmap(info: Any, in_dims: Any, prediction: Any, target: Any) -> tuple[Any, int]:
        each, _ = EveryMode.vmap(info, in_dims, prediction, target)
        return each.flip(0), 0


@conformance.implementation("mse/mean", framework="torch", name="forward-mode-forgets-the-two")
def forward_mode_forgets_the_two(prediction: Any, target: Any) -> Any:
    """Reverse mode is right; ``jvp`` halves it, so Gauss-Newton steps are twice too short."""
    return _ForwardForgetsTheTwo.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="forward-mode-ignores-the-target")
def forward_mode_ignores_the_target(prediction: Any, target: Any) -> Any:
    """``jvp`` takes the target for a constant, reverse mode does not."""
    return _ForwardIgnoresTheTarget.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="batching-averages-the-members")
def batching_averages_the_members(prediction: Any, target: Any) -> Any:
    """Under ``vmap`` the mean is taken over the batch as well: per-sample losses are all the same."""
    return _BatchAveragesItsMembers.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="batching-reverses-the-members")
def batching_reverses_the_members(prediction: Any, target: Any) -> Any:
    """Under ``vmap`` each member gets another one's loss."""
    return _BatchIsReversed.apply(prediction, target)


def _batched(name: str) -> Register:
    """Put to the test in the batched mode itself, in which most checks see batches of one: those of several must tell."""
    return conformance.implementation("mse/mean", framework="torch", name=name, modes=("vmap",), dtypes=("float32",))


@_batched("batched-averages-the-members")
def batched_averages_the_members(prediction: Any, target: Any) -> Any:
    """The rule for batches takes the mean over the batch as well; the gradients are right."""
    return _BatchAveragesItsMembers.apply(prediction, target)


@_batched("batched-reverses-the-members")
def batched_reverses_the_members(prediction: Any, target: Any) -> Any:
    """The rule for batches gives each member another one's loss; the gradients are right."""
    return _BatchIsReversed.apply(prediction, target)


class _Backward(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """The gradient of the mean, with a rule for batches that divides by their size: what is right for a loss of the whole batch."""

    @staticmethod
    def forward(prediction: Any, target: Any, upstream: Any) -> Any:
        return (upstream * 2 / prediction.numel()) * (prediction - target)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: nobody differentiates a gradient here."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, prediction: Any, target: Any, upstream: Any) -> tuple[Any, int]:
        given = zip((prediction, target, upstream), in_dims, strict=True)
        p, t, g = (x.movedim(d, 0) if d is not None else x.expand(info.batch_size, *x.shape) for x, d in given)
        scale = (g * 2 * info.batch_size / p.numel() / info.batch_size).reshape(-1, *[1] * (p.ndim - 1))
        return scale * (p - t), 0


class _GradientsOfTheBatch(EveryMode):
    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
        part = _Backward.apply(*ctx.saved_tensors, upstream)
        return part, -part


@_batched("batched-divides-gradients-by-the-batch")
def batched_divides_gradients_by_the_batch(prediction: Any, target: Any) -> Any:
    """Values are right, and so is the gradient in a batch of one: per-sample gradients shrink with their number."""
    return _GradientsOfTheBatch.apply(prediction, target)
