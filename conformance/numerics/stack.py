"""Inputs of one shape in one piece of memory: a stack of them, and its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array


@dataclass(frozen=True, eq=False)
class Stack:
    """``arrays`` holds what all members have: the first axis of each array is that of the members, the others are theirs."""

    arrays: Inputs

    @classmethod
    def of(cls, members: Sequence[Inputs]) -> Stack:
        """Inputs of one shape as a stack; of one alone it is a view."""
        weight = None if members[0].weight is None else _together([one.weight for one in members if one.weight is not None])
        prediction, target, upstream = (_together([part(one) for one in members]) for part in _PARTS)
        return cls(Inputs(prediction, target, weight, upstream, members[0].read_only))

    def astype(self, dtype: np.dtype[Any]) -> Stack:
        """The same numbers in another dtype, which holds them all."""
        if self.arrays.prediction.dtype == dtype:
            return self
        weight = None if self.arrays.weight is None else self.arrays.weight.astype(dtype)
        prediction, target, upstream = (part(self.arrays).astype(dtype) for part in _PARTS)
        return Stack(Inputs(prediction, target, weight, upstream, self.arrays.read_only))

    def __len__(self) -> int:
        """How many members there are."""
        return len(self.arrays.prediction)

    def member(self, number: int) -> Inputs:
        """One of them, a view."""
        return self._at((number, ...))

    def part(self, members: slice) -> Stack:
        """Some of them, a view."""
        return Stack(self._at((members,)))

    def _at(self, index: tuple[Any, ...]) -> Inputs:
        arrays = self.arrays
        weight = None if arrays.weight is None else arrays.weight[index]
        return Inputs(arrays.prediction[index], arrays.target[index], weight, arrays.upstream[index], arrays.read_only)


_PARTS: tuple[Callable[[Inputs], Array], ...] = (lambda i: i.prediction, lambda i: i.target, lambda i: i.upstream)


def _together(arrays: Sequence[Array]) -> Array:
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
