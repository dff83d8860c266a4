"""MLX beyond value and gradients: one argument alone, ``jvp``, ``vjp`` of ``vjp``, ``vmap``, editing in place, streams; also compiled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.mlx.tensors import is_traced, place, running_on, to_array, to_mlx
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, position, stacked, stream_of, type_of
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array


class MlxProbe(Probe):
    """Op by op, or each question as a whole under ``compile``: one compiled function per question."""

    def __init__(self, implementation: Implementation, device: str, mode: str) -> None:
        self._implementation = implementation
        self._plain = implementation.call
        self._device = device
        self._mode = mode
        self._functions: dict[Hashable, Callable[..., Any]] = {}
        self._traced: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        with running_on(self._device):
            given = called_with(_to_mlx, prediction, target, weight)
            run = self._in_mode("call", self._plain)
            with capture_warnings() as said:
                value = run(*given)
            self._attest()
            host = to_array(value) if isinstance(value, mx.array) else np.asarray(value)
        return Returned(host, "mlx.core.array" if isinstance(value, mx.array) else type_of(value), tuple(said))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        chosen = position(quantity)
        (gradient,) = self._ask(("alone", chosen), partial(_gradient, self._plain, chosen), inputs.upstream, *arguments(inputs))
        return gradient

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        (tangent,) = self._ask("forward", partial(_forward, self._plain), prediction, target, *arguments(inputs))
        return tangent

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        own, mixed = self._ask("curvature", partial(_curvature, self._plain), inputs.upstream, direction, *arguments(inputs))
        return own, mixed

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        (values,) = self._ask("batched", lambda *arrays: [mx.vmap(self._plain)(*arrays)], *stacked(stack))
        return values

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        with running_on(self._device):
            run = self._in_mode("call", self._plain)
            arrays = [to_mlx(array) for array in arguments(inputs)]
            first = to_array(run(*arrays)).copy()
            for array, changed in zip(arrays, arguments(after)):
                array[...] = to_mlx(changed)
            second = to_array(run(*arrays))
        self._attest()
        return first, second

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        """Compiled, the whole stream is one program, made once per split."""
        stream = stream_of(self._implementation)
        with running_on(self._device):
            parts = [tuple(to_mlx(array) for array in batch) for batch in batches(inputs, lengths)]
            value = self._in_mode("streamed", stream)(parts)
            self._attest()
            return to_array(value) if isinstance(value, mx.array) else np.asarray(value)

    def _ask(self, question: Hashable, body: Callable[..., Sequence[mx.array]], *arrays: Array) -> list[Array]:
        with running_on(self._device):
            found = self._in_mode(question, body)(*(to_mlx(array) for array in arrays))
            mx.eval(*found)
            if (where := place()) != self._device:
                raise ExecutionMismatch(f"asked for the device {self._device}, the answer was computed on {where}")
            self._attest()
            return [to_array(array) for array in found]

    def _in_mode(self, key: Hashable, body: Callable[..., Any]) -> Callable[..., Any]:
        """The body as the mode runs it; what is compiled for a key is kept."""

        def watched(*given: Any) -> Any:
            arrays = [leaf for leaf in _leaves(given) if isinstance(leaf, mx.array)]
            self._traced.add(any(map(is_traced, arrays)))
            return body(*given)

        if self._mode == "eager":
            return watched
        if key not in self._functions:
            self._functions[key] = mx.compile(watched)
        return self._functions[key]

    def _attest(self) -> None:
        ran = "eager" if False in self._traced else "compile"
        if ran != self._mode:
            raise ExecutionMismatch(f"asked for {self._mode}, but the function was run in {ran}")


def _to_mlx(array: Array) -> mx.array:
    if array.dtype == np.complex128:
        raise Unsupported("MLX has no dtype complex128")
    return to_mlx(array)


def _leaves(given: Any) -> list[Any]:
    if isinstance(given, (list, tuple)):
        return [leaf for part in given for leaf in _leaves(part)]
    return [given]


def _gradient(call: Callable[..., mx.array], chosen: int, upstream: mx.array, *arrays: mx.array) -> list[mx.array]:
    """Along the upstream gradient, with respect to one argument: the others are constants."""

    def of_one(argument: mx.array) -> mx.array:
        return call(*arrays[:chosen], argument, *arrays[chosen + 1 :])

    dtype = call(*arrays).dtype  # MLX is lazy: nothing is computed for it
    _, (gradient,) = mx.vjp(of_one, [arrays[chosen]], [upstream.astype(dtype)])
    return [gradient]


def _forward(call: Callable[..., mx.array], prediction: mx.array, target: mx.array, *arrays: mx.array) -> list[mx.array]:
    """The derivative of the value in the direction (prediction, target)."""
    _, (tangent,) = mx.jvp(lambda p, t: call(p, t, *arrays[2:]), arrays[:2], [prediction, target])
    return [tangent]


def _curvature(call: Callable[..., mx.array], upstream: mx.array, direction: mx.array, *arrays: mx.array) -> list[mx.array]:
    """``vjp`` of the gradient with respect to the prediction, which is a ``vjp`` itself."""

    def first(prediction: mx.array, target: mx.array) -> mx.array:
        return _gradient(call, 0, upstream, prediction, target, *arrays[2:])[0]

    _, (own, mixed) = mx.vjp(first, arrays[:2], [direction.astype(arrays[0].dtype)])
    return [own, mixed]
