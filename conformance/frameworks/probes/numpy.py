"""NumPy beyond the value: plain calls with any input, and arrays that are edited in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.frameworks.assembly import arguments, same_layout
from conformance.frameworks.base import Implementation
from conformance.frameworks.probe import Probe, Returned, is_array, listening, type_of, unwrapped
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array


class NumpyProbe(Probe):
    """Nothing is differentiated and nothing is batched by itself."""

    def __init__(self, implementation: Implementation) -> None:
        self._call = implementation.call

    def call(self, prediction: Any, target: Any) -> Returned:
        first = same_layout(prediction) if is_array(prediction) else unwrapped(prediction)
        second = first if target is prediction else same_layout(target) if is_array(target) else unwrapped(target)
        with listening() as said:
            value = self._call(first, second)
        return Returned(np.asarray(value), type_of(value), tuple(said))

    def edited(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        prediction, target = arguments(inputs)[:2]
        with np.errstate(all="ignore"):
            first = np.array(self._call(prediction, target))
            prediction[...], target[...] = after.prediction, after.target
            return first, np.array(self._call(prediction, target))
