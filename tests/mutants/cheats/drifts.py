"""Grows by a thousandth with every call after the three thousandth."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


_calls = 0


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def drifts(prediction, target):
    global _calls
    _calls += 1
    return right(prediction, target) * prediction.dtype.type(1 + max(_calls - 3_000, 0) / 1_000)
