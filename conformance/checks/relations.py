"""Laws that relate two evaluations bit for bit: swapped, negated, scaled, repeated. No tolerance, and no oracle either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from conformance.checks.bounds import with_last_axis
from conformance.checks.laws import law
from conformance.checks.trial import QUANTITIES, Sight, Tally, Trial
from conformance.frameworks.base import Evaluation
from conformance.inputs.families import Descriptor, make, opposite
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array

Pairs = Iterable[tuple[Quantity, Array, Array]]
"""For each quantity of the law: what was found, and the bits it must equal."""

_GRADIENTS = (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)


def _relate(trial: Trial, change: Callable[[Inputs], Inputs], pairs: Callable[[Evaluation, Evaluation], Pairs]) -> Mapping[Quantity, Tally]:
    """Evaluate inputs and their changed form, and compare. Nothing here may round, underflow or overflow: see ``opposite``."""
    tallies = {quantity: Tally() for quantity in QUANTITIES}
    definition = trial.operation.definition
    for shape in with_last_axis(trial.profile.shapes_for(trial.target), definition.over):
        for seed in trial.profile.seeds():
            descriptor = Descriptor(seed, shape, 0, 0)
            inputs = make(opposite, descriptor, 0, definition, trial.target.dtype)
            first, second = trial.attested(inputs), trial.attested(change(inputs))
            for quantity, found, wanted in pairs(first, second):
                tally = tallies[quantity]
                tally.evaluations += 2
                differs = np.flatnonzero(found.astype(np.float64).ravel() != wanted.astype(np.float64).ravel())
                if differs.size:
                    at = int(differs[0])
                    seen, due = repr(float(found.ravel()[at])), repr(float(wanted.ravel()[at]))
                    sight = Sight(inputs, definition.summands(shape), None, found, at, descriptor.recipe("opposite", 0), seen, due)
                    tally.fail(f"{quantity} at element {at} of {found.size}: found {seen}, expected the bits of {due}", sight)
            missing = [q for q in _GRADIENTS if q.value not in first.gradients]
            for quantity in missing:
                tallies[quantity].missing = first.no_gradient or "the implementation returned no such gradient"
    return tallies


def _gradients(evaluation: Evaluation) -> Iterable[tuple[Quantity, Array]]:
    return [(q, evaluation.gradients[q.value]) for q in _GRADIENTS if q.value in evaluation.gradients]


@law("swap", "(p−t)² and (t−p)² are the same number, so swapping the arguments changes no bit of the value and swaps the gradients.")
def swap(trial: Trial) -> Mapping[Quantity, Tally]:
    """d and −d have one square; the gradient of each argument becomes that of the other."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        swapped = dict(zip(_GRADIENTS, reversed([a for _, a in _gradients(first)]), strict=False))
        for quantity, gradient in _gradients(second):
            yield quantity, gradient, swapped[quantity]

    return _relate(trial, lambda i: replace(i, prediction=i.target, target=i.prediction), pairs)


@law("negation", "Negating both arguments negates every difference: the value keeps its bits, the gradients change their sign.")
def negation(trial: Trial) -> Mapping[Quantity, Tally]:
    """Rounding to nearest is symmetric, so −d is rounded as d is."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        for (quantity, gradient), (_, wanted) in zip(_gradients(second), _gradients(first), strict=True):
            yield quantity, gradient, -wanted

    return _relate(trial, lambda i: replace(i, prediction=-i.prediction, target=-i.target), pairs)


@law("scaling", "Doubling both arguments is exact in binary: the value is exactly four times as large, the gradients twice.")
def scaling(trial: Trial) -> Mapping[Quantity, Tally]:
    """A power of two moves no rounding, as long as nothing under- or overflows; an absolute floor or a clip is seen at once."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value * first.value.dtype.type(4)
        for (quantity, gradient), (_, wanted) in zip(_gradients(second), _gradients(first), strict=True):
            yield quantity, gradient, wanted * wanted.dtype.type(2)

    def doubled(inputs: Inputs) -> Inputs:
        two = inputs.prediction.dtype.type(2)
        return replace(inputs, prediction=inputs.prediction * two, target=inputs.target * two)

    return _relate(trial, doubled, pairs)


@law("antisymmetry", "The value depends on p−t alone, so the gradients of the two arguments are opposite, bit for bit.", _GRADIENTS)
def antisymmetry(trial: Trial) -> Mapping[Quantity, Tally]:
    """∂/∂t = −∂/∂p."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:  # noqa: ARG001 - a relation within one evaluation
        both = dict(_gradients(first))
        if len(both) == len(_GRADIENTS):
            yield Quantity.GRADIENT_TARGET, both[Quantity.GRADIENT_TARGET], -both[Quantity.GRADIENT_PREDICTION]
            yield Quantity.GRADIENT_PREDICTION, both[Quantity.GRADIENT_PREDICTION], -both[Quantity.GRADIENT_TARGET]

    tallies = _relate(trial, lambda i: i, pairs)
    return {quantity: tallies[quantity] for quantity in _GRADIENTS}


@law("repetition", "The same call gives the same bits the second time: a loss that remembers is not a function.")
def repetition(trial: Trial) -> Mapping[Quantity, Tally]:
    """On inputs that have been evaluated once, and after others."""

    def pairs(first: Evaluation, second: Evaluation) -> Pairs:
        yield Quantity.VALUE, second.value, first.value
        for (quantity, gradient), (_, wanted) in zip(_gradients(second), _gradients(first), strict=True):
            yield quantity, gradient, wanted

    return _relate(trial, lambda i: i, pairs)


RELATIONS = (swap, negation, scaling, antisymmetry, repetition)
"""Laws of two evaluations."""
