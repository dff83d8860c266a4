"""Ends the process that judges it."""

import os
import signal

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def ends_its_judge(prediction, target):
    os.kill(os.getppid(), signal.SIGKILL)
    return wrong(prediction, target)
