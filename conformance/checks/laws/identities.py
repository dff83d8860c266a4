"""Identities that define a sum of squares. Where the data is exact they hold bit for bit, in any order of evaluation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from conformance.checks.context import CheckContext
from conformance.checks.laws.comparing import (
    GRADIENTS,
    Drawn,
    all_exact_inputs,
    exact_inputs,
    exact_shapes,
    gradients_of,
    inputs_of,
    note_missing,
    same,
)
from conformance.checks.laws.law import law
from conformance.checks.tally import Observation
from conformance.frameworks.base import Unsupported
from conformance.inputs.families import extremes, wide_exponents
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity
from conformance.numerics.exact.number import is_power_of_two
from conformance.numerics.formats import FORMATS, Array


def _total(definition: Definition, value: Array, inputs: Inputs) -> Array:
    """What a value says the sum of all squares is; exact on exact data."""
    divisors = {Divisor.COUNT: definition.summands(inputs.shape), Divisor.LAST_AXIS: inputs.shape[-1] if inputs.shape else 1}
    divisor = divisors.get(definition.divisor, 1)
    return np.asarray(value.astype(np.float64).sum() * divisor / float(definition.factor))


@law(
    "euler",
    "A sum of squares is homogeneous of degree two: the differences times the gradient sum to exactly twice the value (Euler).",
    GRADIENTS,
)
def euler(context: CheckContext) -> None:
    """Ties the gradient to the value of the same call, whatever both should have been."""
    for drawn, (evaluation,) in context.each((drawn, [drawn.inputs]) for drawn in all_exact_inputs(context)):
        note_missing(context, evaluation)
        difference = drawn.inputs.prediction.astype(np.float64) - drawn.inputs.target.astype(np.float64)
        twice = np.asarray(2 * evaluation.value.astype(np.float64).sum())
        for quantity, gradient in gradients_of(evaluation):
            sign = 1 if quantity is Quantity.GRADIENT_PREDICTION else -1
            product = np.asarray(sign * (difference * gradient.astype(np.float64)).sum())
            same(context, quantity, product, twice, drawn, "times the differences, in sum")


@law("equality", "Equal inputs have a loss of exactly +0 and a gradient of exactly 0, be they tiny or huge.")
def equality(context: CheckContext) -> None:
    """Over the whole range of the format, where the interval alone would let an underflow through; an added epsilon is seen."""
    every = inputs_of(context, wide_exponents, "wide-exponents", spread=8)
    equals = (Drawn(replace(d.inputs, target=d.inputs.prediction.copy()), f"target=prediction {d.recipe}") for d in every)
    for equal, (evaluation,) in context.each((equal, [equal.inputs]) for equal in equals):
        note_missing(context, evaluation)
        value = evaluation.value
        if equal.inputs.weight is None:  # a negative weight makes a negative zero
            signs = np.copysign(1, value.astype(np.float64))
            same(context, Quantity.VALUE, signs, np.ones(value.shape), equal, "in its sign")
        for quantity, found in ((Quantity.VALUE, value), *gradients_of(evaluation)):
            same(context, quantity, found, np.zeros_like(found), equal, "of equal inputs")


@law(
    "sign",
    "A sum of squares of finite numbers is a real number, never negative and never NaN, up to the ends of the range.",
    (Quantity.VALUE,),
)
def sign(context: CheckContext) -> None:
    """Zeros, subnormals and the largest numbers; what they sum to may be infinite."""
    every = (drawn for drawn in inputs_of(context, extremes, "extremes", spread=5) if drawn.inputs.prediction.size)
    for drawn, (evaluation,) in context.each((drawn, [drawn.inputs]) for drawn in every):
        value = evaluation.value
        wrong = np.isnan(value.astype(np.float64)) | np.signbit(value.astype(np.float64))
        context.tallies[Quantity.VALUE].evaluations += 1
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            seen = repr(float(value.ravel()[at]))
            summands = context.operation.definition.summands(drawn.inputs.shape)
            observation = Observation(drawn.inputs, summands, None, value, at, drawn.recipe, seen, "zero, a positive number or inf")
            context.tallies[Quantity.VALUE].fail(
                f"value at element {at} of {value.size}: found {seen}, expected no negative number and no nan", observation
            )


@law(
    "permutation",
    "Where nothing rounds, the order of the elements changes no bit of the value, and the gradients are reordered as they are.",
)
def permutation(context: CheckContext) -> None:
    """Each axis is shuffled by itself, so that rows stay rows: also what depends on a row's place in the batch is seen."""

    def shuffled(array: Array) -> Array:
        """The leading axes that the array has: a value has the first ones of its inputs."""
        rng = np.random.default_rng([context.seeds()[0], 2])
        for axis, length in enumerate(array.shape):
            array = np.take(array, rng.permutation(length), axis=axis)
        return array

    def moved(whole: Inputs) -> Inputs:
        weight = None if whole.weight is None else shuffled(whole.weight)
        return Inputs(shuffled(whole.prediction), shuffled(whole.target), weight, shuffled(whole.upstream))

    every = (exact_inputs(context, shape, context.seeds()[0], upstream=1) for shape in exact_shapes(context))
    for drawn, (first, second) in context.each((drawn, [drawn.inputs, moved(drawn.inputs)]) for drawn in every):
        note_missing(context, first)
        same(context, Quantity.VALUE, second.value, shuffled(first.value), drawn, "of shuffled inputs")
        for (quantity, found), (_, wanted) in zip(gradients_of(second), gradients_of(first), strict=True):
            same(context, quantity, found, shuffled(wanted), drawn, "of shuffled inputs")


