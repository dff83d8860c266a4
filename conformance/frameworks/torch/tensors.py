"""PyTorch's tensors and host arrays, apart from the adapter: it imports the compiler, which takes long, and replicas need none."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.frameworks.base import Unsupported
from conformance.frameworks.helpers import in_order
from conformance.numerics.formats import BFLOAT16, Array

is_compiling: Callable[[], bool] = torch.compiler.is_compiling if hasattr(torch, "compiler") else lambda: False
"""Whether this is inside of what ``torch.compile`` captures, where it is the constant True; in versions without it never."""


def to_tensor(array: Array, device: str) -> Tensor:
    """A host array on a device; bfloat16, which NumPy knows only by extension, crosses as bits.

    Raises:
        Unsupported: a stride is negative.
    """
    if any(stride < 0 for stride in array.strides):
        raise Unsupported("PyTorch has no tensors with negative strides")
    extension = array.dtype == BFLOAT16
    with nullcontext() if array.flags.writeable else warnings.catch_warnings():
        if not array.flags.writeable:  # torch knows no protected tensors, and says so
            warnings.simplefilter("ignore", UserWarning)
        tensor = torch.from_numpy(array.view(np.int16) if extension else array)
    return (tensor.view(torch.bfloat16) if extension else tensor).to(device)


def to_array(tensor: Tensor) -> Array:
    """A tensor as a host array of the same dtype."""
    host = tensor.detach().cpu()
    extension = host.dtype == torch.bfloat16
    array: Array = (host.view(torch.int16) if extension else host).numpy()
    return array.view(BFLOAT16) if extension else array


@contextmanager
def refusing_what_lacks_a_kernel() -> Iterator[None]:
    """What PyTorch, or gloo below it, has not implemented for a dtype is unsupported.

    Raises:
        Unsupported: with what it says.
    """
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        if any(said in str(error) for said in _NO_KERNEL):
            raise Unsupported(str(error).splitlines()[0]) from error
        raise


_NO_KERNEL = ("not implemented for", "Invalid scalar type")
"""How they say it."""


def dtype_name(tensor: Tensor) -> str:
    """The name a dtype has in every framework: ``float32`` for ``torch.float32``."""
    return str(tensor.dtype).removeprefix("torch.")


def place(tensor: Tensor) -> str:
    """The device of a tensor, as the suite names it too."""
    return str(tensor.device)


def with_gradient(call: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with a gradient of its own in place of that of autograd."""

    class Own(torch.autograd.Function):  # type: ignore[misc]  # a class of no type to mypy
        @staticmethod
        def forward(ctx: Any, *given: Tensor) -> Any:
            ctx.save_for_backward(*given)
            return call(*given)

        @staticmethod
        def backward(ctx: Any, upstream: Tensor) -> Any:
            return in_order(gradient(*ctx.saved_tensors, upstream), len(ctx.saved_tensors))

    applied: Callable[..., Any] = Own.apply
    return applied
