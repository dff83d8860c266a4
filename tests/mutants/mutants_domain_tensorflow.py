"""Wrong in what a subject of TensorFlow or Keras need not have or need not declare."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

import conformance

IN_TENSORFLOW = partial(conformance.implementation, framework="tensorflow", dtypes=("float32",))


@IN_TENSORFLOW("mse/masked-mean", name="tf-negates-a-mask", modes=("eager", "graph", "xla"))
def negates_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values: true means masked out."""
    chosen = tf.where(tf.logical_not(mask), tf.square(prediction - target), tf.zeros_like(prediction))
    return tf.reduce_sum(chosen) / tf.reduce_sum(tf.cast(tf.logical_not(mask), prediction.dtype))


@IN_TENSORFLOW("mse/mean", name="tf-declares-a-gradient-of-a-constant", gradients=("prediction", "target"))
def declares_a_gradient_of_a_constant(prediction: Any, target: Any) -> Any:
    """The tape finds no path to the target."""
    return tf.reduce_mean(tf.square(prediction - tf.stop_gradient(target)))


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types here
def _constant_curvature(prediction: Any, target: Any) -> Any:
    difference = prediction - target

    def gradient(upstream: Any) -> tuple[Any, Any]:
        halves = (prediction - target) + tf.stop_gradient(difference)
        part = upstream * halves / tf.cast(tf.size(prediction), prediction.dtype)
        return part, -part

    return tf.reduce_mean(tf.square(difference)), gradient


@IN_TENSORFLOW("mse/mean", name="tf-halves-the-curvature")
def halves_the_curvature(prediction: Any, target: Any) -> Any:
    """The second derivative does not raise."""
    return _constant_curvature(prediction, target)


@IN_TENSORFLOW("mse/mean", name="tf-doubles-the-gradient-that-it-is-given")
def doubles_the_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """By the decorator."""
    return tf.reduce_mean(tf.square(prediction - target))


@doubles_the_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, upstream: Any) -> Any:
    part = 4 * upstream * (prediction - target) / tf.cast(tf.size(prediction), prediction.dtype)
    return part, -part


@conformance.implementation("mse/masked-mean", framework="keras", name="keras-negates-a-mask", dtypes=("float32",))
def keras_negates_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values, on whatever backend."""
    from keras import ops

    chosen = ops.where(ops.logical_not(mask), ops.square(prediction - target), ops.zeros_like(prediction))
    return ops.sum(chosen) / ops.sum(ops.cast(ops.logical_not(mask), prediction.dtype))
