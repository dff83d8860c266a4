"""TensorFlow beyond value and gradients: forward mode, nested tapes, ``vectorized_map``, streams and more; eager, in graphs, with XLA."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, position, stacked, stream_of, type_of
from conformance.frameworks.tensorflow.tensors import Tensor, constant, host, place, running_on, tf
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array

_ZERO = tf.UnconnectedGradients.ZERO


class TensorflowProbe(Probe):
    """Eager, or each question as a whole in a ``tf.function``: one per question and rank, so that a new size is not traced again."""

    def __init__(self, implementation: Implementation, device: str, mode: str) -> None:
        self._implementation = implementation
        self._plain = implementation.call
        self._device = device
        self._mode = mode
        self._functions: dict[Hashable, Callable[..., Any]] = {}
        self._eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        """A ``tf.function`` of the implementation itself: lists and NumPy arrays are traced as TensorFlow does for its users."""
        with running_on(self._device):
            given = called_with(constant, prediction, target, weight)
            run = self._in_mode("call", self._plain)
            with capture_warnings() as said, _logging() as logged:
                value = run(*given)
            said |= logged
        self._attest()
        if tf.is_tensor(value):
            return Returned(host(value), "tensorflow.Tensor", tuple(said))
        return Returned(np.asarray(value), type_of(value), tuple(said))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        chosen = position(quantity)
        gradient = self._ask(("alone", chosen), partial(_gradient, self._plain, chosen), [inputs.upstream, *arguments(inputs)])
        if gradient is None:
            raise TypeError(f"the tape finds no path from the value for {quantity} alone")
        return host(gradient)

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        return host(self._ask("forward", partial(_forward, self._plain), [prediction, target, *arguments(inputs)]))

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        found = self._ask("curvature", partial(_curvature, self._plain), [inputs.upstream, direction, *arguments(inputs)])
        if found is None:
            raise TypeError("the tape finds no path from the value to the prediction")
        own, mixed = found
        return host(own), host(mixed)

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        return host(self._ask("batched", partial(_batched, self._plain), stacked(stack)))

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:  # noqa: ARG002 - there is no way to edit them
        raise Unsupported("TensorFlow's tensors cannot be changed")

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:
        found = self._ask(
            "interleaved", partial(_interleaved, self._plain), [a for i in (first, second) for a in (i.upstream, *arguments(i))]
        )
        return host(found[0]), host(found[1])

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        """In a ``tf.function`` the whole stream is one graph, traced once per split."""
        stream = stream_of(self._implementation)
        with running_on(self._device), _logging():
            parts = [tuple(constant(array) for array in batch) for batch in batches(inputs, lengths)]
            value = self._in_mode("streamed", stream)(parts)
        self._attest()
        if not tf.is_tensor(value):
            return np.asarray(value)
        if (where := place(value)) != self._device:
            raise ExecutionMismatch(f"asked for the device {self._device}, the stream ended on {where}")
        return host(value)

    def _ask(self, question: Hashable, body: Callable[..., Any], arrays: Sequence[Array]) -> Any:
        with running_on(self._device), _logging():
            tensors = [constant(array) for array in arrays]
            specs = [tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype) for tensor in tensors]
            found = self._in_mode((question, tuple(specs)), body, specs)(*tensors)
        self._attest()
        return found

    def _in_mode(self, key: Hashable, body: Callable[..., Any], specs: Sequence[Any] | None = None) -> Callable[..., Any]:
        """The body as the mode runs it; what is traced for a key is kept."""

        def watched(*tensors: Any) -> Any:
            self._eagerly.add(tf.executing_eagerly())
            return body(*tensors)

        if self._mode == "eager":
            return watched
        if key not in self._functions:
            self._functions[key] = tf.function(watched, input_signature=specs, jit_compile=self._mode == "xla" or None)
        return self._functions[key]

    def _attest(self) -> None:
        ran = "eager" if True in self._eagerly else "graph"
        if (ran == "eager") != (self._mode == "eager"):
            raise ExecutionMismatch(f"asked for {self._mode}, but the function was run in {ran} mode")


@contextmanager
def _logging() -> Iterator[dict[str, None]]:
    """What TensorFlow warns of in its log, as it stands there; that it traces again is our doing, and is not shown at all."""
    said: dict[str, None] = {}

    def hear(record: logging.LogRecord) -> bool:
        if "tf.function retracing" in (message := record.getMessage()):
            return False
        if record.levelno >= logging.WARNING:
            said[f"{record.levelname}:{record.name}:{message}"] = None
        return True

    logger = tf.get_logger()
    logger.addFilter(hear)
    try:
        yield said
    finally:
        logger.removeFilter(hear)


def _gradient(call: Callable[..., Tensor], chosen: int, upstream: Tensor, *tensors: Tensor) -> Tensor | None:
    """Along the upstream gradient, with respect to one argument; None where there is no path."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors[chosen])
        value = call(*tensors)
    return tape.gradient(value, tensors[chosen], output_gradients=tf.cast(upstream, value.dtype))


def _forward(call: Callable[..., Tensor], prediction: Tensor, target: Tensor, *tensors: Tensor) -> Tensor:
    """The derivative of the value in the direction (prediction, target)."""
    with tf.autodiff.ForwardAccumulator(list(tensors[:2]), [prediction, target]) as accumulator:
        value = call(*tensors)
    return accumulator.jvp(value, unconnected_gradients=_ZERO)


def _curvature(call: Callable[..., Tensor], upstream: Tensor, direction: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor] | None:
    """One tape inside another; a derivative without a path is zero. None where there is no first derivative."""
    with tf.GradientTape() as outer:
        outer.watch(tensors[:2])
        with tf.GradientTape() as inner:
            inner.watch(tensors[0])
            value = call(*tensors)
        first = inner.gradient(value, tensors[0], output_gradients=tf.cast(upstream, value.dtype))
    if first is None:
        return None
    own, mixed = outer.gradient(first, tensors[:2], output_gradients=tf.cast(direction, first.dtype), unconnected_gradients=_ZERO)
    return own, mixed


def _batched(call: Callable[..., Tensor], *stacked: Tensor) -> Tensor:
    return tf.vectorized_map(lambda tensors: call(*tensors), stacked)


def _interleaved(call: Callable[..., Tensor], *tensors: Tensor) -> Sequence[Tensor]:
    """The gradients of the predictions of two inputs, each after its upstream gradient: both forward passes come first."""
    halves = tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :]
    passes = []
    for half in halves:
        with tf.GradientTape() as tape:
            tape.watch(half[1])
            passes.append((tape, call(*half[1:])))
    return [
        tape.gradient(value, half[1], output_gradients=tf.cast(half[0], value.dtype), unconnected_gradients=_ZERO)
        for half, (tape, value) in zip(halves, passes)
    ]
