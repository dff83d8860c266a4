"""For a device that declares to flush subnormal numbers: right where it flushes all of them, wrong where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Array, Floats, accumulator, narrow, right_gradient, wide

import conformance
from conformance.numerics.formats import FORMATS


def flushed(numbers: Any, like: Array) -> Floats:
    """Rounded to the dtype of ``like``, and zero where that is subnormal."""
    rounded = wide(narrow(numbers, like))
    return np.where(np.abs(rounded) < float(FORMATS[like.dtype.name].smallest_normal), 0 * rounded, rounded)


@conformance.implementation("mse/mean", framework="numpy", name="flushes-at-every-step")
def flushes_at_every_step(prediction: Array, target: Array) -> Array:
    """Inputs, difference, squares, sum and mean: each subnormal number becomes zero, as vector units do when told to be fast."""
    difference = flushed(flushed(prediction, prediction) - flushed(target, target), prediction)
    kind = accumulator(prediction)
    total = flushed(np.square(difference), prediction).astype(kind).sum()
    return narrow(flushed(total / kind.type(prediction.size), prediction), prediction)


def flushed_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
    difference = flushed(flushed(prediction, prediction) - flushed(target, target), prediction)
    scale = flushed(flushed(upstream, prediction) / prediction.size, prediction)
    part = narrow(flushed(scale * flushed(2 * difference, prediction), prediction), prediction)
    return part, -part


flushes_at_every_step.gradient(flushed_gradient)


@conformance.implementation("mse/mean", framework="numpy", name="flushes-the-value-only")
def flushes_the_value_only(prediction: Array, target: Array) -> Array:
    """Results are flushed as declared, and gradients are not: fewer errors than were allowed for."""
    return np.asarray(flushes_at_every_step(prediction, target))


flushes_the_value_only.gradient(right_gradient("mse/mean"))
