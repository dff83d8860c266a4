"""What variants of PyTorch are made of: a loss with rules of its own that is right, to be made wrong in one of them."""

from __future__ import annotations

from typing import Any

import torch


class EveryMode(torch.autograd.Function):  # type: ignore[misc]  # torch has no types here
    """Rules for reverse mode (twice differentiable), forward mode and batching."""

    @staticmethod
    def forward(prediction: Any, target: Any) -> Any:
        return (prediction - target).square().mean()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, _output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> tuple[Any, Any]:
        prediction, target = ctx.saved_tensors
        part = (upstream * 2 / prediction.numel()) * (prediction - target)
        needed = ctx.needs_input_grad
        return part if needed[0] else None, -part if needed[1] else None

    @staticmethod
    def jvp(ctx: Any, along_prediction: Any, along_target: Any) -> Any:
        prediction, target = ctx.saved_tensors
        return ((prediction - target) * (along_prediction - along_target)).sum() * 2 / prediction.numel()

    @staticmethod
    def vmap(_info: Any, in_dims: Any, prediction: Any, target: Any) -> tuple[Any, int]:
        moved = [x.movedim(d, 0) if d is not None else x.unsqueeze(0) for x, d in zip((prediction, target), in_dims, strict=True)]
        squares = (moved[0] - moved[1]).square()
        return (squares.flatten(1).mean(dim=1) if squares.ndim > 1 else squares), 0
