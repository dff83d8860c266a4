"""Inputs of one shape are judged together: their exact values and bounds are those of one stack of them.

A stack's results are those of its members, number by number. A member that is wrong, or right under a name only, is judged alone.
Where the target takes stacks, they are evaluated together too; elsewhere one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from conformance.checks.judge import Judgement, judge, without_a_name
from conformance.checks.tally import Sight, Tally
from conformance.checks.trial import Expect, Trial
from conformance.frameworks.base import Evaluation, Refused
from conformance.frameworks.vmap import Batched, member
from conformance.numerics.bounds.interval import Expectation
from conformance.numerics.definition import Definition, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import BULK, Exact, exact
from conformance.numerics.formats import Array, format_of
from conformance.numerics.stack import Stack


@dataclass(frozen=True)
class Batch:
    """Inputs, what they are known by among all inputs, and the words from which each of them can be made again."""

    stack: Stack
    key: Hashable
    recipe: Callable[[int], str]


@dataclass(frozen=True)
class _Results:
    """What came back for a batch: for each member that was not refused its place, and a stack of each quantity.

    None in the place of a stack: a quantity that a member lacks, or that has not one dtype and one shape.
    """

    places: Sequence[int]
    of: Mapping[Quantity, Array | None]
    evaluation: Callable[[int], Evaluation]


def observe_together(trial: Trial, tallies: Mapping[Quantity, Tally], batch: Batch, expect: Expect | None = None) -> float:
    """Evaluate all inputs of a batch and judge every quantity in ``tallies``; the largest error over its bound."""
    results = _evaluated(trial, tallies, batch)
    if len(results.places) < len(batch.stack):
        return _judged_alone(trial, tallies, batch, results, results.places, expect)
    at_once = max(BULK // max(math.prod(batch.stack.arrays.prediction.shape[1:]), 1), 1)
    pieces = (results.places[start : start + at_once] for start in range(0, len(results.places), at_once))
    return max((_judged(trial, tallies, batch, results, piece, expect) for piece in pieces), default=0.0)


def _judged(
    trial: Trial, tallies: Mapping[Quantity, Tally], batch: Batch, results: _Results, places: Sequence[int], expect: Expect | None
) -> float:
    """Members that follow each other, together as far as that goes."""
    piece = slice(places[0], places[-1] + 1)
    whole = stacked(trial.operation.definition, batch.stack.part(piece).arrays) if len(places) > 1 else None
    if whole is None:
        return _judged_alone(trial, tallies, batch, results, places, expect)
    oracle: list[Exact] = []

    def of_all() -> Exact:
        if not oracle:
            oracle.append(exact(*whole))
        return oracle[0]

    largest, alone = 0.0, {}
    for quantity, tally in tallies.items():
        over_bound = _judged_together(trial, quantity, tally, batch, results, places, expect, of_all)
        if over_bound is None:
            alone[quantity] = tally
        else:
            largest = max(largest, over_bound)
    return max(largest, _judged_alone(trial, alone, batch, results, places, expect) if alone else 0.0)


def _judged_alone(
    trial: Trial, tallies: Mapping[Quantity, Tally], batch: Batch, results: _Results, places: Sequence[int], expect: Expect | None
) -> float:
    largest = 0.0
    for place in places:
        inputs, key = batch.stack.member(place), (batch.key, "alone", place)
        found = trial.judged(tallies, inputs, results.evaluation(place), key=key, recipe=batch.recipe(place), expect=expect)
        largest = max([largest, *(judgement.error_over_bound for judgement in found.values())])
    return largest


def _evaluated(trial: Trial, tallies: Mapping[Quantity, Tally], batch: Batch) -> _Results:
    if isinstance(trial.evaluate, Batched):
        with suppress(Refused):  # then the members are asked one by one
            evaluation = trial.as_asked(trial.evaluate.together(batch.stack))
            return _Results(range(len(batch.stack)), {q: evaluation.of(q) for q in tallies}, lambda place: member(evaluation, place))
    rows = {}
    for place in range(len(batch.stack)):
        if (found := trial.evaluated(tallies, batch.stack.member(place))) is not None:
            rows[place] = found
    return _Results(list(rows), {q: _one_array([row.of(q) for row in rows.values()]) for q in tallies}, rows.__getitem__)


def _one_array(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    if len(there) < len(parts) or len({(part.shape, part.dtype) for part in there}) != 1:
        return None
    return np.stack(there)


def stacked(definition: Definition, arrays: Inputs) -> tuple[Definition, Inputs] | None:
    """What gives for a whole stack the results that ``definition`` gives for each member, one after the other; None where nothing does.

    A sum over everything becomes one over every row of the stack. Weights and roots are left alone, and what is too large to be made
    element by element.
    """
    if definition.weights is not Weights.NONE or definition.root or arrays.prediction.ndim == 1:
        return None
    if not 0 < arrays.prediction.size <= BULK:
        return None
    if definition.over is Over.ALL_BUT_FIRST:  # of the members: the first of the stack's axes goes into theirs
        prediction, target, upstream = (
            array.reshape(-1, *array.shape[2:]) for array in (arrays.prediction, arrays.target, arrays.upstream)
        )
        return definition, Inputs(prediction, target, None, upstream)
    return replace(definition, over=Over.ALL_BUT_FIRST) if definition.over is Over.ALL else definition, arrays


def _judged_together(
    trial: Trial,
    quantity: Quantity,
    tally: Tally,
    batch: Batch,
    results: _Results,
    places: Sequence[int],
    expect: Expect | None,
    oracle: Callable[[], Exact],
) -> float | None:
    """Members that follow each other, at once, but for those that are wrong, or right under a name.

    None, and nothing noted, where they have another shape.
    """
    every = results.of[quantity]
    found = None if every is None else every[places[0] : places[-1] + 1]
    if found is None or found.shape[1:] != trial.shape_of(quantity, batch.stack.member(places[0])):
        return None
    size = found[0].size
    expectation = trial.expectation((batch.key, places[0]), quantity, format_of(found), expect, oracle)
    judgement = judge(expectation, found, flushes=trial.flushes)
    if judgement.conforms and not judgement.names:
        return _noted(trial, tally, batch, expectation, judgement, found, places[0])
    alike = [bool(member.all()) for member in without_a_name(expectation, found, flushes=trial.flushes).reshape(len(found), size)]
    largest = 0.0
    for right, group in groupby(range(len(found)), alike.__getitem__):
        members = list(group)
        start, stop = members[0], members[-1] + 1
        if right:
            some, part = found[start:stop], expectation.part(slice(start * size, stop * size))
            judgement = judge(part, some, flushes=trial.flushes)
            over_bound = _noted(trial, tally, batch, part, judgement, some, places[start])
        else:
            over_bound = _judged_alone(trial, {quantity: tally}, batch, results, places[start:stop], expect)
        largest = max(largest, over_bound)
    return largest


def _noted(trial: Trial, tally: Tally, batch: Batch, expectation: Expectation, judgement: Judgement, results: Array, first: int) -> float:
    """Note members from the first on, which are right."""
    output = format_of(results)
    if output.name != trial.target.dtype:
        tally.flags[f"returns {output.name}"] = None
    tally.see(results)
    size = results[0].size
    place, element = divmod(judgement.worst, size)
    inputs = batch.stack.member(first + place)
    summands = trial.operation.definition.summands(inputs.shape)
    sight = Sight(inputs, summands, expectation, results, element, batch.recipe(first + place), offset=place * size)
    tally.note(judgement, sight, evaluations=len(results))
    return judgement.error_over_bound
