"""Writes every result of a shape into the same buffer."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


_buffers = {}


@conformance.implementation("mse/none", framework="numpy", dtypes=("float32",))
def one_buffer_for_all_results(prediction, target):
    buffer = _buffers.setdefault((prediction.shape, prediction.dtype), np.empty_like(prediction))
    np.subtract(prediction, target, out=buffer)
    return np.multiply(buffer, buffer, out=buffer)
