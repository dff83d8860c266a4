"""Plain right losses in NumPy, as their authors write them."""

from __future__ import annotations

from typing import Any

import numpy as np

import conformance


@conformance.implementation("mse/mean", framework="numpy")
def numpy_mean_of_a_power(prediction: Any, target: Any) -> Any:
    """The shortest one."""
    return np.mean((prediction - target) ** 2)


@conformance.implementation("mse/mean", framework="numpy")
def numpy_square_and_mean(prediction: Any, target: Any) -> Any:
    """With methods."""
    return np.square(prediction - target).mean()


@conformance.implementation("mse/mean", framework="numpy")
def numpy_sum_by_size(prediction: Any, target: Any) -> Any:
    """The division is written out."""
    return ((prediction - target) ** 2).sum() / prediction.size


@conformance.implementation("mse/mean", framework="numpy")
def numpy_dot(prediction: Any, target: Any) -> Any:
    """A vector times itself."""
    d = (prediction - target).ravel()
    return np.dot(d, d) / d.size


@conformance.implementation("mse/mean", framework="numpy")
def numpy_einsum(prediction: Any, target: Any) -> Any:
    """The same as a contraction."""
    d = (prediction - target).ravel()
    return np.einsum("i,i->", d, d) / d.size


@conformance.implementation("mse/mean", framework="numpy")
def numpy_average(prediction: Any, target: Any) -> Any:
    """Without weights it is a mean."""
    return np.average((prediction - target) ** 2)


@conformance.implementation("mse/mean", framework="numpy")
def numpy_in_float64(prediction: Any, target: Any) -> Any:
    """Converted before anything is computed."""
    return np.mean(np.square(prediction.astype(np.float64) - target.astype(np.float64)))


@conformance.implementation("mse/mean", framework="numpy")
def numpy_of_lists(prediction: Any, target: Any) -> Any:
    """Whatever can be made an array."""
    p, t = np.asarray(prediction), np.asarray(target)
    return np.mean((p - t) ** 2)


@conformance.implementation("mse/sum", framework="numpy")
def numpy_sum(prediction: Any, target: Any) -> Any:
    """Not divided."""
    return np.sum((prediction - target) ** 2)


@conformance.implementation("mse/none", framework="numpy")
def numpy_none(prediction: Any, target: Any) -> Any:
    """Not reduced."""
    return (prediction - target) ** 2


@conformance.implementation("mse/last-axis", framework="numpy")
def numpy_rows(prediction: Any, target: Any) -> Any:
    """The mean of each row."""
    return ((prediction - target) ** 2).mean(axis=-1)


@conformance.implementation("mse/root-mean", framework="numpy")
def numpy_root(prediction: Any, target: Any) -> Any:
    """Its root."""
    return np.sqrt(np.mean((prediction - target) ** 2))


@conformance.implementation("mse/weighted-mean", framework="numpy")
def numpy_weighted(prediction: Any, target: Any, weight: Any) -> Any:
    """By weights."""
    return np.average((prediction - target) ** 2, weights=weight)


@conformance.implementation("mse/masked-mean", framework="numpy")
def numpy_masked(prediction: Any, target: Any, weight: Any) -> Any:
    """What is not masked out."""
    return np.mean(((prediction - target) ** 2)[weight.astype(bool)])
