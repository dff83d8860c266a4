"""Comparing bits with bits: what laws without a tolerance share. No oracle is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.checks.context import CheckContext, fitting, in_domain, takes
from conformance.checks.tally import Observation
from conformance.frameworks.base import Evaluation
from conformance.inputs.families import Descriptor, InputFamily, exact_data, make_stack
from conformance.numerics.definition import Definition, Divisor, Inputs, Quantity, Shape
from conformance.numerics.exact.number import is_power_of_two
from conformance.numerics.formats import FORMATS, Array

_EXACT = (4, 8)
"""Where a profile has no shape on which an operation is exact: of two axes, and all its counts are powers of two."""
GRADIENTS = (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)


@dataclass(frozen=True)
class Drawn:
    """Inputs of a family, and the words from which they can be made again."""

    inputs: Inputs
    recipe: str


def draw(context: CheckContext, family: InputFamily, name: str, shape: Shape, seed: int, *, spread: int = 0, upstream: int = 0) -> Drawn:
    """The inputs of one descriptor, in the target's dtype."""
    descriptor = Descriptor(seed, shape, spread, upstream)
    drawn = make_stack(family, descriptor, 1, context.operation.definition, context.exact_format.name)
    return Drawn(drawn.astype(FORMATS[context.target.dtype].dtype).member(0), descriptor.recipe(name, 0, 1))


def inputs_of(context: CheckContext, family: InputFamily, name: str, *, spread: int = 0, upstream: int = 0) -> Iterator[Drawn]:
    """Inputs of a family, of every shape and seed of the budget."""
    for shape in fitting(context):
        for seed in context.seeds():
            yield draw(context, family, name, shape, seed, spread=spread, upstream=upstream)


def all_exact_inputs(context: CheckContext, *, upstream: int = 0) -> Iterator[Drawn]:
    """Inputs for which nothing rounds, of every shape and seed of the budget."""
    for shape in exact_shapes(context):
        for seed in context.seeds():
            yield exact_inputs(context, shape, seed, upstream=upstream)


def exact_inputs(context: CheckContext, shape: Shape, seed: int, *, upstream: int = 0) -> Drawn:
    """Inputs for which nothing rounds, in any order; ``upstream`` is 1 for powers of two in place of ones."""
    return draw(context, exact_data, "exact-data", shape, seed, spread=2, upstream=upstream)


def exact_shapes(context: CheckContext) -> list[Shape]:
    """The profile's shapes on which exact data stays exact: what is divided by is a power of two.

    A gradient of weights that divide holds the value beside single squares: where a format cannot count the elements, one of them rounds.
    A domain of few shapes may have none.
    """
    definition = context.operation.definition
    shapes = fitting(context)
    if definition.divisor is Divisor.WEIGHTS and not definition.masked:
        shapes = [shape for shape in shapes if math.prod(shape) <= 2**context.exact_format.precision]
    fitted = [shape for shape in shapes if all(is_power_of_two(Fraction(n)) for n in _divides(definition, shape))]
    return fitted or [shape for shape in [in_domain(context, _EXACT)] if takes(context, shape)]


def _divides(definition: Definition, shape: Shape) -> list[int]:
    """What is divided by, whatever the weights are; exact weights see to what they decide themselves."""
    row = [math.prod(shape[1:])] if definition.by_sample else []
    match definition.divisor:
        case Divisor.COUNT:
            return [*row, definition.summands(shape)]
        case Divisor.LAST_AXIS:
            return [*row, shape[-1]]
        case _:
            return row


def same(
    context: CheckContext,
    quantity: Quantity,
    found: Array,
    wanted: Array,
    drawn: Drawn,
    where: str = "",
) -> None:
    """Count one comparison: ``found`` must equal ``wanted`` element by element; ``where`` says in words what was done."""
    context.tallies[quantity].evaluations += 1
    after, at, place = f" {where}" if where else "", 0, ""
    if found.shape != wanted.shape:
        seen, due, expected = f"shape {found.shape}", f"shape {wanted.shape}", f"shape {wanted.shape}"
    else:
        differs = np.flatnonzero(found.astype(np.float64).ravel() != wanted.astype(np.float64).ravel())
        if not differs.size:
            return
        at = int(differs[0])
        seen, due = repr(float(found.ravel()[at])), repr(float(wanted.ravel()[at]))
        expected = f"the bits of {due}"
        place = f" at element {at} of {found.size}" if found.size > 1 else ""
    summands = context.operation.definition.summands(drawn.inputs.shape)
    seen_here = Observation(drawn.inputs, summands, None, found, at, drawn.recipe, seen, due)
    context.tallies[quantity].fail(f"{quantity}{place}{after}: found {seen}, expected {expected}", seen_here)


def same_evaluation(context: CheckContext, found: Evaluation, wanted: Evaluation, drawn: Drawn, where: str = "") -> None:
    """Compare value and gradients of two evaluations, as far as the check asks for them."""
    if Quantity.VALUE in context.tallies:
        same(context, Quantity.VALUE, found.value, wanted.value, drawn, where)
    note_missing(context, found)
    for quantity, gradient in gradients_of(found):
        if quantity in context.tallies and quantity.value in wanted.gradients:
            same(context, quantity, gradient, wanted.gradients[quantity.value], drawn, where)


def gradients_of(evaluation: Evaluation) -> Iterable[tuple[Quantity, Array]]:
    """The gradients that came back."""
    return [(q, evaluation.gradients[q.value]) for q in GRADIENTS if q.value in evaluation.gradients]


def note_missing(context: CheckContext, evaluation: Evaluation) -> None:
    """Say of each gradient that did not come back why it did not."""
    for quantity in (*GRADIENTS, Quantity.GRADIENT_WEIGHT):
        if quantity in context.tallies and quantity.value not in evaluation.gradients:
            context.tallies[quantity].missing = evaluation.why_no_gradient
