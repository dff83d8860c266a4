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

from conformance.checks.context import CheckContext, Expect
from conformance.checks.judge import Judgement, conforms_without_allowance, judge
from conformance.checks.tally import Observation, QuantityRecord
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


def observe_together(
    context: CheckContext, tallies: Mapping[Quantity, QuantityRecord], batch: Batch, expect: Expect | None = None
) -> float:
    """Evaluate all inputs of a batch and judge every quantity in ``tallies``; the largest error over its bound."""
    results = _evaluated(context, tallies, batch)
    if len(results.places) < len(batch.stack):
        return _judged_alone(context, tallies, batch, results, results.places, expect)
    at_once = max(BULK // max(math.prod(batch.stack.arrays.prediction.shape[1:]), 1), 1)
    pieces = (results.places[start : start + at_once] for start in range(0, len(results.places), at_once))
    return max((_judged(context, tallies, batch, results, piece, expect) for piece in pieces), default=0.0)


def _judged(
    context: CheckContext,
    tallies: Mapping[Quantity, QuantityRecord],
    batch: Batch,
    results: _Results,
    places: Sequence[int],
    expect: Expect | None,
) -> float:
    """Members that follow each other, together as far as that goes."""
    piece = slice(places[0], places[-1] + 1)
    whole = stacked(context.operation.definition, batch.stack.part(piece).arrays) if len(places) > 1 else None
    if whole is None:
        return _judged_alone(context, tallies, batch, results, places, expect)
    oracle: list[Exact] = []

    def of_all() -> Exact:
        if not oracle:
            oracle.append(exact(*whole))
        return oracle[0]

    largest, alone = 0.0, {}
    for quantity, tally in tallies.items():
        over_bound = _judged_together(context, quantity, tally, batch, results, places, expect, of_all)
        if over_bound is None:
            alone[quantity] = tally
        else:
            largest = max(largest, over_bound)
    return max(largest, _judged_alone(context, alone, batch, results, places, expect) if alone else 0.0)


def _judged_alone(
    context: CheckContext,
    tallies: Mapping[Quantity, QuantityRecord],
    batch: Batch,
    results: _Results,
    places: Sequence[int],
    expect: Expect | None,
) -> float:
    largest = 0.0
    for place in places:
        inputs, key = batch.stack.member(place), (batch.key, "alone", place)
        found = context.judged(tallies, inputs, results.evaluation(place), key=key, recipe=batch.recipe(place), expect=expect)
        largest = max([largest, *(judgement.error_over_bound for judgement in found.values())])
    return largest


def _evaluated(context: CheckContext, tallies: Mapping[Quantity, QuantityRecord], batch: Batch) -> _Results:
    if isinstance(context.evaluate, Batched):
        with suppress(Refused):  # then the members are asked one by one
            evaluation = context.as_asked(context.evaluate.together(batch.stack))
            return _Results(range(len(batch.stack)), {q: evaluation.of(q) for q in tallies}, lambda place: member(evaluation, place))
    rows = {}
    for place in range(len(batch.stack)):
        if (found := context.evaluated(tallies, batch.stack.member(place))) is not None:
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
    context: CheckContext,
    quantity: Quantity,
    tally: QuantityRecord,
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
    if found is None or found.shape[1:] != context.shape_of(quantity, batch.stack.member(places[0])):
        return None
    size = found[0].size
    expectation = context.expectation((batch.key, places[0]), quantity, format_of(found), expect, oracle)
    judgement = judge(expectation, found, flushes=context.flushes)
    if judgement.conforms and not judgement.names:
        return _noted(context, tally, batch, expectation, judgement, found, places[0])
    alike = [
        bool(member.all()) for member in conforms_without_allowance(expectation, found, flushes=context.flushes).reshape(len(found), size)
    ]
    largest = 0.0
    for right, group in groupby(range(len(found)), alike.__getitem__):
        members = list(group)
        start, stop = members[0], members[-1] + 1
        if right:
            some, part = found[start:stop], expectation.part(slice(start * size, stop * size))
            judgement = judge(part, some, flushes=context.flushes)
            over_bound = _noted(context, tally, batch, part, judgement, some, places[start])
        else:
            over_bound = _judged_alone(context, {quantity: tally}, batch, results, places[start:stop], expect)
        largest = max(largest, over_bound)
    return largest


def _noted(
    context: CheckContext, tally: QuantityRecord, batch: Batch, expectation: Expectation, judgement: Judgement, results: Array, first: int
) -> float:
    """Note members from the first on, which are right."""
    output = format_of(results)
    if output.name != context.target.dtype:
        tally.flags[f"returns {output.name}"] = None
    tally.see(results)
    size = results[0].size
    place, element = divmod(judgement.worst, size)
    inputs = batch.stack.member(first + place)
    summands = context.operation.definition.summands(inputs.shape)
    sight = Observation(inputs, summands, expectation, results, element, batch.recipe(first + place), offset=place * size)
    tally.note(judgement, sight, evaluations=len(results))
    return judgement.error_over_bound
