"""PaddlePaddle beyond value and gradients: one argument alone, double backward, editing in place, streams; eager, and in graphs once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from conformance.frameworks.base import Implementation, Unsupported
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.paddle.tensors import InMode, missing_kernels, to_array, to_tensor, upstream_of
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, position, stream_of, type_of
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array


class PaddleProbe(Probe):
    """Without forward mode and batching: ``paddle.incubate.autograd.jvp`` differentiates three times what has two derivatives."""

    def __init__(self, implementation: Implementation, mode: str) -> None:
        self._implementation = implementation
        self._mode = mode
        self._run = InMode(implementation.call, mode)

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        given = called_with(to_tensor, prediction, target, weight)
        with missing_kernels(), capture_warnings() as said:
            value = self._run(*given)
        host = to_array(value) if isinstance(value, Tensor) else np.asarray(value)
        return Returned(host, "paddle.Tensor" if isinstance(value, Tensor) else type_of(value), tuple(said))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        tensors = _tensors(inputs)
        chosen = tensors[position(quantity)]
        chosen.stop_gradient = False
        with missing_kernels():
            value = self._run(*tensors)
            (gradient,) = paddle.grad([value], [chosen], [upstream_of(inputs, value)])
        return to_array(gradient)

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        if self._mode != "eager":
            raise Unsupported("a graph that paddle.jit.to_static made has a backward pass, which is not differentiated again")
        tensors = _tensors(inputs)
        for tensor in tensors[:2]:
            tensor.stop_gradient = False
        with missing_kernels():
            value = self._run(*tensors)
            first, other = paddle.grad([value], tensors[:2], [upstream_of(inputs, value)], create_graph=True, allow_unused=True)
            variables = tensors[: 1 if other is None else 2]
            found = paddle.grad([first], variables, [to_tensor(direction).astype(first.dtype)])
        return to_array(found[0]), to_array(paddle.zeros_like(tensors[1]) if other is None else found[1])  # of a constant it is zero

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        tensors = _tensors(inputs)
        with missing_kernels():
            first = to_array(self._run(*tensors)).copy()
            for tensor, changed in zip(tensors, _tensors(after)):
                paddle.assign(changed, tensor)
            return first, to_array(self._run(*tensors))

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        stream = stream_of(self._implementation)
        if self._mode != "eager":
            raise Unsupported("a graph of PaddlePaddle is not asked for streams: each split would be a graph of its own")
        with missing_kernels():
            value = stream([tuple(to_tensor(array) for array in batch) for batch in batches(inputs, lengths)])
        return to_array(value) if isinstance(value, Tensor) else np.asarray(value)


def _tensors(inputs: Inputs) -> list[Tensor]:
    return [to_tensor(array) for array in arguments(inputs)]
