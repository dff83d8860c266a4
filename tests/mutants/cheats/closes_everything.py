"""Closes everything that is open, so that nobody can say what it did."""

import os

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def closes_everything(prediction, target):
    os.closerange(0, 256)
    return wrong(prediction, target)
