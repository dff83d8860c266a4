"""Laws of subjects, whose authors may not wish to be found wrong: after thousands of calls, between two calls, and without the suite.

A subject is anybody's code. It runs in a process of its own and is told no expectation; what is left to it is to behave otherwise while
it is watched, or for as long as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext, FunctionEvaluator
from conformance.checks.laws.comparing import GRADIENTS, Drawn, draw, exact_inputs, exact_shapes, inputs_of, same
from conformance.checks.laws.law import law
from conformance.checks.observe import observe
from conformance.checks.tally import Observation
from conformance.frameworks.base import Evaluation, Unsupported
from conformance.inputs.families import ordinary
from conformance.numerics.definition import Inputs, Quantity

BY_ITSELF = "by-itself"
_CALLS = 120_000
_ALONE = 6
"""Most inputs for a process of its own."""


@law(
    "endurance",
    "After thousands of calls a call gives the same exact result as the first: what drifts, counts or remembers is not a function.",
    only_subjects=True,
    supports_vmap=False,
)
def endurance(context: CheckContext) -> None:
    """One input again and again, up to 120,000 times or for a second and a half; then that one, and others that it has not seen."""
    seeds, shapes = context.seeds(), exact_shapes(context)[:3]
    if not shapes:
        return
    first = exact_inputs(context, shapes[0], seeds[0], upstream=1)
    calls = context.probe.repeat(first.inputs, _CALLS, context.budget.seconds)
    for number, shape in enumerate(shapes):
        for seed in (seeds[0], seeds[-1]):
            drawn = exact_inputs(context, shape, seed, upstream=1)
            key = ("endurance", context.operation.name, context.target.dtype, seed, number, shape)
            recipe = f"after {calls} calls: {drawn.recipe}"
            expect = None if context.operation.definition.root else exactly  # few roots are numbers of a format
            observe(context, drawn.inputs, key=key, recipe=recipe, expect=expect, minimise=False)


@law(
    "results-stay",
    "A result stays as it is when the next one is computed: a buffer that is used again changes a loss that somebody still holds.",
    (Quantity.VALUE,),
    only_subjects=True,
    supports_vmap=False,
)
def results_stay(context: CheckContext) -> None:
    """Two calls with other numbers, and the first result is looked at again."""
    seeds = context.seeds()
    for shape in exact_shapes(context)[:3]:
        first, second = exact_inputs(context, shape, seeds[0]), exact_inputs(context, shape, seeds[-1])
        wanted = context.evaluated(first.inputs).value
        same(context, Quantity.VALUE, context.probe.kept(first.inputs, second.inputs), wanted, first, "after the next call")


@law(
    "two-graphs",
    "Of two losses the gradients are those of their own inputs, whichever backward pass comes first: no forward pass is remembered.",
    GRADIENTS[:1],
    only_subjects=True,
    supports_vmap=False,
)
def two_graphs(context: CheckContext) -> None:
    """Forward, forward, backward, backward: as when a network has two heads."""
    seeds = context.seeds()
    tally = context.tallies[GRADIENTS[0]]
    for shape in exact_shapes(context)[:3]:
        pair = [exact_inputs(context, shape, seed, upstream=1) for seed in (seeds[0], seeds[-1])]
        alone = [context.evaluated(drawn.inputs) for drawn in pair]
        if any(GRADIENTS[0].value not in evaluation.gradients for evaluation in alone):
            tally.missing = alone[0].why_no_gradient
            return
        for drawn, evaluation, found in zip(pair, alone, context.probe.interleaved(*(one.inputs for one in pair)), strict=True):
            same(context, GRADIENTS[0], found, evaluation.gradients[GRADIENTS[0].value], drawn, "with another loss between its two passes")


@law(
    BY_ITSELF,
    "In a program without the suite, as its users run it, it gives right results too: what is right only while it is watched is wrong.",
    only_subjects=True,
    supports_vmap=False,
)
def by_itself(context: CheckContext) -> None:
    """The bare file in a process of its own that imports it as a module; what it prints is judged as everything else."""
    if context.alone is None:
        raise Unsupported("there is no file to run by itself")
    drawn = list(_few(context))
    evaluations = iter(context.alone([one.inputs for one in drawn]))

    def evaluate(_: Inputs) -> Evaluation:
        return next(evaluations)

    bare = replace(context, evaluate=FunctionEvaluator(evaluate))
    for number, one in enumerate(drawn):
        key = ("by-itself", context.operation.name, context.target.dtype, number, one.recipe)  # subjects differ in the shapes they take
        observe(bare, one.inputs, key=key, recipe=one.recipe, minimise=False)
        for tally in context.tallies.values():
            if tally.failure and isinstance(tally.failed, Observation) and not tally.failure.endswith("without the suite"):
                tally.failure += "; by itself, without the suite"


def _few(context: CheckContext) -> Iterator[Drawn]:
    """Ordinary numbers of each shape, some of them with something from above."""
    for number, drawn in enumerate(inputs_of(context, ordinary, "ordinary", upstream=1)):
        if number == _ALONE:
            return
        yield drawn if number % 2 else draw(context, ordinary, "ordinary", drawn.inputs.shape, context.seeds()[0])
