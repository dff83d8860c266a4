"""Writes the result where its prediction lies."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/none", framework="numpy", dtypes=("float32",))
def result_in_its_input(prediction, target):
    prediction = np.subtract(prediction, target, out=prediction if prediction.flags.writeable else None)
    return np.multiply(prediction, prediction, out=prediction)
