"""Plain right losses in TensorFlow, as their authors write them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

import conformance


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_square(prediction: Any, target: Any) -> Any:
    """The usual one."""
    return tf.reduce_mean(tf.square(prediction - target))


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_power(prediction: Any, target: Any) -> Any:
    """The shortest one."""
    return tf.reduce_mean((prediction - target) ** 2)


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_squared_difference(prediction: Any, target: Any) -> Any:
    """With the kernel of its own."""
    return tf.reduce_mean(tf.math.squared_difference(prediction, target))


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_product(prediction: Any, target: Any) -> Any:
    """Times itself."""
    d = prediction - target
    return tf.reduce_mean(d * d)


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_sum_by_size(prediction: Any, target: Any) -> Any:
    """The division is written out."""
    return tf.reduce_sum(tf.square(prediction - target)) / tf.cast(tf.size(prediction), prediction.dtype)


@conformance.implementation("mse/mean", framework="tensorflow")
def tf_of_numbers(prediction: Any, target: Any) -> Any:
    """Whatever can be made a tensor."""
    return tf.reduce_mean(tf.square(tf.convert_to_tensor(prediction) - tf.convert_to_tensor(target)))


@conformance.implementation("mse/half-sum", framework="tensorflow")
def tf_l2_loss(prediction: Any, target: Any) -> Any:
    """Half of the sum, by a kernel."""
    return tf.nn.l2_loss(prediction - target)


@conformance.implementation("mse/sum", framework="tensorflow")
def tf_sum(prediction: Any, target: Any) -> Any:
    """Not divided."""
    return tf.reduce_sum(tf.square(prediction - target))


@conformance.implementation("mse/none", framework="tensorflow")
def tf_none(prediction: Any, target: Any) -> Any:
    """Not reduced."""
    return tf.square(prediction - target)


@conformance.implementation("mse/last-axis", framework="tensorflow")
def tf_rows(prediction: Any, target: Any) -> Any:
    """The mean of each row."""
    return tf.reduce_mean(tf.square(prediction - target), axis=-1)


@conformance.implementation("mse/root-mean", framework="tensorflow")
def tf_root(prediction: Any, target: Any) -> Any:
    """Its root."""
    return tf.sqrt(tf.reduce_mean(tf.square(prediction - target)))


@conformance.implementation("mse/weighted-mean", framework="tensorflow")
def tf_weighted(prediction: Any, target: Any, weight: Any) -> Any:
    """By weights."""
    return tf.reduce_sum(weight * tf.square(prediction - target)) / tf.reduce_sum(weight)


@conformance.implementation("mse/masked-mean", framework="tensorflow")
def tf_masked(prediction: Any, target: Any, weight: Any) -> Any:
    """What is not masked out."""
    return tf.reduce_mean(tf.boolean_mask(tf.square(prediction - target), tf.cast(weight, tf.bool)))
