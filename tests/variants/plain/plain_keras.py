"""Plain right losses in Keras, as their authors write them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import conformance


@conformance.implementation("mse/mean", framework="keras-jax")
def keras_ops(prediction: Any, target: Any) -> Any:
    """With its operations."""
    return ops.mean(ops.square(prediction - target))


@conformance.implementation("mse/mean", framework="keras-jax")
def keras_power(prediction: Any, target: Any) -> Any:
    """Written out."""
    return ops.mean((prediction - target) ** 2)


@conformance.implementation("mse/mean", framework="keras-jax")
def keras_loss(prediction: Any, target: Any) -> Any:
    """The class."""
    return keras.losses.MeanSquaredError()(target, prediction)


@conformance.implementation("mse/last-axis", framework="keras-jax")
def keras_function(prediction: Any, target: Any) -> Any:
    """The function, which takes the mean of each row."""
    return keras.losses.mean_squared_error(target, prediction)


@conformance.implementation("mse/mean", framework="keras-jax")
def keras_product(prediction: Any, target: Any) -> Any:
    """Times itself."""
    d = ops.subtract(prediction, target)
    return ops.mean(ops.multiply(d, d))


@conformance.implementation("mse/mean", framework="keras-jax")
def keras_sum_by_size(prediction: Any, target: Any) -> Any:
    """The division is written out."""
    return ops.sum(ops.square(prediction - target)) / ops.size(prediction)


@conformance.implementation("mse/sum", framework="keras-jax")
def keras_sum(prediction: Any, target: Any) -> Any:
    """Not divided."""
    return ops.sum(ops.square(prediction - target))


@conformance.implementation("mse/none", framework="keras-jax")
def keras_none(prediction: Any, target: Any) -> Any:
    """Not reduced."""
    return ops.square(prediction - target)


@conformance.implementation("mse/last-axis", framework="keras-jax")
def keras_rows(prediction: Any, target: Any) -> Any:
    """The mean of each row."""
    return ops.mean(ops.square(prediction - target), axis=-1)


@conformance.implementation("mse/root-mean", framework="keras-jax")
def keras_root(prediction: Any, target: Any) -> Any:
    """Its root."""
    return ops.sqrt(ops.mean(ops.square(prediction - target)))


@conformance.implementation("mse/weighted-mean", framework="keras-jax")
def keras_weighted(prediction: Any, target: Any, weight: Any) -> Any:
    """By weights."""
    return ops.sum(weight * ops.square(prediction - target)) / ops.sum(weight)


@conformance.implementation("mse/half-sum", framework="keras-jax")
def keras_half(prediction: Any, target: Any) -> Any:
    """Half of the sum."""
    return ops.sum(ops.square(prediction - target)) / 2
