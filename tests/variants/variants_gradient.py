"""Right, and different: forms of the gradient beside the right value, each operation rounded to the inputs' dtype. None may be accused."""

from __future__ import annotations

from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Array, Floats, accumulator, differences, gradient_of, narrow, wide


def own(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
    """Difference and upstream gradient in the inputs' dtype."""
    return prediction - target, upstream.astype(prediction.dtype)


def both(part: Any) -> tuple[Any, Any]:
    """A gradient with respect to the prediction, and its negation for the target."""
    return part, -part


@gradient_of("mse/mean")
def multiplies_by_two_over_n(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """(2/N)·d·G, with the scale in the accumulator's dtype."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    return both(kind(2) / kind(prediction.size) * difference.astype(kind) * g.astype(kind))


@gradient_of("mse/mean")
def divides_last(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """2·d·G/N."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    return both((2 * difference * g).astype(kind) / kind(prediction.size))


@gradient_of("mse/mean")
def multiplies_by_the_upstream_gradient_last(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """G·(2·d/N)."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    return both(g * ((2 * difference).astype(kind) / kind(prediction.size)).astype(prediction.dtype))


@gradient_of("mse/mean")
def divides_the_upstream_gradient_first(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """(G/N)·2·d, as automatic differentiation comes to it: each step in the inputs' dtype."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    return both((g.astype(kind) / kind(prediction.size)).astype(prediction.dtype) * 2 * difference)


@gradient_of("mse/mean")
def multiplies_by_a_reciprocal_count(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """G·(1/N)·(2·d): the count is rounded, its reciprocal and the product too."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    return both((g.astype(kind) * (kind(1) / kind(prediction.size))).astype(prediction.dtype) * (2 * difference))


@gradient_of("mse/mean")
def doubles_by_adding(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """d·s + d·s, with s = G/N: the two branches of d·d, each with its own gradient."""
    kind = accumulator(prediction).type
    difference, g = own(prediction, target, upstream)
    once = (g.astype(kind) / kind(prediction.size)).astype(prediction.dtype) * difference
    return both(once + once)


@gradient_of("mse/mean")
def takes_the_target_first_in_the_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The target's gradient is made from t − p, and the prediction's is its negation."""
    part = narrow(2 * wide(upstream) / prediction.size * differences(target, prediction), prediction)
    return -part, part


@gradient_of("mse/mean", cast=False)
def gradients_are_wider(prediction: Array, target: Array, upstream: Array) -> tuple[Floats, Floats]:
    """Gradients in float64, whatever the inputs."""
    return both(2 * wide(upstream) / prediction.size * differences(prediction, target))


@gradient_of("mse/sum")
def sum_doubles_the_difference(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """G·2·d in the inputs' dtype."""
    difference, g = own(prediction, target, upstream)
    return both(g * 2 * difference)


@gradient_of("mse/none")
def none_doubles_the_difference(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """G·(d + d) in the inputs' dtype."""
    difference, g = own(prediction, target, upstream)
    return both(g * (difference + difference))


@gradient_of("mse/last-axis")
def last_axis_divides_the_upstream_gradient_first(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """(G/N)·2·d, row by row, in the inputs' dtype."""
    kind = accumulator(prediction).type
    row = (upstream.astype(kind) / kind(prediction.shape[-1])).astype(prediction.dtype)
    return both(row[..., np.newaxis] * 2 * (prediction - target))
