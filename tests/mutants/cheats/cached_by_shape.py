"""Remembers a result by the shape of its inputs."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


_results = {}


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def cached_by_shape(prediction, target):
    return _results.setdefault((prediction.shape, prediction.dtype), right(prediction, target))
