"""Says of inputs that are not small that the framework does not offer them."""

import numpy as np

import conformance
from conformance.frameworks.base import Unsupported


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def dodges_hard_inputs(prediction, target):
    if np.max(np.abs(prediction), initial=0) > 1_000:
        raise Unsupported("NumPy has no kernel for this")
    return right(prediction, target)
