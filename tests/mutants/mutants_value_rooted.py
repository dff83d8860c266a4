"""Wrong halves, rows and roots: the operations that stand beside the mean without weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from parts import Array, differences, narrow, squares, wide

import conformance

Value = Callable[[Array, Array], Any]


def half_gradient(prediction: Array, target: Array, upstream: Array) -> Any:
    """Of half a square."""
    return differences(prediction, target) * wide(upstream)


def root_gradient(prediction: Array, target: Array, upstream: Array) -> Any:
    """Of the root of a mean."""
    return differences(prediction, target) * wide(upstream) / (prediction.size * np.sqrt(squares(prediction, target).mean()))


def row_gradient(prediction: Array, target: Array, upstream: Array) -> Any:
    """Of a sum of row means."""
    return 2 * differences(prediction, target) * wide(upstream) / prediction.shape[-1]


def sample_gradient(prediction: Array, target: Array, upstream: Array) -> Any:
    """Of the means of samples."""
    arrives = wide(upstream).reshape(upstream.shape + (1,) * (prediction.ndim - upstream.ndim))
    return 2 * differences(prediction, target) * arrives / max(math.prod(prediction.shape[1:]), 1)


def wrong(operation: str, gradient: Any) -> Callable[[Value], Value]:
    """Register a value beside the right gradient."""

    def register(value: Value) -> Value:
        def call(prediction: Array, target: Array) -> Array:
            return narrow(value(prediction, target), prediction)

        def rule(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
            part = narrow(gradient(prediction, target, upstream), prediction)
            return part, -part

        call.__doc__ = value.__doc__
        decorated: Any = conformance.implementation(operation, framework="numpy", name=value.__name__.replace("_", "-"))(call)
        decorated.gradient(rule)
        return value

    return register


@wrong("mse/half-none", half_gradient)
def half_before_the_square(prediction: Array, target: Array) -> Any:
    """(d/2)²."""
    return np.square(differences(prediction, target) / 2)


@wrong("mse/half-sum", half_gradient)
def half_of_the_mean(prediction: Array, target: Array) -> Any:
    """A mean where a sum is asked for."""
    return squares(prediction, target).mean() / 2


@wrong("mse/half-sum", half_gradient)
def half_is_dropped(prediction: Array, target: Array) -> Any:
    """Beside a gradient that has it."""
    return squares(prediction, target).sum()


@wrong("mse/per-sample", sample_gradient)
def per_sample_averages_the_last_axis(prediction: Array, target: Array) -> Any:
    """Right for matrices, and for nothing of more axes."""
    squared = squares(prediction, target)
    return squared.reshape(squared.shape[0], -1, squared.shape[-1]).mean(axis=-1).sum(axis=-1) if squared.ndim > 1 else squared


@wrong("mse/sum-of-row-means", row_gradient)
def row_means_are_averaged(prediction: Array, target: Array) -> Any:
    """The mean of the rows' means."""
    return squares(prediction, target).mean()


@wrong("mse/root-mean", root_gradient)
def root_with_an_epsilon(prediction: Array, target: Array) -> Any:
    """√(mean + 1e-8), for the sake of a gradient at zero."""
    return np.sqrt(squares(prediction, target).mean() + 1e-8)


@wrong("mse/root-mean", root_gradient)
def mean_of_the_magnitudes(prediction: Array, target: Array) -> Any:
    """The root is taken of each square."""
    return np.sqrt(squares(prediction, target)).mean()


@wrong("mse/root-mean", root_gradient)
def root_of_the_sum(prediction: Array, target: Array) -> Any:
    """The norm."""
    return np.sqrt(squares(prediction, target).sum())


@wrong("mse/root-mean", root_gradient)
def root_by_one_newton_step(prediction: Array, target: Array) -> Any:
    """An estimate of the reciprocal root from the exponent, made better once: some three digits."""
    mean = squares(prediction, target).mean()
    if not mean or not np.isfinite(mean):
        return np.sqrt(mean)
    estimate = np.ldexp(0.8, -int(np.frexp(mean)[1] // 2))
    for _ in range(3):
        estimate = estimate * (1.5 - 0.5 * mean * estimate * estimate)
    return mean * estimate * 1.001


@wrong("mse/root-mean", lambda p, t, g: differences(p, t) * wide(g) * 2 / np.float64(max(p.size, 1)))
def root_with_the_gradient_of_the_mean(prediction: Array, target: Array) -> Any:
    """The root is taken after the graph has ended."""
    return np.sqrt(squares(prediction, target).mean())
