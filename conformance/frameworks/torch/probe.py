"""PyTorch beyond value and gradients: one argument alone, forward mode, double backward, ``vmap``, editing in place, streams, threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import arguments, batches
from conformance.frameworks.probe import Probe, Returned, called_with, capture_warnings, position, stream_of, type_of
from conformance.frameworks.torch.tensors import to_array, to_tensor
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array

_ONCE = "torch.compile frees the buffers of its backward pass: what it compiled is differentiated once"


class TorchProbe(Probe):
    """Eager, or through ``torch.compile`` where that offers it."""

    def __init__(self, implementation: Implementation, device: str, mode: str) -> None:
        self._implementation = implementation
        self._plain = implementation.call
        self._device = device
        self._compiled = mode == "compile"
        self._run = torch.compile(self._plain, fullgraph=True) if self._compiled else self._plain

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        given = called_with(self._tensor, prediction, target, weight)
        with capture_warnings() as said:
            value = self._run(*given)
        host = to_array(value) if isinstance(value, Tensor) else np.asarray(value)
        return Returned(host, type_of(value), tuple(said))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        tensors = self._tensors(inputs)
        chosen = tensors[position(quantity)].requires_grad_()
        value = self._run(*tensors)
        (gradient,) = torch.autograd.grad(value, chosen, self._upstream(inputs, value))
        return to_array(gradient)

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        if self._compiled:
            raise Unsupported("torch.compile is not asked for forward mode")
        _require("func")
        directions = (to_tensor(prediction, self._device), to_tensor(target, self._device))
        with _rules_of_custom_functions():
            _, tangent = torch.func.jvp(self._plain, tuple(self._tensors(inputs)[:2]), directions)
        return to_array(tangent)

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        if self._compiled:
            raise Unsupported(_ONCE)
        tensors = [tensor.requires_grad_() if tensor.is_floating_point() else tensor for tensor in self._tensors(inputs)]
        value = self._plain(*tensors)
        first, other = torch.autograd.grad(value, tensors[:2], self._upstream(inputs, value), create_graph=True, allow_unused=True)
        variables = tensors[: 1 if other is None else 2]
        found = torch.autograd.grad(first, variables, to_tensor(direction, self._device).to(first.dtype))
        return to_array(found[0]), to_array(torch.zeros_like(tensors[1]) if other is None else found[1])  # of a constant it is zero

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        _require("vmap")
        tensors = [torch.stack(part) for part in zip(*(self._tensors(inputs) for inputs in stack))]
        batch = torch.vmap(self._plain)
        with _rules_of_custom_functions():
            return to_array((torch.compile(batch) if self._compiled else batch)(*tensors))

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        tensors = self._tensors(inputs)
        first = to_array(self._run(*tensors)).copy()
        for tensor, changed in zip(tensors, self._tensors(after)):
            tensor.copy_(changed)
        return first, to_array(self._run(*tensors))

    def kept(self, inputs: Inputs, other: Inputs) -> Array:
        first = self._run(*self._tensors(inputs))
        self._run(*self._tensors(other))
        return to_array(first)

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:
        pairs = [(self._tensors(inputs), inputs) for inputs in (first, second)]
        values = [self._run(tensors[0].requires_grad_(), *tensors[1:]) for tensors, _ in pairs]
        found = [torch.autograd.grad(v, tensors[0], self._upstream(one, v))[0] for v, (tensors, one) in zip(values, pairs)]
        return to_array(found[0]), to_array(found[1])

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        stream = stream_of(self._implementation)
        if self._compiled:
            raise Unsupported("torch.compile is not asked for streams: each split would be a program of its own")
        value = stream([tuple(to_tensor(array, self._device) for array in batch) for batch in batches(inputs, lengths)])
        if not isinstance(value, Tensor):
            return np.asarray(value)
        if str(value.device) != self._device:
            raise ExecutionMismatch(f"asked for the device {self._device}, the stream ended on {value.device}")
        return to_array(value)

    def threads(self, count: int) -> AbstractContextManager[None]:
        return _threads(count)

    def _tensor(self, array: Array) -> Tensor:
        return to_tensor(array, self._device)

    def _tensors(self, inputs: Inputs) -> list[Tensor]:
        return [to_tensor(array, self._device) for array in arguments(inputs)]

    def _upstream(self, inputs: Inputs, value: Tensor) -> Tensor:
        return to_tensor(np.array(inputs.upstream, order="C"), self._device).to(value)


def _require(name: str) -> None:
    """Refuse what needs a part of PyTorch that this version does not have.

    Raises:
        Unsupported: it does not.
    """
    if not hasattr(torch, name):
        raise Unsupported(f"PyTorch {torch.__version__} has no torch.{name}")


@contextmanager
def _rules_of_custom_functions() -> Iterator[None]:
    """A function with a backward pass of its own has forward mode and batching only where it defines them, and torch says so."""
    try:
        yield
    except RuntimeError as error:
        if "autograd.Function" in str(error):
            raise Unsupported("its custom torch.autograd.Function defines no rule for this") from error
        raise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
