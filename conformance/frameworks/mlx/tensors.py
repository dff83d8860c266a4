"""MLX's arrays, its devices, and host arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np

from conformance.frameworks.base import Device, Unsupported
from conformance.frameworks.helpers import in_order, no_device
from conformance.numerics.formats import BFLOAT16, Array

_DEVICES = {"cpu": mx.cpu, "gpu": mx.gpu}


def devices() -> tuple[Device, ...]:
    """The CPU, which flushes no subnormals, then the GPU where there is one."""
    kind = "metal" if mx.metal.is_available() else "cuda"
    return (Device("cpu", "cpu"), *([Device("gpu", kind)] if mx.is_available(mx.gpu) else ()))


def to_mlx(array: Array) -> mx.array:
    """A host array as MLX's own, which is contiguous; ``float64`` would otherwise become ``float32``, and bfloat16 crosses as bits.

    Raises:
        Unsupported: a stride is negative.
    """
    if any(stride < 0 for stride in array.strides):
        raise Unsupported("MLX makes no arrays of memory with negative strides")
    if array.dtype == BFLOAT16:
        return mx.array(array.view(np.uint16)).view(mx.bfloat16)
    return mx.array(array, dtype=mx.float64) if array.dtype == np.float64 else mx.array(array)


def to_array(array: mx.array) -> Array:
    """An array of MLX as a host array of the same dtype."""
    if array.dtype == mx.bfloat16:
        return np.array(array.view(mx.uint16)).view(BFLOAT16)
    return np.array(array)


def dtype_name(array: mx.array) -> str:
    """The name a dtype has in every framework: ``float32`` for ``mlx.core.float32``."""
    return str(array.dtype).removeprefix("mlx.core.")


def is_traced(array: mx.array) -> bool:
    """Whether it stands for the input of a program that is being compiled: MLX does not evaluate those, and says so."""
    try:
        mx.eval(array)
    except ValueError:
        return True
    return False


@contextmanager
def running_on(device: str) -> Iterator[None]:
    """Run on a device what names none. MLX's arrays belong to no device: operations do, by the stream that they are given.

    Raises:
        Unsupported: MLX sees no such device.
    """
    if device not in (names := [known.name for known in devices()]):
        raise no_device("mlx", device, names)
    with mx.stream(_DEVICES[device]):
        yield


def place() -> str:
    """The device on which operations run now, as the suite names it."""
    return "cpu" if mx.default_device().type == mx.cpu else "gpu"


def with_gradient(call: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with a gradient of its own in place of that of MLX, which knows no missing one: it is zero."""
    own: Any = mx.custom_function(call)

    @own.vjp  # type: ignore[untyped-decorator]  # MLX has no types here
    def _(given: tuple[mx.array, ...], upstream: mx.array, value: mx.array) -> tuple[mx.array, ...]:  # noqa: ARG001 - MLX hands it over
        parts = in_order(gradient(*given, upstream), len(given))
        return tuple(mx.zeros_like(array) if part is None else part for array, part in zip(given, parts))

    differentiated: Callable[..., Any] = own
    return differentiated
