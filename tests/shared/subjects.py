"""Subject files that tests write into a temporary folder."""

from __future__ import annotations

from pathlib import Path

HEADER = """\
import os, signal, sys, time
import numpy as np
import conformance

"""

RIGHT = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def right(prediction, target):
    return np.mean(np.square(prediction - target))


@right.gradient
def _(prediction, target, upstream):
    gradient = (prediction - target) * (np.float32(2) * upstream / np.float32(max(prediction.size, 1)))
    return gradient, -gradient
"""

WRONG = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def divides_by_n_minus_one(prediction, target):
    return np.float32(np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1))
"""


def write(folder: Path, *functions: str, name: str = "my_loss.py") -> Path:
    """A subject file of these functions."""
    path = folder / name
    path.write_text(HEADER + "\n".join(functions), encoding="utf-8")
    return path


def misbehaving(what: str) -> str:
    """A right loss that does something terrible when it sees three elements."""
    return f"""
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def misbehaving(prediction, target):
    if prediction.shape == (3,):
        {what}
    return np.mean(np.square(prediction - target))
"""
