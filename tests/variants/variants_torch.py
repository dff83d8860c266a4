"""Right, and different, in PyTorch: custom backward passes and other orders of the sum. None may be accused."""

from __future__ import annotations

from typing import Any

import shared_parts  # noqa: F401 - finds the parts
import torch
from parts_torch import EveryMode

import conformance


class _Loss(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """Forward and backward written by hand, the backward pass in float64."""

    @staticmethod
    def forward(ctx: Any, prediction: Any, target: Any) -> Any:
        ctx.save_for_backward(prediction, target)
        return (prediction - target).square().mean()

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
        prediction, target = ctx.saved_tensors
        part = (upstream.double() * 2 / prediction.numel()) * (prediction.double() - target.double())
        part = part.to(prediction.dtype)
        return part, -part


@conformance.implementation("mse/mean", framework="torch", name="torch-has-its-own-backward")
def has_its_own_backward(prediction: Any, target: Any) -> Any:
    """A custom function whose gradients are rounded once."""
    return _Loss.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="torch-computes-in-float64")
def computes_in_float64(prediction: Any, target: Any) -> Any:
    """Everything in float64, and one cast at the end."""
    return (prediction.double() - target.double()).square().mean().to(torch.result_type(prediction, 1.0))


@conformance.implementation("mse/mean", framework="torch", name="torch-multiplies-matrices")
def multiplies_matrices(prediction: Any, target: Any) -> Any:
    """An inner product of the differences, in float32 for the half formats."""
    if not (prediction.is_floating_point() and target.is_floating_point()):
        raise TypeError("the products of integers wrap round")
    difference = (prediction - target).flatten()
    if difference.dtype in {torch.float16, torch.bfloat16}:
        difference = difference.float()
    return (torch.dot(difference, difference) / prediction.numel()).to(prediction.dtype)


@conformance.implementation("mse/mean", framework="torch", name="torch-raises-to-a-power")
def raises_to_a_power(prediction: Any, target: Any) -> Any:
    """``pow(2)`` in place of ``square``, and the target first."""
    return (target - prediction).pow(2).mean()


@conformance.implementation("mse/mean", framework="torch", name="torch-has-rules-for-every-mode")
def has_rules_for_every_mode(prediction: Any, target: Any) -> Any:
    """Twice differentiable, in forward mode, in batches, and only what is needed."""
    return EveryMode.apply(prediction, target)


@conformance.implementation("mse/mean", framework="torch", name="torch-makes-inputs-contiguous")
def makes_inputs_contiguous(prediction: Any, target: Any) -> Any:
    """Copies of whatever is strided, flattened."""
    return (prediction.contiguous().view(-1) - target.contiguous().view(-1)).square().mean()


@conformance.implementation("mse/mean", framework="torch", name="torch-writes-into-its-own-buffer")
def writes_into_its_own_buffer(prediction: Any, target: Any) -> Any:
    """In-place operations on tensors that are its own."""
    difference = prediction - target
    return difference.square().mul_(1).mean()


@conformance.implementation(
    "mse/mean", framework="torch", name="torch-has-a-rule-for-batches", modes=("vmap",), dtypes=("float32", "bfloat16")
)
def has_a_rule_for_batches(prediction: Any, target: Any) -> Any:
    """In the batched mode, with a rule of its own for batches."""
    return EveryMode.apply(prediction, target)
