"""CuPy beyond the value: plain calls with any input, arrays that are edited in place, streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from conformance.frameworks.base import Implementation
from conformance.frameworks.cupy.tensors import to_cupy
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, stream_of, type_of
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array


class CupyProbe(Probe):
    """Nothing is differentiated and nothing is batched by itself."""

    def __init__(self, implementation: Implementation, index: int) -> None:
        self._call = implementation.call
        self._implementation = implementation
        self._device = cupy.cuda.Device(index)

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        with self._device:
            given = called_with(to_cupy, prediction, target, weight)
            with capture_warnings() as said:
                value = self._call(*given)
            return Returned(np.asarray(cupy.asnumpy(value)), type_of(value), tuple(said))

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        with self._device:
            prediction, target = (to_cupy(array) for array in arguments(inputs)[:2])
            first = np.array(cupy.asnumpy(self._call(prediction, target)))
            prediction[...], target[...] = to_cupy(after.prediction), to_cupy(after.target)
            return first, np.array(cupy.asnumpy(self._call(prediction, target)))

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        stream = stream_of(self._implementation)
        with self._device:
            parts = [tuple(to_cupy(array) for array in batch) for batch in batches(inputs, lengths)]
            return np.asarray(cupy.asnumpy(stream(parts)))
