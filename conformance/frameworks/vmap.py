"""The batched mode: a stack of inputs in one call, through the framework's automatic batching. Imports no framework."""

from __future__ import annotations

from dataclasses import replace

from conformance.frameworks.base import Evaluate, Evaluation, ExecutionMismatch
from conformance.numerics.definition import Inputs, Shape
from conformance.numerics.stack import Stack

VMAP = "vmap"
"""The mode. What is prepared in it takes stacks: of all arrays, what goes in and what comes out, the first axis is that of the members."""


class Batched:
    """An evaluation in the batched mode: of a stack, or of one input, as a stack of one."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate

    def __call__(self, inputs: Inputs) -> Evaluation:
        """Value and gradients of one."""
        return member(self.together(Stack.of([inputs])), 0)

    def together(self, stack: Stack) -> Evaluation:
        """Values and gradients of all of them."""
        return self._evaluate(stack.arrays)


def member(evaluation: Evaluation, number: int) -> Evaluation:
    """What came back for one member of a stack."""
    gradients = {name: gradient[number, ...] for name, gradient in evaluation.gradients.items()}
    executed_as = replace(evaluation.executed_as, shape=member_shape(VMAP, evaluation.executed_as.shape))
    return replace(evaluation, value=evaluation.value[number, ...], gradients=gradients, executed_as=executed_as)


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
