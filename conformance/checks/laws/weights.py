"""Laws of weights, masks and roots: what a weight of zero, twice the weight, or its negation does to every quantity, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from conformance.checks.context import CheckContext, fitting
from conformance.checks.laws.comparing import Drawn, all_exact_inputs, draw, exact_inputs, exact_shapes, note_missing, same
from conformance.checks.laws.law import law
from conformance.checks.tally import ALL_QUANTITIES
from conformance.inputs.families import opposite
from conformance.numerics.definition import Divisor, Inputs, Quantity
from conformance.numerics.exact.decode import fractions
from conformance.numerics.formats import FORMATS, Array

Expected = Callable[[Quantity, Array], Array]
"""From the quantity of the first evaluation to the bits that the second one must have."""


def _related(context: CheckContext, change: Callable[[Array], Array], expected: Expected, where: str) -> None:
    """Exact data, and the same with changed weights: nothing rounds in either evaluation."""

    def pairs() -> Iterator[tuple[Drawn, list[Inputs]]]:
        for drawn in all_exact_inputs(context):
            assert drawn.inputs.weight is not None, "the law is one of weights"
            if drawn.inputs.weight.astype(np.float64).any():
                yield drawn, [drawn.inputs, replace(drawn.inputs, weight=change(drawn.inputs.weight))]

    for drawn, (first, second) in context.each(pairs()):
        note_missing(context, first)
        for quantity in context.tallies:
            if (found := second.of(quantity)) is not None and (before := first.of(quantity)) is not None:
                same(context, quantity, found, expected(quantity, before), drawn, where)


@law(
    "weight-scaling",
    "Weights that are all smaller by a power of two make a value smaller by the same power, or keep its bits where they divide too.",
    ALL_QUANTITIES,
)
def weight_scaling(context: CheckContext) -> None:
    """By a power that uses up a third of the exponents: a small number that is added to the divisor, or a least divisor, is seen."""
    fmt = FORMATS[context.target.dtype]
    power = np.asarray(np.ldexp(1.0, -(context.exact_format.emax // 3))).astype(fmt.dtype)
    degree = 0 if context.operation.definition.divisor is Divisor.WEIGHTS else 1

    def expected(quantity: Quantity, before: Array) -> Array:
        exponent = degree - (quantity is Quantity.GRADIENT_WEIGHT)
        return np.asarray(before.astype(np.float64) * float(power) ** exponent)

    _related(context, lambda weight: weight * power, expected, "with all weights scaled by a power of two")


@law(
    "weight-negation",
    "Negated weights negate the value and its gradients, or keep their bits where the weights divide too.",
    ALL_QUANTITIES,
)
def weight_negation(context: CheckContext) -> None:
    """A weight's magnitude, or its clipping at zero, is seen."""
    degree = 0 if context.operation.definition.divisor is Divisor.WEIGHTS else 1

    def expected(quantity: Quantity, before: Array) -> Array:
        odd = (degree - (quantity is Quantity.GRADIENT_WEIGHT)) % 2
        return -before if odd else before

    _related(context, lambda weight: -weight, expected, "with all weights negated")


@law(
    "weight-homogeneity",
    "The value is homogeneous in the weights: they times their gradients sum to the value, or to 0 where they divide too (Euler).",
    (Quantity.GRADIENT_WEIGHT,),
)
def weight_homogeneity(context: CheckContext) -> None:
    """Ties the gradient of the weights to the value of the same call."""
    tally = context.tallies[Quantity.GRADIENT_WEIGHT]
    divides = context.operation.definition.divisor is Divisor.WEIGHTS
    for drawn, (evaluation,) in context.each((drawn, [drawn.inputs]) for drawn in all_exact_inputs(context)):
        gradient, weight = evaluation.of(Quantity.GRADIENT_WEIGHT), drawn.inputs.weight
        if gradient is None or weight is None:
            tally.missing = evaluation.why_no_gradient
            continue
        terms = zip(fractions(weight), fractions(gradient), strict=True)
        product = np.asarray(float(sum(Fraction(w) * Fraction(g) for w, g in terms)))
        wanted = np.asarray(0.0 if divides else evaluation.value.astype(np.float64).sum())
        same(context, Quantity.GRADIENT_WEIGHT, product, wanted, drawn, "times the weights, in sum")


@law(
    "zero-weight",
    "What has no weight, or is masked out, has no influence: another number in its place changes no bit of anything else.",
    ALL_QUANTITIES,
)
def zero_weight(context: CheckContext) -> None:
    """One weight is set to zero, and the prediction that it belongs to is changed; its own gradient is zero both times."""
    for (drawn, out), (first, second) in context.each(_without_one(context)):
        note_missing(context, first)
        for quantity in context.tallies:
            before, after = first.of(quantity), second.of(quantity)
            if before is None or after is None:
                continue
            if quantity is Quantity.GRADIENT_WEIGHT:
                before, after = (np.where(out, np.zeros((), array.dtype), array) for array in (before, after))
            same(context, quantity, after, before, drawn, "after a change of what has no weight")


def _without_one(context: CheckContext) -> Iterator[tuple[tuple[Drawn, Array], list[Inputs]]]:
    """What was drawn and which weight was taken away; the inputs without it, and those with another prediction there."""
    for shape in fitting(context):
        for seed in context.seeds():
            drawn = draw(context, opposite, "opposite", shape, seed)
            weight = drawn.inputs.weight
            assert weight is not None, "the law is one of weights"
            if weight.size < 2:
                continue
            out = np.zeros(weight.shape, bool)
            out.reshape(-1)[seed % weight.size] = True
            # The others have a weight, whatever was drawn. Zero is one of its dtype: the oldest ml_dtypes promotes no integer to bfloat16.
            none, some = np.zeros((), weight.dtype), np.ones((), weight.dtype)
            without = np.where(out, none, np.where(weight.astype(np.float64) == 0, some, weight))
            elements = np.broadcast_to(out.reshape(out.shape + (1,) * (len(shape) - out.ndim)), shape)
            first = replace(drawn.inputs, weight=without)
            second = replace(first, prediction=np.where(elements, first.prediction * first.prediction.dtype.type(-2), first.prediction))
            yield (drawn, out), [first, second]


@law(
    "whole-roots",
    "A mean that is the square of a whole number has that number as its root, exactly: a root is rounded once.",
    (Quantity.VALUE,),
)
def whole_roots(context: CheckContext) -> None:
    """Residuals of one magnitude and any sign, on counts whose root is exact as well: ‖p − t‖/√N is right too."""
    fmt, definition = FORMATS[context.target.dtype], context.operation.definition
    for shape in exact_shapes(context):
        if math.isqrt(definition.summands(shape)) ** 2 != definition.summands(shape):
            continue
        for seed in context.seeds():
            rng = np.random.default_rng([seed, 3])
            most = math.isqrt(2**context.exact_format.precision // max(definition.summands(shape), 1))  # no partial sum rounds
            magnitude = float(rng.integers(1, most + 1))
            drawn = exact_inputs(context, shape, seed)
            residuals = (rng.choice([-1.0, 1.0], shape) * magnitude).astype(fmt.dtype)
            inputs = replace(drawn.inputs, prediction=residuals, target=np.zeros_like(residuals))
            wanted = np.full(definition.value_shape(shape), magnitude)
            seen = Drawn(inputs, f"residuals=±{magnitude:g} {drawn.recipe}")
            same(context, Quantity.VALUE, context.evaluated(inputs).value, wanted, seen)
