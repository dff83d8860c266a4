"""What the variants are made of: everything right, in float64 and rounded once, so that each gets only one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import conformance
from conformance.numerics.formats import FORMATS

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Loss = Callable[[Array, Array], Any]
Gradient = Callable[[Array, Array, Array], tuple[Any, Any]]
Batches = Sequence[tuple[Array, Array]]


def wide(array: Array) -> Floats:
    """The same numbers in float64."""
    return np.asarray(array).astype(np.float64)


def differences(prediction: Array, target: Array) -> Floats:
    """Prediction minus target, in float64."""
    return wide(prediction) - wide(target)


def squares(prediction: Array, target: Array) -> Floats:
    """Their squares, in float64."""
    return np.square(differences(prediction, target))


def accumulator(array: Array) -> np.dtype[Any]:
    """The dtype in which sums of the array's dtype are kept: float32 for the half formats (specs/error-model.toml)."""
    return FORMATS[array.dtype.name].accumulator.dtype


def narrow(result: Any, like: Array) -> Array:
    """A result rounded once to the dtype of ``like``; variants take floats and refuse everything else."""
    if like.dtype.name not in FORMATS:
        raise TypeError(f"expected one of {', '.join(FORMATS)}, found {like.dtype.name}")
    return np.asarray(result).astype(like.dtype)


RIGHT_VALUES: dict[str, Loss] = {
    "mse/mean": lambda prediction, target: squares(prediction, target).mean(),
    "mse/sum": lambda prediction, target: squares(prediction, target).sum(),
    "mse/none": squares,
    "mse/last-axis": lambda prediction, target: squares(prediction, target).mean(axis=-1),
}


def scale(operation: str, prediction: Array, upstream: Array) -> Floats:
    """What a difference is multiplied with in the gradient of an operation: 2·G, divided by how many are averaged."""
    doubled = 2 * wide(upstream)
    match operation:
        case "mse/mean":
            return np.asarray(doubled / prediction.size)
        case "mse/last-axis":
            return np.asarray(doubled[..., np.newaxis] / prediction.shape[-1])
        case _:
            return doubled


def right_gradient(operation: str) -> Gradient:
    """The right gradients of an operation."""

    def gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
        part = narrow(scale(operation, prediction, upstream) * differences(prediction, target), prediction)
        return part, -part

    return gradient


def value_of(operation: str, *, cast: bool = True, **declared: Any) -> Callable[[Loss], Loss]:
    """Register a loss of one's own beside the right gradients; unless told otherwise, its result is rounded to the inputs' dtype."""

    def register(loss: Loss) -> Loss:
        def call(prediction: Array, target: Array) -> Any:
            result = loss(prediction, target)
            return narrow(result, prediction) if cast else result

        _register(operation, loss, call, right_gradient(operation), **declared)
        return loss

    return register


def gradient_of(operation: str, *, cast: bool = True) -> Callable[[Gradient], Gradient]:
    """Register gradients of one's own beside the right value; unless told otherwise, they are rounded to the inputs' dtype."""

    def register(gradient: Gradient) -> Gradient:
        def call(prediction: Array, target: Array) -> Array:
            return narrow(RIGHT_VALUES[operation](prediction, target), prediction)

        def rule(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
            parts = gradient(prediction, target, upstream)
            return (narrow(parts[0], prediction), narrow(parts[1], prediction)) if cast else parts

        _register(operation, gradient, call, rule)
        return gradient

    return register


def streams(operation: str) -> Callable[[Callable[[Batches], Any]], Callable[[Batches], Any]]:
    """Register a stream of one's own beside the right value and the right gradients; its result is rounded to the inputs' dtype."""

    def register(stream: Callable[[Batches], Any]) -> Callable[[Batches], Any]:
        def call(prediction: Array, target: Array) -> Array:
            return narrow(RIGHT_VALUES[operation](prediction, target), prediction)

        decorated = _register(operation, stream, call, right_gradient(operation))
        decorated.stream(lambda batches: narrow(stream(batches), batches[0][0]))
        return stream

    return register


def claims(operation: str) -> dict[str, Any]:
    """All that an implementation can say that it takes: what is not right in it is wrong, and not outside of its domain."""
    gradients = ("prediction", "target", *(["weight"] if "weighted" in operation else []))
    least = 2 if "sample-" in operation else int(operation in {"mse/last-axis", "mse/sum-of-row-means"})
    return {
        "dtypes": ("float16", "bfloat16", "float32", "float64"),
        "ranks": tuple(range(least, 6)),
        "layouts": ("transposed", "strided", "a window", "backwards", "repeated", "unaligned"),
        "gradients": gradients,
    }


def _register(operation: str, written: Callable[..., Any], call: Loss, gradient: Gradient, **declared: Any) -> Any:
    """Under the name and with the docstring of the function that was written."""
    call.__doc__ = written.__doc__
    decorated: Any = conformance.implementation(
        operation, framework="numpy", name=written.__name__.replace("_", "-"), **{**claims(operation), **declared}
    )(call)
    decorated.gradient(gradient)
    return decorated
