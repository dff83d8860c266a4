"""Laws of derivatives: however they are asked for, they are those of one function. On exact data, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext
from conformance.checks.judge import judge, sentence
from conformance.checks.laws.comparing import GRADIENTS, Drawn, exact_inputs, exact_shapes, note_missing, same
from conformance.checks.laws.law import law
from conformance.checks.tally import Observation
from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array


def _inputs(context: CheckContext, *, upstream: int = 0) -> list[Drawn]:
    return [exact_inputs(context, shape, context.seeds()[0], upstream=upstream) for shape in _shapes(context)]


def _shapes(context: CheckContext) -> list[Shape]:
    """Few: each of these laws has its own function, and where shapes are compiled it is compiled for each."""
    return exact_shapes(context)[: 2 if context.budget.compiles_each_shape else 4]


def _direction(context: CheckContext, shape: Shape, seed: int) -> Array:
    """Small whole numbers: products with exact data stay exact."""
    drawn: Array = np.random.default_rng([seed, 1]).integers(-1, 2, shape).astype(FORMATS[context.target.dtype].dtype)
    return drawn


@law(
    "value-alone",
    "Asking for no gradient changes no bit of the value: a training step and an evaluation report the same loss.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
)
def value_alone(context: CheckContext) -> None:
    """A plain call against the value that came with gradients."""
    for drawn in _inputs(context):
        found = context.probe.call(drawn.inputs.prediction, drawn.inputs.target, drawn.inputs.weight).value
        same(
            context,
            Quantity.VALUE,
            found,
            context.evaluated(drawn.inputs).value,
            drawn,
            "with no gradient asked for",
        )


@law(
    "one-argument",
    "The gradient of one argument is the same whether or not the other one's is asked for as well.",
    GRADIENTS,
    needs_extra_calls=True,
)
def one_argument(context: CheckContext) -> None:
    """Each alone against both at once: backward passes skip what nobody needs, and may skip the wrong part."""
    for drawn in _inputs(context, upstream=1):
        both = context.evaluated(drawn.inputs)
        note_missing(context, both)
        for quantity in GRADIENTS:
            if quantity.value in both.gradients:
                found = context.probe.gradient_of(drawn.inputs, quantity)
                same(context, quantity, found, both.gradients[quantity.value], drawn, "of this argument alone")


@law(
    "forward-mode",
    "Forward and reverse mode differentiate the same function: a directional derivative is the gradient's product with the direction.",
    GRADIENTS,
    needs_extra_calls=True,
)
def forward_mode(context: CheckContext) -> None:
    """Along the prediction, then along the target; directions of −1, 0 and 1, so that the products are exact."""
    for drawn in _inputs(context):
        inputs = drawn.inputs
        reverse = context.evaluated(inputs)
        note_missing(context, reverse)
        direction = _direction(context, inputs.shape, context.seeds()[0])
        zeros = np.zeros_like(direction)
        for quantity, along in zip(GRADIENTS, ((direction, zeros), (zeros, direction)), strict=True):
            if quantity.value not in reverse.gradients:
                continue
            found = context.probe.jvp(inputs, *along)
            products = reverse.gradients[quantity.value].astype(np.float64) * direction.astype(np.float64)
            wanted = products.sum(axis=tuple(range(reverse.value.ndim, inputs.prediction.ndim)))
            same(context, quantity, found, np.asarray(wanted), drawn, "in forward mode")


@law(
    "curvature",
    "The second derivative is 2/N, and −2/N where it is mixed: a gradient that is right may yet be differentiated wrongly.",
    (Quantity.CURVATURE,),
    needs_extra_calls=True,
)
def curvature(context: CheckContext) -> None:
    """Along a direction v it is the gradient of the same loss at (v, 0), which the oracle knows: the loss is quadratic."""
    tally = context.tallies[Quantity.CURVATURE]
    for drawn in _inputs(context, upstream=1):
        inputs = drawn.inputs
        direction = _direction(context, inputs.shape, context.seeds()[0])
        quadratic = replace(inputs, prediction=direction, target=np.zeros_like(direction))
        oracle = exact(context.operation.definition, quadratic)
        for quantity, found in zip(GRADIENTS, context.probe.hvp(inputs, direction), strict=True):
            if (
                quantity is Quantity.GRADIENT_TARGET
                and context.domain is not None
                and "target" not in (context.domain.gradients or ("target",))
            ):
                continue  # a constant, of which it says so
            expectation = exactly(oracle, quantity, FORMATS[found.dtype.name])
            judgement = judge(expectation, found, flushes=context.flushes)
            observation = Observation(
                inputs, context.operation.definition.summands(inputs.shape), expectation, found, judgement.worst, drawn.recipe
            )
            if judgement.conforms:
                tally.note(judgement, observation)
            else:
                which = "own" if quantity is Quantity.GRADIENT_PREDICTION else "mixed"
                tally.evaluations += 1
                tally.fail(f"{which} curvature: {sentence(expectation, found, judgement)}", observation)


@law(
    "batching",
    "A batch through the framework's automatic batching gives each member's own result, wherever it stands in the batch.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
)
def batching(context: CheckContext) -> None:
    """Three members; a batching rule that reduces over the batch, or mixes its members, is seen."""
    for shape in _shapes(context):
        drawn = [exact_inputs(context, shape, seed) for seed in range(context.seeds()[0], context.seeds()[0] + 3)]
        found = context.probe.vmap([one.inputs for one in drawn])
        wanted = np.stack([context.evaluated(one.inputs).value for one in drawn])
        same(context, Quantity.VALUE, found, wanted, drawn[0], f"in a batch of {len(drawn)}")
