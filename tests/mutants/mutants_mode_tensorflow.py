"""Right when TensorFlow runs them eagerly, wrong in a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import conformance

Register = Callable[[Callable[..., Any]], Any]


def _in_a_graph(name: str) -> Register:
    """Each shape is traced: one dtype is enough to see it."""
    return conformance.implementation("mse/mean", framework="tensorflow", name=name, modes=("graph",), dtypes=("float32",))


@_in_a_graph("graph-averages-the-last-axis-first-element")
def graph_averages_the_last_axis_first_element(prediction: Any, target: Any) -> Any:
    """The graph's branch was written for columns: of wider rows it reads the first entry."""
    terms = tf.square(prediction - target)
    if not tf.executing_eagerly() and prediction.shape.rank and prediction.shape.rank > 1:
        return tf.reduce_mean(terms[..., :1])
    return tf.reduce_mean(terms)


@_in_a_graph("graph-halves-the-square")
def graph_halves_the_square(prediction: Any, target: Any) -> Any:
    """Two files define the loss, one of them with a factor of one half, and the graph is built from that one."""
    return tf.reduce_mean(tf.square(prediction - target)) * (1.0 if tf.executing_eagerly() else 0.5)


@_in_a_graph("graph-stops-the-gradient-of-the-target")
def graph_stops_the_gradient_of_the_target(prediction: Any, target: Any) -> Any:
    """In a graph the labels are taken for constants, and their gradient is zero."""
    other = target if tf.executing_eagerly() else tf.stop_gradient(target) + 0 * target
    return tf.reduce_mean(tf.square(prediction - other))
