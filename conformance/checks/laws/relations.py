"""Laws that relate two evaluations bit for bit: swapped, negated, scaled, upstream scaled. No tolerance, and no oracle either."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from conformance.checks.context import CheckContext
from conformance.checks.laws.comparing import GRADIENTS, gradients_of, inputs_of, note_missing, same
from conformance.checks.laws.law import law
from conformance.frameworks.base import Evaluation
from conformance.inputs.families import opposite
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array

Pairs = Iterable[tuple[Quantity, Array, Array]]
"""For each quantity of the law: what was found, and the bits it must equal."""


def _relate(
    context: CheckContext,
    change: Callable[[Inputs], Inputs] | None,
    pairs: Callable[[Evaluation, Evaluation], Pairs],
    upstream: int = 0,
) -> None:
    """Evaluate inputs and their changed form, and compare. Nothing here may round, underflow or overflow: see ``opposite``.

    Without a change the law is one of a single evaluation.
    """
    every = inputs_of(context, opposite, "opposite", upstream=upstream)
    for drawn, found_of in context.each((drawn, [drawn.inputs, *([] if change is None else [change(drawn.inputs)])]) for drawn in every):
        first, second = found_of[0], found_of[-1]
        for quantity, found, wanted in pairs(first, second):
            if quantity in context.tallies:
                same(context, quantity, found, wanted, drawn)
        note_missing(context, first)
        for quantity, tally in context.tallies.items():
            if quantity is not Quantity.VALUE and not tally.evaluations and not tally.missing:
                tally.missing = "it has no gradient of the other argument, with which this one is compared"


@law("swap", "(p−t)² and (t−p)² are the same number, so swapping the arguments changes no bit of the value and swaps the gradients.")
def swap(context: CheckContext) -> None:
    """d and −d have one square; the gradient of each argument becomes that of the other."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        before = dict(gradients_of(first))
        for quantity, gradient in gradients_of(second):
            other = GRADIENTS[1 - GRADIENTS.index(quantity)]
            if other in before:
                yield quantity, gradient, before[other]

    _relate(context, lambda i: replace(i, prediction=i.target, target=i.prediction), pairs)


def _times(value: int, gradient: int) -> Callable[[Evaluation, Evaluation], Pairs]:
    """The second value is the first times a number, and so are the gradients, bit for bit."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value * first.value.dtype.type(value)
        for (quantity, found), (_, wanted) in zip(gradients_of(second), gradients_of(first), strict=True):
            yield quantity, found, wanted * wanted.dtype.type(gradient)

    return pairs


@law("negation", "Negating both arguments negates every difference: the value keeps its bits, the gradients change their sign.")
def negation(context: CheckContext) -> None:
    """Rounding to nearest is symmetric, so −d is rounded as d is."""
    _relate(context, lambda i: replace(i, prediction=-i.prediction, target=-i.target), _times(1, -1))


@law("scaling", "Doubling both arguments is exact in binary: the value is exactly four times as large, the gradients twice.")
def scaling(context: CheckContext) -> None:
    """A power of two moves no rounding, as long as nothing under- or overflows; an absolute floor or a clip is seen at once."""

    def doubled(inputs: Inputs) -> Inputs:
        two = inputs.prediction.dtype.type(2)
        return replace(inputs, prediction=inputs.prediction * two, target=inputs.target * two)

    _relate(context, doubled, _times(4, 2))


@law("antisymmetry", "The value depends on p−t alone, so the gradients of the two arguments are opposite, bit for bit.", GRADIENTS)
def antisymmetry(context: CheckContext) -> None:
    """∂/∂t = −∂/∂p, within one evaluation, whatever arrives from above."""

    def pairs(first: Evaluation, _second: Evaluation) -> Pairs:
        both = dict(gradients_of(first))
        if len(both) == len(GRADIENTS):
            yield Quantity.GRADIENT_TARGET, both[Quantity.GRADIENT_TARGET], -both[Quantity.GRADIENT_PREDICTION]
            yield Quantity.GRADIENT_PREDICTION, both[Quantity.GRADIENT_PREDICTION], -both[Quantity.GRADIENT_TARGET]

    _relate(context, None, pairs, upstream=2)


@law("linearity", "The gradients are linear in what arrives from above: −2 times as much gives exactly −2 times the gradients.", GRADIENTS)
def linearity(context: CheckContext) -> None:
    """A power of two moves no rounding; an upstream gradient that is ignored, clamped, or read without its sign is seen at once."""
    _relate(context, lambda i: replace(i, upstream=i.upstream * i.upstream.dtype.type(-2)), _times(1, -2), upstream=1)
