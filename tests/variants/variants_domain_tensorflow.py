"""Right, and as people write them in TensorFlow and Keras: functions, constant targets, gradients of their own, masks of truth values."""

from __future__ import annotations

from functools import partial
from typing import Any

import shared_parts  # noqa: F401 - finds the parts
import tensorflow as tf

import conformance

IN_TENSORFLOW = partial(conformance.implementation, framework="tensorflow", dtypes=("float32",))
IN_KERAS = partial(conformance.implementation, framework="keras", dtypes=("float32",))
EVERY_MODE = ("eager", "graph", "xla")


@IN_TENSORFLOW("mse/mean", name="tf-is-a-function")
@tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types here
def is_a_function(prediction: Any, target: Any) -> Any:
    """A graph of its own."""
    return tf.reduce_mean(tf.math.squared_difference(prediction, target))


@IN_TENSORFLOW("mse/mean", name="tf-stops-the-gradient-of-its-target", modes=("eager", "graph"))
def stops_the_gradient_of_its_target(prediction: Any, target: Any) -> Any:
    """The tape finds no path to it."""
    return tf.reduce_mean(tf.square(prediction - tf.stop_gradient(target)))


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types here
def _own(prediction: Any, target: Any) -> Any:
    difference = prediction - target

    def gradient(upstream: Any) -> tuple[Any, Any]:
        part = 2 * upstream * difference / tf.cast(tf.size(difference), difference.dtype)
        return part, -part

    return tf.reduce_mean(tf.square(difference)), gradient


@IN_TENSORFLOW("mse/mean", name="tf-has-a-backward-pass-of-its-own", modes=("eager", "graph"))
def has_a_backward_pass_of_its_own(prediction: Any, target: Any) -> Any:
    """``tf.custom_gradient``."""
    return _own(prediction, target)


@IN_TENSORFLOW("mse/mean", name="tf-has-the-gradient-that-it-is-given")
def has_the_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """By the decorator."""
    return tf.reduce_mean(tf.square(prediction - target))


@has_the_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, upstream: Any) -> tuple[Any, Any]:
    part = 2 * upstream * (prediction - target) / tf.cast(tf.size(prediction), prediction.dtype)
    return part, -part


@IN_TENSORFLOW("mse/masked-mean", name="tf-chooses-by-a-mask", modes=EVERY_MODE)
def chooses_by_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values."""
    chosen = tf.where(mask, tf.square(prediction - target), tf.zeros_like(prediction))
    return tf.reduce_sum(chosen) / tf.reduce_sum(tf.cast(mask, prediction.dtype))


@IN_TENSORFLOW("mse/sample-masked-mean", name="tf-cuts-out-samples", modes=("eager", "graph"))
def cuts_out_samples(prediction: Any, target: Any, mask: Any) -> Any:
    """``tf.boolean_mask``."""
    return tf.reduce_mean(tf.square(tf.boolean_mask(prediction - target, mask)))


@IN_KERAS("mse/mean", name="keras-stops-the-gradient-of-its-target")
def keras_stops_the_gradient_of_its_target(prediction: Any, target: Any) -> Any:
    """On whatever backend."""
    from keras import ops

    return ops.mean(ops.square(prediction - ops.stop_gradient(target)))


@IN_KERAS("mse/masked-mean", name="keras-chooses-by-a-mask")
def keras_chooses_by_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values, negated."""
    from keras import ops

    chosen = ops.where(ops.logical_not(mask), ops.zeros_like(prediction), ops.square(prediction - target))
    return ops.sum(chosen) / ops.sum(ops.cast(mask, prediction.dtype))
