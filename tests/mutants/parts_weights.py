"""What the weighted, masked and rooted variants are made of: everything right, in float64 and rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from parts import Array, Floats, claims, differences, narrow, squares, wide

import conformance

Loss = Callable[[Array, Array, Array], Any]
Gradient = Callable[[Array, Array, Array, Array], tuple[Any, Any, Any]]
BY_SAMPLE = ("mse/sample-weighted-by-count", "mse/sample-weighted-sum", "mse/sample-weighted-mean", "mse/sample-masked-mean")
MASKED = ("mse/masked-mean", "mse/sample-masked-mean")


def spread(weight: Array, prediction: Array) -> Floats:
    """The weight of every element, in float64: a sample's is that of all its elements."""
    return np.asarray(np.broadcast_to(wide(weight).reshape(weight.shape + (1,) * (prediction.ndim - weight.ndim)), prediction.shape))


def divisor(operation: str, prediction: Array, weight: Array) -> float:
    """What the sum of an operation is divided by."""
    match operation.rpartition("/")[2]:
        case "weighted-none" | "weighted-sum":
            return 1.0
        case "weighted-by-count" | "sample-weighted-by-count":
            return float(prediction.size)
        case "sample-weighted-sum":
            return float(prediction.shape[-1])
        case "weighted-by-nonzero":
            return float(np.count_nonzero(weight))
        case _:
            return float(spread(weight, prediction).sum())


def terms(operation: str, prediction: Array, target: Array, weight: Array) -> Floats:
    """The weighted squares; what a mask leaves out is zero, whatever it is."""
    heavy = spread(weight, prediction)
    weighted = heavy * squares(prediction, target)
    return np.where(heavy == 0, 0, weighted) if operation in MASKED else weighted


def right_value(operation: str, prediction: Array, target: Array, weight: Array) -> Any:
    """The right value."""
    weighted = terms(operation, prediction, target, weight)
    if operation == "mse/weighted-none":
        return weighted
    return weighted.sum() / np.float64(divisor(operation, prediction, weight))


def right_gradients(operation: str, prediction: Array, target: Array, weight: Array, upstream: Array) -> tuple[Floats, Floats, Floats]:
    """The right gradients with respect to prediction, target and weight."""
    scale = wide(upstream) / np.float64(divisor(operation, prediction, weight))
    part = 2 * spread(weight, prediction) * differences(prediction, target) * scale
    own = squares(prediction, target)
    if operation in {"mse/weighted-mean", "mse/sample-weighted-mean"}:
        own = own - right_value(operation, prediction, target, weight)
    own = own * scale
    if operation in BY_SAMPLE:
        own = own.sum(axis=tuple(range(1, own.ndim)))
    return part, -part, own


def value_of(operation: str) -> Callable[[Loss], Loss]:
    """Register a loss of one's own beside the right gradients, its result rounded to the inputs' dtype."""

    def register(loss: Loss) -> Loss:
        def rule(prediction: Array, target: Array, weight: Array, upstream: Array) -> tuple[Any, Any, Any]:
            return right_gradients(operation, prediction, target, weight, upstream)

        _register(operation, loss, loss, rule)
        return loss

    return register


def gradient_of(operation: str) -> Callable[[Gradient], Gradient]:
    """Register gradients of one's own beside the right value, rounded to the inputs' dtype."""

    def register(gradient: Gradient) -> Gradient:
        def loss(prediction: Array, target: Array, weight: Array) -> Any:
            return right_value(operation, prediction, target, weight)

        _register(operation, gradient, loss, gradient)
        return gradient

    return register


def _register(operation: str, written: Callable[..., Any], loss: Loss, gradient: Gradient) -> None:
    """Under the name and with the docstring of the function that was written."""

    def call(prediction: Array, target: Array, weight: Array) -> Array:
        return narrow(loss(prediction, target, weight), prediction)

    def rule(prediction: Array, target: Array, weight: Array, upstream: Array) -> tuple[Array, ...]:
        return tuple(narrow(part, prediction) for part in gradient(prediction, target, weight, upstream))

    call.__doc__ = written.__doc__
    decorated: Any = conformance.implementation(operation, framework="numpy", name=written.__name__.replace("_", "-"), **claims(operation))(
        call
    )
    decorated.gradient(rule)
