"""What can be asked of an implementation beyond value and both gradients: forward mode, curvature, batching, foreign inputs.

An adapter may leave any of it out: what it does not override is ``unsupported``, with a reason. Imports no framework.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.frameworks.base import Implementation, Stream, Unsupported
from conformance.frameworks.helpers import GRADIENTS, arguments
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array
from conformance.numerics.layout import same_layout


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
        Everything else (a list, a number, a :class:`AsIs`) is handed over as it is.
        """
        raise self._lacks("plain calls")

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:  # noqa: ARG002 - for the adapters
        """The gradient with respect to one argument, where that one alone is differentiated."""
        raise self._lacks("gradients of one argument")

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:  # noqa: ARG002 - for the adapters
        """Forward mode: the derivative of the value in the direction (prediction, target). Shape of the value."""
        raise self._lacks("forward mode")

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:  # noqa: ARG002 - for the adapters
        """Second derivatives along ``direction`` of the prediction: of the gradient/prediction, and of the gradient/target.

        Both of the inputs' shape: ∂/∂p (∂L/∂p · direction) and ∂/∂t (∂L/∂p · direction), for L = Σ upstream · value.
        """
        raise self._lacks("second derivatives")

    def vmap(self, stack: Sequence[Inputs]) -> Array:  # noqa: ARG002 - for the adapters
        """The framework's automatic batching (``vmap``, ``vectorized_map``) over inputs of one shape: ``(len(stack), *value shape)``."""
        raise self._lacks("automatic batching")

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:  # noqa: ARG002 - for the adapters
        """The values of two calls on the same tensors, whose contents are overwritten in place in between."""
        raise self._lacks("tensors that can be edited in place")

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:  # noqa: ARG002 - for the adapters
        """The value of a stream of batches: the inputs, cut along the first axis into so many rows each, in order; a length may be 0."""
        raise self._lacks("streams of batches")

    def kept(self, inputs: Inputs, other: Inputs) -> Array:
        """The value of the first inputs, looked at once the others have been evaluated."""
        first = self.call(inputs.prediction, inputs.target, inputs.weight).value
        self.call(other.prediction, other.target, other.weight)
        return first

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:  # noqa: ARG002 - for the adapters
        """The gradients of both predictions: both forward passes come first, then the backward passes in the same order."""
        raise self._lacks("two graphs at a time")

    def repeat(self, inputs: Inputs, count: int, seconds: float) -> int:
        """Call it so many times, or for so long; how many calls there were."""
        deadline = time.monotonic() + seconds
        for number in range(count):
            if time.monotonic() > deadline:
                return number
            self.call(inputs.prediction, inputs.target, inputs.weight)
        return count

    def threads(self, count: int) -> AbstractContextManager[None]:  # noqa: ARG002 - for the adapters
        """As many threads as ``count`` while it lasts."""
        raise self._lacks("number of threads that can be changed")

    def _lacks(self, what: str) -> Unsupported:
        return Unsupported(f"the adapter offers no {what} here")


def _scoped(question: str) -> Any:
    """A method that asks a question of the probe inside, in the scope."""

    def ask(self: ScopedProbe, *arguments: Any) -> Any:
        with self._scope():
            return getattr(self._probe, question)(*arguments)

    return ask


class ScopedProbe(Probe):
    """A probe whose questions are asked in a scope."""

    def __init__(self, probe: Probe, scope: Callable[[], AbstractContextManager[Any]]) -> None:
        self._probe = probe
        self._scope = scope

    call = _scoped("call")
    gradient_of = _scoped("gradient_of")
    jvp = _scoped("jvp")
    hvp = _scoped("hvp")
    vmap = _scoped("vmap")
    update_in_place = _scoped("update_in_place")
    accumulate = _scoped("accumulate")
    kept = _scoped("kept")
    interleaved = _scoped("interleaved")
    repeat = _scoped("repeat")

    def threads(self, count: int) -> AbstractContextManager[None]:
        return self._probe.threads(count)


@dataclass(frozen=True, eq=False)
class AsIs:
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


def called_with(tensor_of: Callable[[Array], Any], prediction: Any, target: Any, weight: Any) -> list[Any]:
    """The arguments of a plain call: arrays as tensors, in the layout they have; see :meth:`Probe.call`."""

    def given(argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            return tensor_of(same_layout(argument))
        return argument.array if isinstance(argument, AsIs) else argument

    first = given(prediction)
    second = first if target is prediction else given(target)
    return [first, second] if weight is None else [first, second, given(weight)]


def stacked(stack: Sequence[Inputs]) -> list[Array]:
    """The arguments of inputs of one shape in call order, each with an axis for the inputs in front."""
    return [np.stack(part) for part in zip(*map(arguments, stack))]


def position(quantity: Quantity) -> int:
    """Which argument a gradient is of."""
    return GRADIENTS.index(quantity.value)


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
