"""Paddle's tensors and host arrays."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("GLOG_minloglevel", "2")  # its log tells of every interpreter that it starts; read at import

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses tools with which extensions in C++ would be built
    import paddle
    from paddle import Tensor
    from paddle.autograd import PyLayer
    from paddle.static import InputSpec

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.frameworks.helpers import in_order
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import BFLOAT16, Array

_NO_KERNEL = re.compile(
    r"The kernel with key .* is not registered"
    r"|The data type of \S+ in \w+ must be .*, but received \w+"
    r"|Check data type error for op: .*?(?=,  \(at|$)"
)
"""How Paddle says that it has no kernel for a dtype, eager and while it makes a graph."""


def to_tensor(array: Array) -> Tensor:
    """A host array as a tensor on the CPU, in memory of its own; Paddle takes the bits of bfloat16 for what they are.

    Raises:
        Unsupported: Paddle has no such dtype.
    """
    if array.dtype in (np.uint16, np.uint32, np.uint64):
        raise Unsupported(f"PaddlePaddle makes no tensors of the dtype {array.dtype}")
    return paddle.to_tensor(array.view(np.uint16) if array.dtype == BFLOAT16 else array, place=paddle.CPUPlace())


def to_array(tensor: Tensor) -> Array:
    """A tensor as a host array of the same dtype."""
    array: Array = tensor.numpy()
    return array.view(BFLOAT16) if tensor.dtype == paddle.bfloat16 else array


def dtype_name(tensor: Tensor) -> str:
    """The name a dtype has in every framework: ``float32`` for ``paddle.float32``."""
    return str(tensor.dtype).removeprefix("paddle.")


def place(tensor: Tensor) -> str:
    """The device of a tensor, as the suite names it."""
    return "cpu" if tensor.place.is_cpu_place() else str(tensor.place)


def graph_of(call: Callable[..., Any], tensors: Sequence[Tensor]) -> Callable[..., Any]:
    """A static graph of a function for tensors of these ranks and dtypes, whatever their sizes.

    The function is run once, on the graph's own variables; its source is not rewritten, since nothing in it depends on their values.
    """
    paddle.jit.not_to_static(call)

    def of_two(prediction: Tensor, target: Tensor) -> Any:
        return call(prediction, target)

    def of_three(prediction: Tensor, target: Tensor, weight: Tensor) -> Any:
        return call(prediction, target, weight)

    specs = [InputSpec([None] * tensor.ndim, dtype_name(tensor)) for tensor in tensors]
    graph: Callable[..., Any] = paddle.jit.to_static(of_two if len(specs) == 2 else of_three, input_spec=specs, full_graph=True)
    return graph


@contextmanager
def missing_kernels() -> Iterator[None]:
    """A kernel that Paddle says it does not have is unsupported."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        if said := _NO_KERNEL.search(str(error)):
            raise Unsupported(" ".join(said[0].split())) from error
        raise


class InMode:
    """A function as a mode runs it: eager, or as a graph that is made once for each rank and dtype of its arguments.

    Raises:
        ExecutionMismatch: it was run in another mode.
    """

    def __init__(self, call: Callable[..., Any], mode: str) -> None:
        self._call = call
        self._mode = mode
        self._graphs: dict[tuple[tuple[int, str], ...], Callable[..., Any]] = {}
        self._eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each making of a graph

    def __call__(self, *tensors: Any) -> Any:
        value = (self._watched if self._mode == "eager" else self._graph(tensors))(*tensors)
        ran = "eager" if True in self._eagerly else "graph"
        if ran != self._mode:
            raise ExecutionMismatch(f"asked for {self._mode}, but the function was run in {ran} mode")
        return value

    def _watched(self, *tensors: Any) -> Any:
        self._eagerly.add(paddle.in_dynamic_mode())
        return self._call(*tensors)

    def _graph(self, tensors: Sequence[Any]) -> Callable[..., Any]:
        if other := [type(argument).__name__ for argument in tensors if not isinstance(argument, Tensor)]:
            raise Unsupported(f"a graph of PaddlePaddle is made for tensors, and takes no {other[0]}")
        key = tuple((tensor.ndim, dtype_name(tensor)) for tensor in tensors)
        if key not in self._graphs:
            self._graphs[key] = graph_of(self._watched, tensors)
        return self._graphs[key]


def upstream_of(inputs: Inputs, value: Tensor) -> Tensor:
    """The upstream gradient, in the dtype of the value."""
    return to_tensor(np.array(inputs.upstream, order="C")).astype(value.dtype)


def with_gradient(call: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with a gradient of its own in place of that of autograd.

    Raises:
        Unsupported: in a graph, which holds no such functions.
    """

    class Own(PyLayer):  # type: ignore[misc]  # a class of no type to mypy
        @staticmethod
        def forward(ctx: Any, *given: Tensor) -> Any:
            ctx.constant = [tensor.stop_gradient for tensor in given]
            ctx.save_for_backward(*given)
            return call(*given)

        @staticmethod
        def backward(ctx: Any, upstream: Tensor) -> Any:
            given = ctx.saved_tensor()
            parts = in_order(gradient(*given, upstream), len(given))
            return tuple(None if constant else part for constant, part in zip(ctx.constant, parts))

    def differentiated(*given: Tensor) -> Any:
        if not paddle.in_dynamic_mode():
            raise Unsupported("a graph of PaddlePaddle holds no function with a gradient of its own")
        return Own.apply(*given)

    return differentiated
