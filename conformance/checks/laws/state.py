"""Laws of calls that follow each other: a loss that remembers is not a function. On exact data, bit for bit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import numpy as np

from conformance.checks.bounds import fitting
from conformance.checks.cases import exactly
from conformance.checks.laws.comparing import draw, exact_inputs, exact_shapes, same, same_evaluation
from conformance.checks.laws.law import law
from conformance.checks.tally import Tally, new_tallies
from conformance.checks.trial import Trial
from conformance.inputs.families import opposite
from conformance.numerics.definition import Divisor, Quantity

_MANY = 2**16
"""Elements: enough for every framework to share them out among its threads."""
_UNEVEN = 70_001
"""No number of threads divides it; only sums stay exact on it."""


@law("repetition", "The same call gives the same bits the second time: a loss that remembers is not a function.")
def repetition(trial: Trial) -> Mapping[Quantity, Tally]:
    """On inputs that have been evaluated once, and after others; here results may be rounded."""
    tallies = new_tallies()
    for shape in fitting(trial.profile.shapes_for(trial.target), trial.operation.definition):
        for seed in trial.profile.seeds():
            drawn = draw(trial, opposite, "opposite", shape, seed)
            first = trial.attested(drawn.inputs)
            same_evaluation(trial, tallies, trial.attested(drawn.inputs), first, drawn, "at the second call")
    return tallies


@law(
    "after-other-shapes",
    "A call gives its result whatever shapes were seen before: a plan or a buffer made for one must not serve another.",
)
def after_other_shapes(trial: Trial) -> Mapping[Quantity, Tally]:
    """From the largest to the smallest shape and back; nothing rounds, so that the exact result is the only one, whatever came before."""
    tallies = new_tallies()
    shapes = sorted(exact_shapes(trial), key=lambda shape: int(np.prod(shape)))
    seed = trial.profile.seeds()[0]
    for shape in [*reversed(shapes), *shapes[1:]]:
        drawn = exact_inputs(trial, shape, seed)
        key = ("after-other-shapes", trial.operation.name, trial.target.dtype, seed, shape)
        trial.observe(tallies, drawn.inputs, key=key, recipe=drawn.recipe, expect=exactly, minimise=False)
    return tallies


@law("after-a-failure", "A call gives the same bits after one that was refused: an exception must leave nothing behind.")
def after_a_failure(trial: Trial) -> Mapping[Quantity, Tally]:
    """The refused call has a prediction and a target of shapes that fit in no way; a framework may also accept them."""
    tallies = new_tallies()
    shape = next(shape for shape in exact_shapes(trial) if shape and shape[-1] > 1)
    drawn = exact_inputs(trial, shape, trial.profile.seeds()[0])
    before = trial.attested(drawn.inputs)
    longer = np.ones((*shape[:-1], shape[-1] + 3), drawn.inputs.prediction.dtype)
    with suppress(Exception), warnings.catch_warnings():  # whatever it says of shapes that do not fit is its own affair
        warnings.simplefilter("ignore")
        trial.evaluate(replace(drawn.inputs, prediction=longer))
    same_evaluation(trial, tallies, trial.attested(drawn.inputs), before, drawn, "after a call that failed")
    return tallies


@law(
    "edited-in-place",
    "Inputs that are overwritten between two calls give the new result: nothing may be remembered of a tensor but itself.",
    (Quantity.VALUE,),
    own_functions=True,
)
def edited_in_place(trial: Trial) -> Mapping[Quantity, Tally]:
    """The same two tensors with one content, then with another."""
    tallies = new_tallies(Quantity.VALUE)
    seeds = trial.profile.seeds()
    for shape in exact_shapes(trial)[:3]:
        first, second = exact_inputs(trial, shape, seeds[0]), exact_inputs(trial, shape, seeds[-1])
        before, after = trial.probe.edited(first.inputs, second.inputs)
        same(trial, tallies[Quantity.VALUE], Quantity.VALUE, before, trial.attested(first.inputs).value, first)
        wanted = trial.attested(second.inputs).value
        same(trial, tallies[Quantity.VALUE], Quantity.VALUE, after, wanted, second, "after its inputs were overwritten in place")
    return tallies


@law(
    "thread-count",
    "Where nothing rounds, the number of threads changes no bit: no element is lost or counted twice where their parts meet.",
    own_functions=True,
)
def thread_count(trial: Trial) -> Mapping[Quantity, Tally]:
    """One, two and three threads, on enough elements for each to get some, and on a number that none of them divides."""
    tallies = new_tallies()
    for length in (_MANY, _UNEVEN) if trial.operation.definition.divisor is Divisor.ONE else (_MANY,):
        drawn = exact_inputs(trial, (length,), trial.profile.seeds()[0])
        with trial.probe.threads(1):
            alone = trial.attested(drawn.inputs)
        for threads in (2, 3):
            with trial.probe.threads(threads):
                found = trial.attested(drawn.inputs)
            same_evaluation(trial, tallies, found, alone, drawn, f"with {threads} threads")
    return tallies


CALLS = (repetition, after_other_shapes, after_a_failure, edited_in_place, thread_count)
"""Laws of calls that follow each other."""
