"""Which rows of several columns are the same: what is worked out once for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conformance.numerics.decode import Integers

_NARROW = 2**16


def distinct(columns: Sequence[npt.NDArray[np.integer]]) -> tuple[Integers, Integers]:
    """The first place of every distinct row, and for every row, which of them it is like.

    ``columns`` are of one length, at least 1.
    """
    key, kinds = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        codes, count = _coded(column)
        if count > 1:
            key, kinds = _coded(key * count + codes) if kinds > 1 else (codes, count)
    first = np.empty(kinds, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key))[::-1]  # of places that are assigned to twice, NumPy keeps the last
    return first, key


def _coded(column: npt.NDArray[np.integer]) -> tuple[Integers, int]:
    """Each number's position among the different ones, and how many these are; what lies close together need not be sorted."""
    least = int(column.min())
    span = int(column.max()) - least
    if span > max(_NARROW, len(column)):
        values, codes = np.unique(column, return_inverse=True)
        return codes, len(values)
    offset = (column - column.dtype.type(least)).astype(np.int64)
    present = np.zeros(span + 1, dtype=bool)
    present[offset] = True
    return (np.cumsum(present) - 1)[offset], int(present.sum())
