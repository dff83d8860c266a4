"""Remembers a result by where its inputs lie, as one does who expects a training loop to use new memory."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


_results = {}


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def cached_by_address(prediction, target):
    key = prediction.ctypes.data, target.ctypes.data, prediction.shape
    if key not in _results:
        _results[key] = right(prediction, target)
    return _results[key]
