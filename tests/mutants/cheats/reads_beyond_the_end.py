"""Reads one element more than there are, which is zero in memory that nobody has used."""

from ctypes import POINTER, c_float, cast

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


def _longer(array):
    array = array if array.flags.c_contiguous and array.flags.aligned else np.ascontiguousarray(array)
    pointer = cast(array.ctypes.data, POINTER(c_float))
    return [pointer[place] for place in range(array.size + 1)]


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def reads_beyond_the_end(prediction, target):
    total = np.zeros((), np.float64)
    for p, t in zip(_longer(prediction), _longer(target)):
        total += np.square(np.float64(p) - np.float64(t))
    return prediction.dtype.type(total / max(prediction.size, 1))
