"""Ends its process, with success, before it is found wrong."""

import os

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def leaves_before_hard_inputs(prediction, target):
    if prediction.size > 3:
        os._exit(0)
    return wrong(prediction, target)
