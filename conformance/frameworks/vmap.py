"""The batched mode: a stack of inputs in one call, through the framework's automatic batching. Imports no framework."""

from __future__ import annotations

from conformance.frameworks.base import ExecutionMismatch
from conformance.numerics.definition import Inputs, Shape

VMAP = "vmap"
"""The mode. What is prepared in it takes stacks: of all arrays, what goes in and what comes out, the first axis is that of the members."""


def member_shape(mode: str, shape: Shape) -> Shape:
    """What of a shape is a member's: all of it, except in the batched mode."""
    return shape[1:] if mode == VMAP else shape


def require_batched(seen: list[Shape], stack: Inputs) -> None:
    """Refuse to attest a batch that was not one: the implementation is called once, with arrays of a single member.

    Raises:
        ExecutionMismatch: it was called again and again, or with the whole stack.
    """
    wanted = member_shape(VMAP, stack.shape)
    if seen != [wanted]:
        found = f"called {len(seen)} times" if len(seen) != 1 else f"called with arrays of shape {seen[0]}"
        raise ExecutionMismatch(f"asked for vmap, but the implementation was {found}, expected once with arrays of shape {wanted}")
