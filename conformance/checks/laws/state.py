"""Laws of calls that follow each other: a loss that remembers is not a function. On exact data, bit for bit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext, in_domain
from conformance.checks.laws.comparing import exact_inputs, exact_shapes, inputs_of, same, same_evaluation
from conformance.checks.laws.law import law
from conformance.checks.observe import Batch, observe_each
from conformance.inputs.families import opposite
from conformance.numerics.definition import Divisor, Quantity, Shape

_MANY = 2**16
"""Elements: enough for every framework to share them out among its threads."""
_UNEVEN = 70_001
"""No number of threads divides it; only sums stay exact on it."""


@law("repetition", "The same call gives the same bits the second time: a loss that remembers is not a function.", supports_vmap=False)
def repetition(context: CheckContext) -> None:
    """On inputs that have been evaluated once, and after others; here results may be rounded."""
    for drawn, (first, second) in context.each((drawn, [drawn.inputs] * 2) for drawn in inputs_of(context, opposite, "opposite")):
        same_evaluation(context, second, first, drawn, "at the second call")


@law(
    "after-other-shapes",
    "A call gives its result whatever shapes were seen before: a plan or a buffer made for one must not serve another.",
    supports_vmap=False,
)
def after_other_shapes(context: CheckContext) -> None:
    """From the largest to the smallest shape and back; nothing rounds, so that the exact result is the only one, whatever came before."""
    shapes = sorted(exact_shapes(context), key=lambda shape: int(np.prod(shape)))
    seed = context.seeds()[0]

    def drawn(shape: Shape) -> Batch:
        one = exact_inputs(context, shape, seed)
        return Batch.of(one.inputs, ("after-other-shapes", context.operation.name, context.target.dtype, seed, shape), one.recipe)

    for _ in observe_each(context, map(drawn, [*reversed(shapes), *shapes[1:]]), exactly, minimise=False):
        pass


@law(
    "after-a-failure", "A call gives the same bits after one that was refused: an exception must leave nothing behind.", supports_vmap=False
)
def after_a_failure(context: CheckContext) -> None:
    """The refused call has a prediction and a target of shapes that fit in no way; a framework may also accept them."""
    shape = next((shape for shape in exact_shapes(context) if shape and shape[-1] > 1), None)
    if shape is None:
        return
    drawn = exact_inputs(context, shape, context.seeds()[0])
    before = context.evaluated(drawn.inputs)
    longer = np.ones((*shape[:-1], shape[-1] + 3), drawn.inputs.prediction.dtype)
    with suppress(Exception):  # whatever it says of shapes that do not fit is its own affair
        context.evaluate(replace(drawn.inputs, prediction=longer))
    same_evaluation(context, context.evaluated(drawn.inputs), before, drawn, "after a call that failed")


@law(
    "edited-in-place",
    "Inputs that are overwritten between two calls give the new result: nothing may be remembered of a tensor but itself.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
)
def edited_in_place(context: CheckContext) -> None:
    """The same two tensors with one content, then with another."""
    seeds = context.seeds()
    for shape in exact_shapes(context)[:3]:
        first, second = exact_inputs(context, shape, seeds[0]), exact_inputs(context, shape, seeds[-1])
        before, after = context.probe.update_in_place(first.inputs, second.inputs)
        same(context, Quantity.VALUE, before, context.evaluated(first.inputs).value, first)
        wanted = context.evaluated(second.inputs).value
        same(context, Quantity.VALUE, after, wanted, second, "after its inputs were overwritten in place")


@law(
    "thread-count",
    "Where nothing rounds, the number of threads changes no bit: no element is lost or counted twice where their parts meet.",
    needs_extra_calls=True,
)
def thread_count(context: CheckContext) -> None:
    """One, two and three threads, on enough elements for each to get some, and on a number that none of them divides."""
    for length in (_MANY, _UNEVEN) if context.operation.definition.divisor is Divisor.ONE else (_MANY,):
        drawn = exact_inputs(context, in_domain(context, (length,)), context.seeds()[0])
        with context.probe.threads(1):
            alone = context.evaluated(drawn.inputs)
        for threads in (2, 3):
            with context.probe.threads(threads):
                found = context.evaluated(drawn.inputs)
            same_evaluation(context, found, alone, drawn, f"with {threads} threads")
