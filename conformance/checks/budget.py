"""How much a check may spend on a target: how many inputs, of which shapes, from which seed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from conformance.numerics.definition import Shape

_SEEDS = 2**31
_STRIDE = 1_000_003
"""Prime and larger than any batch: the inputs of two seeds of a run do not overlap."""


@dataclass(frozen=True)
class Budget:
    """``examples`` Hypothesis draws per bound check, each standing for ``batch`` inputs; ``draws`` inputs of each shape per law.

    ``seed`` moves every generated input; None draws afresh each time.
    """

    examples: int
    batch: int
    draws: int
    """Two at least: some laws compare the first with the last."""
    eager_shapes: tuple[Shape, ...]
    """One at least of two dimensions, and one of so many elements that a division by them, and the root of them, is exact."""
    compiled_shapes: tuple[Shape, ...]
    """Likewise, where the target compiles each shape."""
    growth_sizes: tuple[int, ...]
    lengths: tuple[int, ...] = tuple(range(1, 131))
    """Two vectors of 64 elements and two more: every remainder of every vector width, with and without full vectors before it."""
    pair_stride: int = 1
    """Every how many-th pair of special values is run where each pair is a call of its own."""
    seconds: float = 1.5
    """How long a law may call again and again, which only counts calls."""
    seed: int | None = 0
    compiles_each_shape: bool = False
    """Whether a new shape costs the target a compilation."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes that generated inputs have on this target."""
        return self.compiled_shapes if self.compiles_each_shape else self.eager_shapes

    def seeds(self) -> range:
        """One seed for each of the inputs that a law draws of a shape."""
        first = secrets.randbelow(_SEEDS) if self.seed is None else self.seed * _STRIDE % _SEEDS
        return range(first, first + self.draws)
