"""CuPy's arrays and host arrays."""

from __future__ import annotations

from typing import Any

import cupy

from conformance.frameworks.base import Unsupported
from conformance.numerics.formats import Array


def to_cupy(array: Array) -> Any:
    """A host array on the current device, contiguous.

    Raises:
        Unsupported: CuPy has no such dtype.
    """
    if array.dtype.kind not in "biufc":
        raise Unsupported(f"CuPy has no dtype {array.dtype.name}")
    return cupy.asarray(array)


def place(array: Any) -> str:
    """The device of an array, as the suite names it."""
    return f"cuda:{array.device.id}"
