"""NumPy beyond the value: plain calls with any input, arrays that are edited in place, streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, stream_of, type_of
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array


class NumpyProbe(Probe):
    """Nothing is differentiated and nothing is batched by itself."""

    def __init__(self, implementation: Implementation) -> None:
        self._call = implementation.call
        self._implementation = implementation

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        given = called_with(np.asarray, prediction, target, weight)
        with capture_warnings() as said:
            value = self._call(*given)
        return Returned(np.asarray(value), type_of(value), tuple(said))

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        prediction, target = arguments(inputs)[:2]
        with np.errstate(all="ignore"):
            first = np.array(self._call(prediction, target))
            prediction[...], target[...] = after.prediction, after.target
            return first, np.array(self._call(prediction, target))

    def kept(self, inputs: Inputs, other: Inputs) -> Array:
        with np.errstate(all="ignore"):
            first = np.asarray(self._call(*arguments(inputs)))
            self._call(*arguments(other))
        return first

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:
        gradient = self._implementation.gradient
        if gradient is None:
            raise self._lacks("gradient")
        pairs = [(arguments(inputs), inputs) for inputs in (first, second)]
        with np.errstate(all="ignore"):
            values = [np.asarray(self._call(*given)) for given, _ in pairs]
            found = [gradient(*given, i.upstream.astype(v.dtype))[0] for v, (given, i) in zip(values, pairs)]
        return np.asarray(found[0]), np.asarray(found[1])

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        stream = stream_of(self._implementation)
        with np.errstate(all="ignore"):
            return np.asarray(stream(batches(inputs, lengths)))
