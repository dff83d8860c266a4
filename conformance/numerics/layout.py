"""How the elements of an array lie in memory: their span, which can be sent elsewhere, and the same layout made of it again."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from conformance.numerics.formats import Array

ALIGNMENT = 64
"""Bytes: the widest vector of today's processors, and a multiple of every element's size."""
RED_ZONE = 256
"""Bytes on each side of an array: four of the widest vectors."""
_NAN = 0xFF
"""Bytes of which every floating format makes NaN."""


@dataclass(frozen=True, eq=False)
class Span:
    """All bytes from the first to the last element of an array, and where in them its elements are.

    ``offset`` in ``memory`` is that of the first element, ``strides`` are in bytes, ``shift`` is the address of the memory modulo
    :data:`ALIGNMENT`. ``strides`` is None where the array is contiguous in C order and aligned.
    """

    memory: Array
    strides: tuple[int, ...] | None = None
    offset: int = 0
    shift: int = 0

    @classmethod
    def of(cls, array: Array) -> Span:
        """The span of an array, a view where that is possible."""
        if (array.flags.c_contiguous and array.flags.aligned) or not array.size:
            return cls(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        address = array.ctypes.data
        reach = [(length - 1) * stride for length, stride in zip(array.shape, array.strides)]
        lowest = address + sum(span for span in reach if span < 0)
        length = sum(abs(span) for span in reach) + array.itemsize
        memory: Array = np.frombuffer((ctypes.c_char * length).from_address(lowest), np.uint8)
        return cls(memory, array.strides, address - lowest, lowest % ALIGNMENT)

    def laid_out(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        """A new array with these elements in this layout; memory that it shares within itself stays shared. It may be written to.

        It lies between red zones: whoever reads beyond its ends finds NaN, in every floating format.
        """
        length = len(self.memory)
        copy = np.empty(length + 2 * RED_ZONE + ALIGNMENT, np.uint8)
        start = RED_ZONE + (self.shift - copy.ctypes.data - RED_ZONE) % ALIGNMENT
        copy[:start] = copy[start + length :] = _NAN
        copy[start : start + length] = self.memory
        return np.ndarray(shape, dtype, copy, start + self.offset, self.strides)


def same_layout(array: Array) -> Array:
    """A copy with the strides and the alignment of ``array``; memory that it shares within itself stays shared. It may be written to."""
    return Span.of(array).laid_out(array.shape, array.dtype)
