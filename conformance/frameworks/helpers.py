"""What every adapter shares: the inputs in call order, refusing what is not offered, putting an evaluation together.

Imports no framework.
"""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from conformance.frameworks.base import Evaluation, ExecutionReport, Implementation, Stream, Unsupported
from conformance.numerics.definition import Inputs, Quantity, Shape
from conformance.numerics.formats import FORMATS, Array

DTYPES = tuple(FORMATS)
_ALIGNMENT = 64
"""Bytes: the widest vector of today's processors, and a multiple of every element's size."""
GRADIENTS = (Quantity.GRADIENT_PREDICTION.value, Quantity.GRADIENT_TARGET.value, Quantity.GRADIENT_WEIGHT.value)

EntryRow = tuple[str, str, str, Callable[..., Any]]
"""One entry point in a table of them: name, operation less its family, entry, call."""


StreamRow = tuple[str, str, str, Stream]
"""One stream in a table of them: name, operation less its family, entry, stream."""


def implementations(
    rows: Iterable[EntryRow], modes: Sequence[str], streams: Mapping[str, Stream] | None = None
) -> tuple[Implementation, ...]:
    """A table of entry points as implementations, in every dtype; ``streams`` are those that some have, by name."""
    made = (Implementation(name, entry, f"mse/{operation}", call, modes, DTYPES) for name, operation, entry, call in rows)
    return tuple(replace(one, stream=streams.get(one.name)) if streams else one for one in made)


def streamed(rows: Iterable[StreamRow], modes: Sequence[str], dtypes: Sequence[str] = DTYPES) -> tuple[Implementation, ...]:
    """A table of streams as implementations: called once, each takes everything as one batch."""

    def in_one_batch(stream: Stream) -> Callable[[Any, Any], Any]:
        return lambda prediction, target: stream([(prediction, target)])

    return tuple(
        Implementation(name, entry, f"mse/{operation}", in_one_batch(stream), modes, dtypes, stream=stream)
        for name, operation, entry, stream in rows
    )


@contextmanager
def keras_backend(name: str) -> Iterator[None]:
    """Choose the backend of Keras while it is imported, the only time it looks; then the variable is the user's again."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = name
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if before is not None:
            os.environ["KERAS_BACKEND"] = before


def arguments(inputs: Inputs) -> list[Array]:
    """The arrays an implementation is called with, in its order: prediction, target and, where there is one, weight.

    Copies of the same layout: an implementation that writes to its arguments must not reach the host's inputs.
    """
    arrays = [inputs.prediction, inputs.target] if inputs.weight is None else [inputs.prediction, inputs.target, inputs.weight]
    copies = [same_layout(array) for array in arrays]
    for copy in copies:
        copy.flags.writeable = not inputs.read_only
    return copies


def batches(inputs: Inputs, lengths: Sequence[int]) -> list[tuple[Array, ...]]:
    """The arguments of each batch in call order: so many rows each, one batch after the other, each in memory of its own."""
    ends = list(accumulate(lengths))
    rows = [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]
    return [tuple(array[chosen].copy() for array in arguments(inputs)) for chosen in rows]


def sum_batches(call: Callable[..., Any]) -> Stream:
    """The stream of a sum: the sums of its batches, added one after the other."""
    return lambda batches: reduce(operator.add, (call(*batch) for batch in batches))


def same_layout(array: Array) -> Array:
    """A copy with the strides and the alignment of ``array``; memory that it shares within itself stays shared. It may be written to."""
    if (array.flags.c_contiguous and array.flags.aligned) or not array.size:
        return np.array(array, order="C")
    address = array.ctypes.data
    spans = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    lowest = address + sum(span for span in spans if span < 0)
    length = sum(abs(span) for span in spans) + array.itemsize
    memory = np.frombuffer((ctypes.c_char * length).from_address(lowest), np.uint8)
    shift = lowest % _ALIGNMENT
    copy = np.zeros(length + 2 * _ALIGNMENT, np.uint8)
    start = (shift - copy.ctypes.data) % _ALIGNMENT
    copy[start : start + length] = memory
    made: Array = np.ndarray(array.shape, array.dtype, copy, start + (address - lowest), array.strides)
    return made


def modified_arguments(inputs: Inputs, after: Sequence[Array]) -> tuple[str, ...]:
    """The names of the arguments that no longer hold the bits they were given."""
    before = (inputs.prediction, inputs.target, inputs.weight)
    names = ("prediction", "target", "weight")
    return tuple(
        name for name, given, found in zip(names, before, after, strict=False) if given is not None and given.tobytes() != found.tobytes()
    )


def require(framework: str, implementation: Implementation, mode: str, modes: Sequence[str], dtype: str) -> None:
    """Refuse a mode or dtype that the framework does not have.

    Raises:
        Unsupported: with the sentence that the cell shows.
    """
    if mode not in modes:
        raise Unsupported(f"{framework} has no mode {mode!r}; {implementation.name} can be run in {', '.join(modes)}")
    if dtype not in DTYPES:
        raise Unsupported(f"{framework} is tested in {', '.join(DTYPES)}; found {dtype!r}")


def no_device(framework: str, device: str, names: Sequence[str]) -> Unsupported:
    """The exception for a device that the framework does not see."""
    return Unsupported(f"{framework} sees no device {device!r} on this machine, only {', '.join(names)}")


def not_differentiable(value_shape: Shape, upstream_shape: Shape) -> str:
    """Why no gradient can be asked for: the upstream gradient must have the value's shape. Empty if it can."""
    if value_shape == upstream_shape:
        return ""
    return f"the value has shape {value_shape}, so an upstream gradient of shape {upstream_shape} does not fit it"


def assemble(
    value: Array, gradients: Sequence[Array | None], executed_as: ExecutionReport, no_gradient: str = "", changed: tuple[str, ...] = ()
) -> Evaluation:
    """An evaluation from the gradients in argument order, None where the framework gives none."""
    found = {name: gradient for name, gradient in zip(GRADIENTS, gradients, strict=False) if gradient is not None}
    missing = [name for name, gradient in zip(GRADIENTS, gradients, strict=False) if gradient is None]
    if missing and not no_gradient:
        no_gradient = f"automatic differentiation finds no path from the value for {' and '.join(missing)}"
    return Evaluation(value, found, executed_as, no_gradient, changed)
