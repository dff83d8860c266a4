"""One small input with hand-computed results, exact in every dtype, and the comparison of an adapter with it.

Differences [[1, -3, 1, 1], [0, -1, -2, -1]]; their squares sum to 12 and 6 per row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conformance.frameworks.base import Evaluation, Framework, Implementation
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

PREDICTION = [[1.5, -2.0, 0.25, 1.0], [3.0, 0.0, -1.0, 1.0]]
TARGET = [[0.5, 1.0, -0.75, 0.0], [3.0, 1.0, 1.0, 2.0]]

# operation -> value, upstream, gradient with respect to the prediction; the target's is its negative
EXPECTED = {
    "mse/mean": (2.25, 0.5, [[0.125, -0.375, 0.125, 0.125], [0.0, -0.125, -0.25, -0.125]]),
    "mse/sum": (18.0, 0.5, [[1.0, -3.0, 1.0, 1.0], [0.0, -1.0, -2.0, -1.0]]),
    "mse/none": (
        [[1.0, 9.0, 1.0, 1.0], [0.0, 1.0, 4.0, 1.0]],
        [[1.0, 2.0, 0.5, -1.0], [1.0, 1.0, 2.0, 4.0]],
        [[2.0, -12.0, 1.0, -2.0], [0.0, -2.0, -8.0, -8.0]],
    ),
    "mse/last-axis": ([3.0, 1.5], [0.5, 2.0], [[0.25, -0.75, 0.25, 0.25], [0.0, -1.0, -2.0, -1.0]]),
}


def losses(framework: Framework) -> list[Implementation]:
    """The listed implementations that are evaluated, and not performed as procedures are."""
    return [one for one in framework.implementations() if one.operation in EXPECTED]


def inputs(operation: str, dtype: str) -> Inputs:
    numpy_dtype = FORMATS[dtype].dtype
    prediction, target, upstream = (np.array(rows, numpy_dtype) for rows in (PREDICTION, TARGET, EXPECTED[operation][1]))
    return Inputs(prediction, target, None, upstream)


def subject(call: Callable[..., Any], operation: str = "mse/mean", modes: Sequence[str] = ("eager",)) -> Implementation:
    """An implementation as a user's file gives it, not one that the adapter lists."""
    return Implementation("mine", "my_loss.py:mine", operation, call, modes, tuple(FORMATS))


def evaluate(framework: Framework, implementation: Implementation, mode: str, dtype: str, device: str = "cpu") -> Evaluation:
    return framework.prepare(implementation, device, mode, dtype)(inputs(implementation.operation, dtype))


def faults(evaluation: Evaluation, operation: str, mode: str, *, gradients: bool = True) -> list[str]:
    """What differs from the hand-computed numbers, bit for bit, and what the attestation says that the arrays do not."""
    value, _, gradient = EXPECTED[operation]
    wrong = []
    if not np.array_equal(evaluation.value.astype(np.float64), np.array(value)):
        wrong.append(f"value {evaluation.value}, expected {value}")
    attested = evaluation.attested
    if (attested.device, attested.mode) != ("cpu", mode):
        wrong.append(f"attested {attested}, asked for {mode} on cpu")
    if (attested.dtype, attested.shape) != (evaluation.value.dtype.name, evaluation.value.shape):
        wrong.append(f"attested {attested}, found {evaluation.value.dtype.name} {evaluation.value.shape}")
    if not gradients:
        return wrong + [f"unexpected {name}" for name in evaluation.gradients]
    for name, sign in (("gradient/prediction", 1.0), ("gradient/target", -1.0)):
        found = evaluation.gradients.get(name)
        if found is None or not np.array_equal(found.astype(np.float64), sign * np.array(gradient)):
            wrong.append(f"{name} {found}, expected {sign} * {gradient}")
    return wrong
