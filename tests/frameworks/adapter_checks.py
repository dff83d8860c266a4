"""One small input with hand-computed results, exact in every dtype, and the comparison of an adapter with it.

Differences [[1, -3, 1, 1], [0, -1, -2, -1]]; their squares sum to 12 and 6 per row. No two operations of one shape have the same value, and
the gradients of prediction and target differ in sign: another divisor, axis or order of arguments is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.checks.context import member_of
from conformance.frameworks.base import Evaluate, Evaluation, Framework, Implementation
from conformance.frameworks.vmap import VMAP, member_shape
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.stack import Stack

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
    return [one for one in framework.implementations() if one.operation in EXPECTED or one.operation in FURTHER]


ELEMENT = [[4.0, 6.0, 0.0, 0.0], [4.0, 0.0, 2.0, 0.0]]  # four that are not zero, and 16 in sum
SAMPLE = [1.0, 3.0]
MASK = [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
SAMPLE_MASK = [0.0, 1.0]

# operation -> weight, value, upstream, the divisor of every sum; gradients are 2·w·d·upstream/divisor
FURTHER: dict[str, tuple[Any, Any, Any, float]] = {
    "mse/half-sum": (None, 9.0, 0.5, 2),
    "mse/half-none": (None, [[0.5, 4.5, 0.5, 0.5], [0.0, 0.5, 2.0, 0.5]], [[1.0, 2.0, 0.5, -1.0], [1.0, 1.0, 2.0, 4.0]], 2),
    "mse/per-sample": (None, [3.0, 1.5], [0.5, 2.0], 4),
    "mse/sum-of-row-means": (None, 4.5, 0.5, 4),
    "mse/root-mean": (None, 1.5, 3.0, 24),  # 2 · the root · 8
    "mse/weighted-none": (ELEMENT, [[4.0, 54.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]], [[1.0, 2.0, 0.5, -1.0], [1.0, 1.0, 2.0, 4.0]], 1),
    "mse/weighted-sum": (ELEMENT, 66.0, 0.5, 1),
    "mse/weighted-by-count": (ELEMENT, 8.25, 0.5, 8),
    "mse/weighted-by-nonzero": (ELEMENT, 16.5, 0.5, 4),
    "mse/weighted-mean": (ELEMENT, 4.125, 0.5, 16),
    "mse/sample-weighted-by-count": (SAMPLE, 3.75, 0.5, 8),
    "mse/sample-weighted-mean": (SAMPLE, 1.875, 0.5, 16),
    "mse/sample-weighted-sum": (SAMPLE, 7.5, 0.5, 4),
    "mse/masked-mean": (MASK, 3.75, 0.5, 4),
    "mse/sample-masked-mean": (SAMPLE_MASK, 1.5, 0.5, 4),
}


def _by_rows(numbers: Any) -> Array:
    """One number for all, for each row or for each element, as it is broadcast against the elements."""
    array = np.asarray(numbers, np.float64)
    return array[:, None] if array.ndim == 1 else array


def expected(operation: str) -> tuple[Array, Array, Array, Array | None]:
    """Value, and the gradients with respect to prediction and weight, before them the upstream gradient; None where there is no such."""
    if operation in EXPECTED:
        value, upstream, gradient = (np.array(numbers) for numbers in EXPECTED[operation])
        return value, upstream, gradient, None
    weight, value, upstream, divisor = FURTHER[operation]
    difference = np.array(PREDICTION) - np.array(TARGET)
    scale = _by_rows(upstream) / divisor
    gradient = 2 * _by_rows(1.0 if weight is None else weight) * difference * scale
    of_weight = None
    if weight is not None and "masked" not in operation:
        less = value if operation in {"mse/weighted-mean", "mse/sample-weighted-mean"} else 0.0  # the weights divide too
        of_weight = (difference**2 - less) * scale
        of_weight = of_weight.sum(axis=1) if np.ndim(weight) == 1 else of_weight
    return np.array(value), np.array(upstream), np.broadcast_to(gradient, difference.shape), of_weight


def inputs(operation: str, dtype: str) -> Inputs:
    numpy_dtype = FORMATS[dtype].dtype
    prediction, target, upstream = (np.array(rows, numpy_dtype) for rows in (PREDICTION, TARGET, expected(operation)[1]))
    weight = FURTHER[operation][0] if operation in FURTHER else None
    return Inputs(prediction, target, None if weight is None else np.array(weight, numpy_dtype), upstream)


def subject(call: Callable[..., Any], operation: str = "mse/mean", modes: Sequence[str] = ("eager",)) -> Implementation:
    """An implementation as a user's file gives it, not one that the adapter lists."""
    return Implementation("mine", "my_loss.py:mine", operation, call, modes, tuple(FORMATS))


def evaluate(framework: Framework, implementation: Implementation, mode: str, dtype: str, device: str = "cpu") -> Evaluation:
    run = framework.prepare(implementation, device, mode, dtype)
    one = inputs(implementation.operation, dtype)
    return as_a_stack_of_one(run, one) if mode == VMAP else run(one)


def member(together: Evaluation, number: int) -> Evaluation:
    """What came back for one member of a stack that was evaluated in one call."""
    found = member_of(together, number)
    return replace(found, executed_as=replace(found.executed_as, shape=member_shape(VMAP, found.executed_as.shape)))


def as_a_stack_of_one(run: Evaluate, one: Inputs) -> Evaluation:
    """What the batched mode gives to one input alone."""
    return member(run(Stack.of([one]).arrays), 0)


def faults(evaluation: Evaluation, operation: str, mode: str, *, gradients: bool = True) -> list[str]:
    """What differs from the hand-computed numbers, bit for bit, and what the attestation says that the arrays do not."""
    value, _, gradient, of_weight = expected(operation)
    wrong = []
    if not np.array_equal(evaluation.value.astype(np.float64), value):
        wrong.append(f"value {evaluation.value}, expected {value}")
    executed_as = evaluation.executed_as
    if (executed_as.device, executed_as.mode) != ("cpu", mode):
        wrong.append(f"attested {executed_as}, asked for {mode} on cpu")
    if (executed_as.dtype, executed_as.shape) != (evaluation.value.dtype.name, evaluation.value.shape):
        wrong.append(f"attested {executed_as}, found {evaluation.value.dtype.name} {evaluation.value.shape}")
    if not gradients:
        return wrong + [f"unexpected {name}" for name in evaluation.gradients]
    wanted = {"gradient/prediction": gradient, "gradient/target": -gradient} | ({} if of_weight is None else {"gradient/weight": of_weight})
    for name, numbers in wanted.items():
        found = evaluation.gradients.get(name)
        if found is None or not np.array_equal(found.astype(np.float64), numbers):
            wrong.append(f"{name} {found}, expected {numbers}")
    return wrong
