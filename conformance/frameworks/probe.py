"""What can be asked of an implementation beyond value and both gradients: forward mode, curvature, batching, foreign inputs.

An adapter may leave any of it out: what it does not override is ``unsupported``, with a reason. Imports no framework.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.frameworks.base import Implementation, Stream, Unsupported
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array


@dataclass(frozen=True, eq=False)
class Returned:
    """What a plain call gave back: a host array in the dtype it came in, its type as a person writes it, the warnings."""

    value: Array
    type: str
    warnings: tuple[str, ...] = ()


class Probe:
    """Questions to one implementation on one device in one mode. Each method may raise whatever the implementation raises.

    Every method raises Unsupported unless the adapter overrides it, or where the mode does not offer it.
    """

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:  # noqa: ARG002 - for the adapters
        """Call it, with no gradient asked for; with a weight unless that is None.

        NumPy arrays of any dtype, shape and layout become the framework's tensors; one array given twice becomes one tensor.
        Everything else (a list, a number, a :class:`Raw`) is handed over as it is.
        """
        raise self._lacks("plain calls")

    def alone(self, inputs: Inputs, quantity: Quantity) -> Array:  # noqa: ARG002 - for the adapters
        """The gradient with respect to one argument, where that one alone is differentiated."""
        raise self._lacks("gradients of one argument")

    def forward(self, inputs: Inputs, prediction: Array, target: Array) -> Array:  # noqa: ARG002 - for the adapters
        """Forward mode: the derivative of the value in the direction (prediction, target). Shape of the value."""
        raise self._lacks("forward mode")

    def curvature(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:  # noqa: ARG002 - for the adapters
        """Second derivatives along ``direction`` of the prediction: of the gradient/prediction, and of the gradient/target.

        Both of the inputs' shape: ∂/∂p (∂L/∂p · direction) and ∂/∂t (∂L/∂p · direction), for L = Σ upstream · value.
        """
        raise self._lacks("second derivatives")

    def batched(self, stack: Sequence[Inputs]) -> Array:  # noqa: ARG002 - for the adapters
        """The framework's automatic batching (``vmap``, ``vectorized_map``) over inputs of one shape: ``(len(stack), *value shape)``."""
        raise self._lacks("automatic batching")

    def edited(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:  # noqa: ARG002 - for the adapters
        """The values of two calls on the same tensors, whose contents are overwritten in place in between."""
        raise self._lacks("tensors that can be edited in place")

    def streamed(self, inputs: Inputs, lengths: Sequence[int]) -> Array:  # noqa: ARG002 - for the adapters
        """The value of a stream of batches: the inputs, cut along the first axis into so many rows each, in order; a length may be 0."""
        raise self._lacks("streams of batches")

    def threads(self, count: int) -> AbstractContextManager[None]:  # noqa: ARG002 - for the adapters
        """As many threads as ``count`` while it lasts."""
        raise self._lacks("number of threads that can be changed")

    def _lacks(self, what: str) -> Unsupported:
        return Unsupported(f"the adapter offers no {what} here")


class ScopedProbe(Probe):
    """A probe whose questions are asked in a scope."""

    def __init__(self, probe: Probe, scope: Callable[[], AbstractContextManager[Any]]) -> None:
        self._probe = probe
        self._scope = scope

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        with self._scope():
            return self._probe.call(prediction, target, weight)

    def alone(self, inputs: Inputs, quantity: Quantity) -> Array:
        with self._scope():
            return self._probe.alone(inputs, quantity)

    def forward(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        with self._scope():
            return self._probe.forward(inputs, prediction, target)

    def curvature(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        with self._scope():
            return self._probe.curvature(inputs, direction)

    def batched(self, stack: Sequence[Inputs]) -> Array:
        with self._scope():
            return self._probe.batched(stack)

    def edited(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        with self._scope():
            return self._probe.edited(inputs, after)

    def streamed(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        with self._scope():
            return self._probe.streamed(inputs, lengths)

    def threads(self, count: int) -> AbstractContextManager[None]:
        return self._probe.threads(count)


@dataclass(frozen=True, eq=False)
class Raw:
    """A host array that the implementation is given as it is, not as a tensor of its framework."""

    array: Array


def stream_of(implementation: Implementation) -> Stream:
    """The stream of an implementation that has one.

    Raises:
        Unsupported: it takes whole inputs only.
    """
    if implementation.stream is None:
        raise Unsupported("the implementation takes no stream of batches")
    return implementation.stream


def unwrap(argument: Any) -> Any:
    """What a raw argument holds; anything else as it is."""
    return argument.array if isinstance(argument, Raw) else argument


def type_of(value: object) -> str:
    """A type as a person writes it: ``float``, ``numpy.float64``, ``torch.Tensor``."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


@contextmanager
def capture_warnings() -> Iterator[dict[str, None]]:
    """What is said in warnings while it lasts, each once; deprecations, which Python shows to developers only, are not."""
    said: dict[str, None] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    hidden = (DeprecationWarning, PendingDeprecationWarning)
    said.update((f"{w.category.__name__}: {w.message}", None) for w in caught if not issubclass(w.category, hidden))


def is_array(argument: object) -> bool:
    """Whether an argument of :meth:`Probe.call` is to become a tensor."""
    return isinstance(argument, np.ndarray)
