"""What a probe answers on the input of ``adapter_checks``, against numbers computed by hand, exact in every dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from adapter_checks import EXPECTED, inputs

from conformance.frameworks.base import Framework, Implementation, Unsupported
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Quantity

DIRECTION = [[1.0, 0.0, -1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]


@dataclass(frozen=True)
class Along:
    """Derivatives along DIRECTION: of the value, and of the gradient with respect to the prediction, which the upstream gradient scales."""

    value: object
    gradient: object


# The value along the direction: sums of 2·d·v = [[2, 0, -2, 2], [0, -2, -4, 0]]. Its gradient: 2·upstream·v/N.
ALONG = {
    "mse/mean": Along(-0.5, [[0.125, 0.0, -0.125, 0.125], [0.0, 0.125, 0.125, 0.0]]),
    "mse/sum": Along(-4.0, [[1.0, 0.0, -1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]),
    "mse/none": Along([[2.0, 0.0, -2.0, 2.0], [0.0, -2.0, -4.0, 0.0]], [[2.0, 0.0, -1.0, -2.0], [0.0, 2.0, 4.0, 0.0]]),
    "mse/last-axis": Along([0.5, -1.5], [[0.25, 0.0, -0.25, 0.25], [0.0, 1.0, 1.0, 0.0]]),
}


class Probing(Framework, Protocol):
    """A framework that has a probe."""

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe: ...


def questions(probe: Probe, operation: str, dtype: str) -> Mapping[str, tuple[Callable[[], Any], object]]:
    """Every question with a number for an answer, and the number."""
    given = inputs(operation, dtype)
    value, _, gradient = (np.array(part) for part in EXPECTED[operation])
    along = ALONG[operation]
    direction = np.array(DIRECTION, given.prediction.dtype)
    zeros = np.zeros_like(direction)
    doubled = replace(given, prediction=2 * given.prediction, target=2 * given.target)
    equal = replace(given, prediction=given.target)
    return {
        "call": (lambda: probe.call(given.prediction, given.target).value, value),
        "alone, prediction": (lambda: probe.gradient_of(given, Quantity.GRADIENT_PREDICTION), gradient),
        "alone, target": (lambda: probe.gradient_of(given, Quantity.GRADIENT_TARGET), -gradient),
        "forward, prediction": (lambda: probe.jvp(given, direction, zeros), along.value),
        "forward, target": (lambda: probe.jvp(given, zeros, direction), -np.array(along.value)),
        "forward, both": (lambda: probe.jvp(given, direction, direction), 0 * value),
        "curvature": (lambda: probe.hvp(given, direction), [along.gradient, -np.array(along.gradient)]),
        "batched": (lambda: probe.vmap([given, equal, doubled]), [value, 0 * value, 4 * value]),
        "edited": (lambda: probe.update_in_place(given, doubled), [value, 4 * value]),
    }


def faults(framework: Probing, implementation: Implementation, mode: str, dtype: str) -> tuple[list[str], dict[str, str]]:
    """What differs from the hand-computed numbers, bit for bit; and what is not offered, with the reason."""
    probe = framework.probe(implementation, "cpu", mode, dtype)
    wrong, refused = [], {}
    for question, (ask, expected) in questions(probe, implementation.operation, dtype).items():
        try:
            found = ask()
        except Unsupported as reason:
            refused[question] = str(reason)
            continue
        numbers = np.array([np.asarray(part, np.float64) for part in found] if isinstance(found, tuple) else found, np.float64)
        if not np.array_equal(numbers, np.array(expected)):
            wrong.append(f"{implementation.name}, {mode}, {dtype}, {question}: {numbers.tolist()}, expected {expected}")
    return wrong, refused
