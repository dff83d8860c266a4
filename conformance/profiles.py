"""How much a run does: sizes, shapes and numbers of examples, per profile."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.numerics.definition import Shape

COMPILED_MODES = frozenset({"compile", "jit", "graph", "xla"})
"""Modes in which a new shape costs a compilation."""


@dataclass(frozen=True)
class Profile:
    """``examples`` Hypothesis draws per bound check, each standing for ``batch`` evaluations."""

    name: str
    examples: int
    batch: int
    shapes: tuple[Shape, ...]
    compiled_shapes: tuple[Shape, ...]
    growth_sizes: tuple[int, ...]
    timeout: float
    deterministic: bool = True

    def shapes_for(self, mode: str) -> tuple[Shape, ...]:
        """The shapes that generated inputs have in this mode."""
        return self.compiled_shapes if mode in COMPILED_MODES else self.shapes


_SHAPES: tuple[Shape, ...] = ((1,), (2,), (3,), (7,), (16,), (33,), (64,), (3, 5), (4, 8), (2, 3, 4), (100,), (2, 1, 3, 2))
_COMPILED: tuple[Shape, ...] = ((3,), (64,), (5, 7))

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", 6, 4, _SHAPES, _COMPILED, (10, 1_000, 100_000, 1_000_000), 120.0),
        Profile("full", 20, 8, (*_SHAPES, (257,), (1000,)), (*_COMPILED, (33,), (2, 3, 4)), (10, 100, 1_000, 10_000, 100_000, 1_000_000), 300.0),
        Profile(
            "deep", 200, 16, (*_SHAPES, (257,), (1000,), (4096,)), (*_COMPILED, (33,), (2, 3, 4), (1000,)),
            (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000), 900.0, deterministic=False,
        ),  # fmt: skip
    )
}
