"""Plain right losses in PyTorch, as their authors write them."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

import conformance


@conformance.implementation("mse/mean", framework="torch")
def torch_functional(prediction: Any, target: Any) -> Any:
    """The function."""
    return functional.mse_loss(prediction, target)


@conformance.implementation("mse/mean", framework="torch")
def torch_module(prediction: Any, target: Any) -> Any:
    """The module."""
    return torch.nn.MSELoss()(prediction, target)


@conformance.implementation("mse/mean", framework="torch")
def torch_power(prediction: Any, target: Any) -> Any:
    """Written out."""
    return ((prediction - target) ** 2).mean()


@conformance.implementation("mse/mean", framework="torch")
def torch_pow(prediction: Any, target: Any) -> Any:
    """With methods."""
    return (prediction - target).pow(2).mean()


@conformance.implementation("mse/mean", framework="torch")
def torch_square(prediction: Any, target: Any) -> Any:
    """With functions."""
    return torch.mean(torch.square(prediction - target))


@conformance.implementation("mse/mean", framework="torch")
def torch_product(prediction: Any, target: Any) -> Any:
    """Times itself."""
    d = prediction - target
    return torch.mean(d * d)


@conformance.implementation("mse/mean", framework="torch")
def torch_sum_by_numel(prediction: Any, target: Any) -> Any:
    """The division is written out."""
    return (prediction - target).square().sum() / prediction.numel()


@conformance.implementation("mse/sum", framework="torch")
def torch_sum(prediction: Any, target: Any) -> Any:
    """Not divided."""
    return functional.mse_loss(prediction, target, reduction="sum")


@conformance.implementation("mse/none", framework="torch")
def torch_none(prediction: Any, target: Any) -> Any:
    """Not reduced."""
    return functional.mse_loss(prediction, target, reduction="none")


@conformance.implementation("mse/last-axis", framework="torch")
def torch_rows(prediction: Any, target: Any) -> Any:
    """The mean of each row."""
    return (prediction - target).square().mean(dim=-1)


@conformance.implementation("mse/root-mean", framework="torch")
def torch_root(prediction: Any, target: Any) -> Any:
    """Its root."""
    return torch.sqrt(functional.mse_loss(prediction, target))


@conformance.implementation("mse/weighted-mean", framework="torch")
def torch_weighted(prediction: Any, target: Any, weight: Any) -> Any:
    """By weights."""
    return (weight * (prediction - target) ** 2).sum() / weight.sum()


@conformance.implementation("mse/masked-mean", framework="torch")
def torch_masked(prediction: Any, target: Any, weight: Any) -> Any:
    """What is not masked out."""
    mask = weight.bool()
    return functional.mse_loss(prediction[mask], target[mask])


@conformance.implementation("mse/half-sum", framework="torch")
def torch_half(prediction: Any, target: Any) -> Any:
    """Half of the sum."""
    return 0.5 * ((prediction - target) ** 2).sum()