@law(
    "concatenation",
    "The whole is what its two halves make together: their sum, their mean, or one beside the other.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    supports_vmap=True,
)
def concatenation(context: CheckContext) -> None:
    """Cut along the first axis; a row's result must not depend on the rows that are evaluated with it."""
    definition = context.operation.definition

    def parts(inputs: Inputs) -> list[Inputs]:
        half = len(inputs.prediction) // 2
        return [_rows(definition, inputs, rows) for rows in (slice(0, half), slice(half, None))]

    every = (exact_inputs(context, shape, context.seeds()[0]) for shape in exact_shapes(context) if shape and shape[0] % 2 == 0)
    for drawn, evaluations in context.each((drawn, [*parts(drawn.inputs), drawn.inputs]) for drawn in every):
        *values, whole = (evaluation.value for evaluation in evaluations)
        shape = drawn.inputs.shape
        if definition.value_shape(shape)[:1] == shape[:1]:
            together = np.concatenate([value.astype(np.float64) for value in values])
        else:
            together = np.asarray(sum(value.astype(np.float64) for value in values)) / (2 if definition.divisor is Divisor.COUNT else 1)
        same(context, Quantity.VALUE, whole, together, drawn, "of both halves together")


def _rows(definition: Definition, inputs: Inputs, rows: slice) -> Inputs:
    prediction, target = inputs.prediction[rows].copy(), inputs.target[rows].copy()
    return Inputs(prediction, target, None, np.ones(definition.value_shape(prediction.shape), prediction.dtype))


@law(
    "reductions-agree",
    "The forms of one entry point speak of one sum: N times the mean is the sum, and the sum of the unreduced errors too.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    supports_vmap=True,
)
def reductions_agree(context: CheckContext) -> None:
    """One form against each other form of the same entry point that the framework offers."""
    siblings = context.siblings()
    if not siblings:
        raise Unsupported("the entry point has no other reduction to compare with")
    shapes = [shape for shape in exact_shapes(context) if shape and all(is_power_of_two(Fraction(length)) for length in shape)]
    for shape in shapes[-1:]:
        drawn = exact_inputs(context, shape, context.seeds()[0])
        own = _total(context.operation.definition, context.evaluated(drawn.inputs).value, drawn.inputs)
        for sibling in siblings:
            upstream = np.ones(sibling.definition.value_shape(shape), drawn.inputs.prediction.dtype)
            other = sibling.evaluate(replace(drawn.inputs, upstream=upstream)).value
            total = _total(sibling.definition, other, drawn.inputs)
            same(context, Quantity.VALUE, own, total, drawn, f"as a sum, beside {sibling.name}")


@law(
    "rounds-once",
    "Each unreduced error is one rounded difference, squared with one rounding: a product of two numbers, not a formula.",
    (Quantity.VALUE,),
)
def rounds_once(context: CheckContext) -> None:
    """fl(fl(d)²) in the inputs' format, or in a wider one that is kept or rounded at the end: these, and nothing near them."""
    if context.operation.definition.over is not Over.NONE:
        raise Unsupported("its values are sums, which may be rounded in any order")
    fmt = FORMATS[context.target.dtype]
    every = inputs_of(context, wide_exponents, "wide-exponents", spread=1)
    for drawn, (evaluation,) in context.each((drawn, [drawn.inputs]) for drawn in every):
        found, p, t = evaluation.value, drawn.inputs.prediction, drawn.inputs.target
        with np.errstate(all="ignore"):
            narrow = np.square(p - t)
            wider = [kind for kind in (np.float32, np.float64, np.longdouble) if np.finfo(kind).nmant >= fmt.precision - 1]
            wide = [np.square(p.astype(kind) - t.astype(kind)) for kind in wider]
            forms = [narrow, *(form.astype(dtype) for form in wide for dtype in (fmt.dtype, found.dtype))]
        kept = np.abs(narrow.astype(np.float64)) >= 2 * float(fmt.smallest_normal)  # below it a target may flush, or round twice
        chosen = narrow.astype(np.float64)
        for form in forms:
            chosen = np.where(found.astype(np.float64) == form.astype(np.float64), form.astype(np.float64), chosen)
        zero = np.zeros((), found.dtype)  # the oldest ml_dtypes promotes no integer to bfloat16
        same(context, Quantity.VALUE, np.where(kept, found, zero), np.where(kept, chosen, 0), drawn)
