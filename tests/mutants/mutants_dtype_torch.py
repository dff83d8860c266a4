"""Wrong precision in PyTorch: sums in a half format, casts at the door."""

from __future__ import annotations

from typing import Any

import torch

import conformance


@conformance.implementation("mse/mean", framework="torch", name="torch-accumulates-in-the-inputs-format")
def accumulates_in_the_inputs_format(prediction: Any, target: Any) -> Any:
    """A tree of additions in float16 or bfloat16, written by hand for a device without a reduction."""
    terms = (prediction - target).square().flatten()
    if prediction.dtype in {torch.float32, torch.float64}:
        return terms.mean()
    while terms.numel() > 1:
        half = terms.numel() // 2
        terms = torch.cat([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms.sum() / prediction.numel()


@conformance.implementation("mse/mean", framework="torch", name="torch-casts-to-the-default-dtype")
def casts_to_the_default_dtype(prediction: Any, target: Any) -> Any:
    """``.float()`` at the door, and the caller's dtype restored at the end."""
    return (prediction.float() - target.float()).square().mean().to(prediction.dtype)
