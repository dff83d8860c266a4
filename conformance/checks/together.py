"""Inputs of one shape, evaluated one by one and judged together: their exact values and bounds are those of one stack of them.

A stack's results are those of its rows, number by number. Where one of them is anything but plainly right, the rows are judged alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.checks.judge import judge
from conformance.checks.trial import Expect, Sight, Tally, Trial
from conformance.frameworks.base import Evaluation
from conformance.numerics.definition import Definition, Inputs, Over, Quantity, Weights
from conformance.numerics.exact import BULK, Exact, exact
from conformance.numerics.formats import Array, format_of


@dataclass(frozen=True)
class Drawing:
    """Inputs, what they are known by among all inputs, and the words from which they can be made again."""

    inputs: Inputs
    key: Hashable
    recipe: str


@dataclass(frozen=True)
class _Row:
    drawing: Drawing
    evaluation: Evaluation


def observe_together(trial: Trial, tallies: Mapping[Quantity, Tally], batch: Sequence[Drawing], expect: Expect | None = None) -> float:
    """Evaluate all inputs of a batch, which have one shape, and judge every quantity in ``tallies``; the largest error over its bound."""
    rows = []
    for drawing in batch:
        evaluation = trial.evaluated(tallies, drawing.inputs)
        if evaluation is not None:
            rows.append(_Row(drawing, evaluation))
    if not rows:
        return 0.0
    largest = 0.0
    whole = stack(trial.operation.definition, [row.drawing.inputs for row in rows]) if len(rows) > 1 else None
    oracle: list[Exact] = []

    def of_all() -> Exact:
        if not oracle and whole is not None:
            oracle.append(exact(*whole))
        return oracle[0]

    alone = {}
    for quantity, tally in tallies.items():
        over_bound = None if whole is None else _judged_together(trial, quantity, tally, rows, expect, of_all)
        if over_bound is None:
            alone[quantity] = tally
        else:
            largest = max(largest, over_bound)
    for row in rows if alone else ():
        drawing = row.drawing
        found = trial.judged(alone, drawing.inputs, row.evaluation, key=drawing.key, recipe=drawing.recipe, expect=expect)
        largest = max([largest, *(judgement.error_over_bound for judgement in found.values())])
    return largest


def stack(definition: Definition, batch: Sequence[Inputs]) -> tuple[Definition, Inputs] | None:
    """What gives for all inputs at once the results that ``definition`` gives for each, one after the other; None where nothing does.

    A sum over everything becomes one over every row of the stack. Weights and roots are left alone, and what is too large to be made
    element by element.
    """
    first = batch[0]
    if definition.weights is not Weights.NONE or definition.root or not first.shape:
        return None
    if not first.prediction.size or first.prediction.size * len(batch) > BULK:
        return None
    columns = [[inputs.prediction for inputs in batch], [inputs.target for inputs in batch], [inputs.upstream for inputs in batch]]
    if definition.over is Over.ALL_BUT_FIRST:
        prediction, target, upstream = map(np.concatenate, columns)
    else:
        prediction, target, upstream = map(np.stack, columns)
    if definition.over is Over.ALL:
        definition = replace(definition, over=Over.ALL_BUT_FIRST)
    return definition, Inputs(prediction, target, None, upstream)


def _judged_together(
    trial: Trial, quantity: Quantity, tally: Tally, rows: Sequence[_Row], expect: Expect | None, oracle: Callable[[], Exact]
) -> float | None:
    """All rows at once; None, and nothing noted, where one of them is missing, of another shape or dtype, wrong, or right under a name."""
    wanted = trial.shape_of(quantity, rows[0].drawing.inputs)
    observed: list[Array] = []
    for row in rows:
        found = row.evaluation.of(quantity)
        if found is None or found.shape != wanted or (observed and found.dtype != observed[0].dtype):
            return None
        observed.append(found)
    results = np.stack(observed)
    output = format_of(results)
    keys = tuple(row.drawing.key for row in rows)
    expectation = trial.expectation(keys, quantity, output, expect, oracle)
    judgement = judge(expectation, results, flushes=trial.flushes)
    if not judgement.conforms or judgement.names:
        return None
    if output.name != trial.target.dtype:
        tally.flags[f"returns {output.name}"] = None
    for found in observed:
        tally.see(found)
    number, element = divmod(judgement.worst, observed[0].size)
    drawing = rows[number].drawing
    summands = trial.operation.definition.summands(drawing.inputs.shape)
    offset = number * observed[0].size
    sight = Sight(drawing.inputs, summands, expectation, results, element, drawing.recipe, offset=offset)
    tally.note(judgement, sight, evaluations=len(rows))
    return judgement.error_over_bound
