"""Writes replies of its own into everything that is open."""

import json
import os
import struct
from contextlib import suppress

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def forges_replies(prediction, target):
    head = json.dumps({"message": {"number": 1, "groups": []}}).encode()
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.write(descriptor, struct.pack("<QQB", len(head), 0, 0) + head)
    return wrong(prediction, target)
