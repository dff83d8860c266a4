"""JAX beyond value and gradients: one argument alone, ``jvp``, ``vjp`` of ``vjp``, ``vmap``, streams; op by op and under ``jax.jit``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.jax.tensors import device_named
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, position, stacked, stream_of, type_of
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array


class JaxProbe(Probe):
    """Op by op, or each question as a whole under ``jit``: one jitted function per question, compiled once per shape."""

    def __init__(self, implementation: Implementation, device: str, mode: str) -> None:
        self._implementation = implementation
        self._plain = implementation.call
        self._device = device_named(device)
        self._mode = mode
        self._functions: dict[Hashable, Callable[..., Any]] = {}
        self._traced: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        """``jit`` of the implementation itself: lists and NumPy arrays are traced as JAX does for its users."""
        given = called_with(self._placed, prediction, target, weight)
        run = self._in_mode("call", self._plain)
        with jax.default_device(self._device), capture_warnings() as said:
            value = run(*given)
        self._attest()
        return Returned(np.asarray(value), "jax.Array" if isinstance(value, jax.Array) else type_of(value), tuple(said))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        chosen = position(quantity)
        return np.asarray(self._ask(("alone", chosen), partial(_gradient, self._plain, chosen), inputs.upstream, *arguments(inputs)))

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        return np.asarray(self._ask("forward", partial(_forward, self._plain), prediction, target, *arguments(inputs)))

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        own, mixed = self._ask("curvature", partial(_curvature, self._plain), inputs.upstream, direction, *arguments(inputs))
        return np.asarray(own), np.asarray(mixed)

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        return np.asarray(self._ask("batched", jax.vmap(self._plain), *stacked(stack)))

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:  # noqa: ARG002 - there is no way to edit them
        raise Unsupported("JAX's arrays cannot be changed")

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:
        own, other = self._ask(
            "interleaved", partial(_interleaved, self._plain), *(a for i in (first, second) for a in (i.upstream, *arguments(i)))
        )
        return np.asarray(own), np.asarray(other)

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        """Under ``jit`` the whole stream is one program, compiled once per split."""
        run = self._in_mode("streamed", stream_of(self._implementation))
        value = run(jax.device_put(batches(inputs, lengths), self._device))
        self._attest()
        if isinstance(value, jax.Array) and value.devices() != {self._device}:
            raise ExecutionMismatch(f"asked for the device {self._device}, the stream ended on {value.devices()}")
        return np.asarray(value)

    def _ask(self, question: Hashable, body: Callable[..., Any], *arrays: Array) -> Any:
        placed = jax.device_put([np.array(array, order="C") for array in arrays], self._device)
        found = self._in_mode(question, body)(*placed)
        self._attest()
        return found

    def _in_mode(self, key: Hashable, body: Callable[..., Any]) -> Callable[..., Any]:
        """The body as the mode runs it; what is jitted for a key is kept."""

        def watched(*arrays: Any) -> Any:
            self._traced.add(any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(arrays)))
            return body(*arrays)

        if self._mode == "eager":
            return watched
        if key not in self._functions:
            self._functions[key] = jax.jit(watched)
        return self._functions[key]

    def _attest(self) -> None:
        ran = "eager" if False in self._traced else "jit"
        if ran != self._mode:
            raise ExecutionMismatch(f"asked for {self._mode}, but the function was run in {ran}")

    def _placed(self, array: Array) -> jax.Array:
        return jax.device_put(array, self._device)


def _gradient(call: Callable[..., jax.Array], chosen: int, upstream: jax.Array, *arrays: jax.Array) -> jax.Array:
    """Along the upstream gradient, with respect to one argument: the others are constants."""

    def of_one(argument: jax.Array) -> jax.Array:
        return call(*arrays[:chosen], argument, *arrays[chosen + 1 :])

    value, pullback = jax.vjp(of_one, arrays[chosen])
    (gradient,) = pullback(upstream.astype(value.dtype))
    return gradient


def _interleaved(call: Callable[..., jax.Array], *arrays: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of two inputs, each after its upstream gradient."""
    halves = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]
    passes = [jax.vjp(call, *half[1:]) for half in halves]
    first, second = (pullback(half[0].astype(value.dtype))[0] for half, (value, pullback) in zip(halves, passes))
    return first, second


def _forward(call: Callable[..., jax.Array], prediction: jax.Array, target: jax.Array, *arrays: jax.Array) -> jax.Array:
    """The derivative of the value in the direction (prediction, target)."""
    _, tangent = jax.jvp(lambda p, t: call(p, t, *arrays[2:]), arrays[:2], (prediction, target))
    return tangent


def _curvature(
    call: Callable[..., jax.Array], upstream: jax.Array, direction: jax.Array, *arrays: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """``vjp`` of the gradient with respect to the prediction, which is a ``vjp`` itself."""
    first, pullback = jax.vjp(lambda p, t: _gradient(call, 0, upstream, p, t, *arrays[2:]), *arrays[:2])
    own, mixed = pullback(direction.astype(first.dtype))
    return own, mixed
