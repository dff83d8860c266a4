"""Laws that relate two evaluations bit for bit: swapped, negated, scaled, upstream scaled. No tolerance, and no oracle either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from conformance.checks.context import CheckContext
from conformance.checks.laws.comparing import GRADIENTS, gradients_of, inputs_of, note_missing, same
from conformance.checks.laws.law import law
from conformance.checks.tally import QUANTITIES, QuantityRecord, new_tallies
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
    quantities: tuple[Quantity, ...] = QUANTITIES,
    upstream: int = 0,
) -> Mapping[Quantity, QuantityRecord]:
    """Evaluate inputs and their changed form, and compare. Nothing here may round, underflow or overflow: see ``opposite``.

    Without a change the law is one of a single evaluation.
    """
    tallies = new_tallies(*quantities)
    for drawn in inputs_of(context, opposite, "opposite", upstream=upstream):
        first = context.evaluated(drawn.inputs)
        second = first if change is None else context.evaluated(change(drawn.inputs))
        for quantity, found, wanted in pairs(first, second):
            same(context, tallies, quantity, found, wanted, drawn)
        note_missing(tallies, first)
    return tallies


@law("swap", "(p−t)² and (t−p)² are the same number, so swapping the arguments changes no bit of the value and swaps the gradients.")
def swap(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """d and −d have one square; the gradient of each argument becomes that of the other."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        swapped = dict(zip(GRADIENTS, reversed([a for _, a in gradients_of(first)]), strict=False))
        for quantity, gradient in gradients_of(second):
            yield quantity, gradient, swapped[quantity]

    return _relate(context, lambda i: replace(i, prediction=i.target, target=i.prediction), pairs)


@law("negation", "Negating both arguments negates every difference: the value keeps its bits, the gradients change their sign.")
def negation(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """Rounding to nearest is symmetric, so −d is rounded as d is."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        for (quantity, gradient), (_, wanted) in zip(gradients_of(second), gradients_of(first), strict=True):
            yield quantity, gradient, -wanted

    return _relate(context, lambda i: replace(i, prediction=-i.prediction, target=-i.target), pairs)


@law("scaling", "Doubling both arguments is exact in binary: the value is exactly four times as large, the gradients twice.")
def scaling(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """A power of two moves no rounding, as long as nothing under- or overflows; an absolute floor or a clip is seen at once."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value * first.value.dtype.type(4)
        for (quantity, gradient), (_, wanted) in zip(gradients_of(second), gradients_of(first), strict=True):
            yield quantity, gradient, wanted * wanted.dtype.type(2)

    def doubled(inputs: Inputs) -> Inputs:
        two = inputs.prediction.dtype.type(2)
        return replace(inputs, prediction=inputs.prediction * two, target=inputs.target * two)

    return _relate(context, doubled, pairs)


@law("antisymmetry", "The value depends on p−t alone, so the gradients of the two arguments are opposite, bit for bit.", GRADIENTS)
def antisymmetry(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """∂/∂t = −∂/∂p, within one evaluation, whatever arrives from above."""

    def pairs(first: Evaluation, _second: Evaluation) -> Pairs:
        both = dict(gradients_of(first))
        if len(both) == len(GRADIENTS):
            yield Quantity.GRADIENT_TARGET, both[Quantity.GRADIENT_TARGET], -both[Quantity.GRADIENT_PREDICTION]
            yield Quantity.GRADIENT_PREDICTION, both[Quantity.GRADIENT_PREDICTION], -both[Quantity.GRADIENT_TARGET]

    return _relate(context, None, pairs, GRADIENTS, upstream=2)


@law("linearity", "The gradients are linear in what arrives from above: −2 times as much gives exactly −2 times the gradients.", GRADIENTS)
def linearity(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """A power of two moves no rounding; an upstream gradient that is ignored, clamped, or read without its sign is seen at once."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        for (quantity, gradient), (_, wanted) in zip(gradients_of(second), gradients_of(first), strict=True):
            yield quantity, gradient, wanted * wanted.dtype.type(-2)

    return _relate(context, lambda i: replace(i, upstream=i.upstream * i.upstream.dtype.type(-2)), pairs, GRADIENTS, upstream=1)
