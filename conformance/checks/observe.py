"""Evaluate inputs and judge what comes back. Inputs of one shape are judged together: a single one is a stack of one.

A stack's results are those of its members, number by number, and so are its exact values and bounds. A member that is wrong, or right
by an allowance only, is judged by itself. Where the target takes stacks, they are evaluated together too; elsewhere one by one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from conformance.checks.context import MESSAGES_AHEAD, CheckContext, Expect, Group, Outside, member_of
from conformance.checks.judge import Judgement, conforms_without_allowance, judge, sentence
from conformance.checks.tally import Observation, QuantityRecord, is_finite
from conformance.frameworks.base import Evaluation, Refused
from conformance.inputs.shrink import shrink
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.definition import Definition, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import BULK, Exact, exact
from conformance.numerics.exact.representable import first_inexact_step
from conformance.numerics.formats import FORMATS, Array, Format, format_of
from conformance.numerics.stack import Stack

_FEW = 10_000
"""Elements that may be on their way, so that few large arrays are kept at a time."""
Judged = list[tuple[Quantity, Judgement]]
"""Every judgement that was made, in order."""


@dataclass(frozen=True)
class Batch:
    """Inputs, what they are known by among all inputs, and the words from which each of them can be made again."""

    stack: Stack
    key: Hashable
    recipe: Callable[[int], str]

    @classmethod
    def of(cls, inputs: Inputs, key: Hashable, recipe: str) -> Batch:
        """A batch of one."""
        return cls(Stack.of([inputs]), key, lambda _: recipe)


def observe(
    context: CheckContext,
    inputs: Inputs,
    *,
    key: Hashable,
    recipe: str,
    expect: Expect | None = None,
    minimise: bool = True,
) -> Judged:
    """Evaluate one input and judge every quantity of the check; failures are shrunk and written into the tally."""
    return observe_batch(context, Batch.of(inputs, key, recipe), expect, minimise=minimise)


def observe_batch(
    context: CheckContext,
    batch: Batch,
    expect: Expect | None = None,
    *,
    minimise: bool = True,
) -> Judged:
    """Evaluate all inputs of a batch and judge every quantity of the check; failures are shrunk and written into the tally."""
    return next(observe_each(context, [batch], expect, minimise=minimise))


def observe_each(
    context: CheckContext, batches: Iterable[Batch], expect: Expect | None = None, *, minimise: bool = True
) -> Iterator[Judged]:
    """Each batch as :func:`observe_batch` does; the implementation is asked for the next while one is judged."""
    asked: deque[_Asked] = deque()
    following = (_ask(context, batch) for batch in batches)
    while True:
        while not asked or (len(asked) < MESSAGES_AHEAD and sum(batch.stack.arrays.prediction.size for batch, _ in asked) < _FEW):
            if (one := next(following, None)) is None:
                break
            asked.append(one)
        if not asked:
            return
        batch, finish = asked.popleft()
        _prepare(context, batch, expect)  # while the implementation computes
        groups = finish()
        yield _judged(context, batch, groups, expect, minimise=minimise)


_Asked = tuple[Batch, Callable[[], Sequence[Group]]]


def _ask(context: CheckContext, batch: Batch) -> _Asked:
    if (narrower := context.exact_format).name != context.target.dtype:  # what arrives from above has the format of the value
        arrays = batch.stack.arrays
        with np.errstate(over="ignore"):
            upstream = arrays.upstream.astype(narrower.dtype).astype(arrays.upstream.dtype)
        batch = replace(batch, stack=Stack(replace(arrays, upstream=upstream)), key=(batch.key, narrower.name))
    return batch, context.evaluate.begin(batch.stack)


def _judged(context: CheckContext, batch: Batch, groups: Sequence[Group], expect: Expect | None, *, minimise: bool) -> Judged:
    results = _results(context, batch.stack, groups)
    everyone = _Judging(context, batch, results, expect, minimise, results.places)
    at_once = _at_once(context.operation.definition, batch.stack) if results.is_whole else 1
    judged: Judged = []
    for start in range(0, len(results.places), at_once):
        part = everyone.part(results.places[start : start + at_once])
        for quantity, tally in context.tallies.items():
            judged += part.judged(quantity, tally)
    return judged


def _prepare(context: CheckContext, batch: Batch, expect: Expect | None) -> None:
    """Make the expectations that will be asked for if results come back as they did the last time."""
    if not (foreseen := {quantity: context.foreseen[quantity] for quantity in context.tallies if quantity in context.foreseen}):
        return
    nothing = _Results(range(len(batch.stack)), {}, _nobody, is_whole=True)
    everyone = _Judging(context, batch, nothing, expect, minimise=False, places=nothing.places)
    at_once = _at_once(context.operation.definition, batch.stack)
    for start in range(0, len(batch.stack), at_once):
        part = everyone.part(nothing.places[start : start + at_once])
        for quantity, output in foreseen.items():
            part.expectation(quantity, output)


def _nobody(place: int) -> Evaluation:
    raise LookupError(f"member {place} has not been evaluated")


def _at_once(definition: Definition, stack: Stack) -> int:
    """How many members are judged together."""
    most = max(BULK // max(math.prod(stack.arrays.prediction.shape[1:]), 1), 1)
    return most if most > 1 and stacked(definition, stack.part(slice(most)).arrays) is not None else 1


@dataclass(frozen=True)
class _Results:
    """What came back for a batch: for each member that was not refused its place, and a stack of each quantity.

    None in the place of a stack: a quantity that a member lacks, or that has not one dtype and one shape.
    """

    places: Sequence[int]
    of: Mapping[Quantity, Array | None]
    evaluation: Callable[[int], Evaluation]
    is_whole: bool
    """Whether no member was refused."""


def _results(context: CheckContext, stack: Stack, groups: Sequence[Group]) -> _Results:
    """Attested evaluations; a refusal is written into the tallies."""
    places: list[int] = []
    evaluations: dict[int, tuple[Evaluation, int]] = {}
    first = 0
    for group in groups:
        if isinstance(group.result, Refused):
            for tally in context.tallies.values():
                tally.refused = str(group.result)
                if not isinstance(group.result, Outside):
                    tally.flags["refuses some inputs"] = None
        else:
            evaluation = context.as_asked(group.result)
            members = range(first, first + group.count)
            places += members
            evaluations.update((place, (evaluation, place - first)) for place in members)
            for quantity in context.tallies:
                if (found := evaluation.of(quantity)) is not None:
                    context.foreseen[quantity] = format_of(found)
                else:
                    context.foreseen.pop(quantity, None)
        first += group.count

    def of_member(place: int) -> Evaluation:
        return member_of(*evaluations[place])

    if len(groups) == 1 and places:
        whole, _ = evaluations[0]
        return _Results(places, {quantity: whole.of(quantity) for quantity in context.tallies}, of_member, is_whole=True)
    of = {quantity: _one_array([of_member(place).of(quantity) for place in places]) for quantity in context.tallies}
    return _Results(places, of, of_member, len(places) == len(stack))


def _one_array(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    if len(there) < len(parts) or len({(part.shape, part.dtype) for part in there}) != 1:
        return None
    return there[0][None] if len(there) == 1 else np.stack(there)


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


@dataclass(frozen=True)
class _Judging:
    """Judges members of a batch that follow each other: those at ``places``."""

    context: CheckContext
    batch: Batch
    results: _Results
    expect: Expect | None
    minimise: bool
    places: Sequence[int]

    def part(self, places: Sequence[int]) -> _Judging:
        """Of these members only."""
        return replace(self, places=places)

    @cached_property
    def _first(self) -> Inputs:
        return self.batch.stack.member(self.places[0])

    @cached_property
    def _whole(self) -> tuple[Definition, Inputs] | None:
        """An operation and its inputs that give the results of all these members; one member is its own."""
        if len(self.places) == 1:
            return self.context.operation.definition, self._first
        return stacked(self.context.operation.definition, self.batch.stack.part(slice(self.places[0], self.places[-1] + 1)).arrays)

    @cached_property
    def _oracle(self) -> Exact:
        assert self._whole is not None, "asked for the exact value of members that have none together"
        return exact(*self._whole)

    def expectation(self, quantity: Quantity, output: Format) -> Expectation:
        """What these members are held to, which is made once."""
        alone = len(self.places) == 1
        key = (self.batch.key, "alone", self.places[0]) if alone else (self.batch.key, self.places[0], len(self.places))
        return self.context.expectation(key, quantity, output, self.expect, lambda: self._oracle)

    def judged(self, quantity: Quantity, tally: QuantityRecord) -> Judged:
        """Judge one quantity, of all members at once as far as that goes."""
        found = self._found(quantity)
        if len(self.places) == 1:
            return self._judge_one(quantity, tally, found)
        if self._whole is None or found is None or found.shape[1:] != self.context.shape_of(quantity, self._first):
            return [one for place in self.places for one in self.part([place]).judged(quantity, tally)]
        expectation = self.expectation(quantity, format_of(found))
        judgement = judge(expectation, found, flushes=self.context.flushes)
        if judgement.conforms and not judgement.allowances:
            self._note(tally, expectation, judgement, found)
            return [(quantity, judgement)]
        return self._judge_runs(quantity, tally, expectation, found)

    def _judge_runs(self, quantity: Quantity, tally: QuantityRecord, expectation: Expectation, found: Array) -> Judged:
        """Members that follow each other and are right at once, each other one by itself."""
        size = found[0].size
        judged: Judged = []
        right = conforms_without_allowance(expectation, found, flushes=self.context.flushes).reshape(len(found), size)
        alike = [bool(member_is_right.all()) for member_is_right in right]
        for is_right, group in groupby(range(len(found)), alike.__getitem__):
            members = list(group)
            start, stop = members[0], members[-1] + 1
            if is_right:
                part = expectation.part(slice(start * size, stop * size))
                judgement = judge(part, found[start:stop], flushes=self.context.flushes)
                self._note(tally, part, judgement, found[start:stop], start)
                judged.append((quantity, judgement))
            else:
                judged += [one for place in self.places[start:stop] for one in self.part([place]).judged(quantity, tally)]
        return judged

    def _found(self, quantity: Quantity) -> Array | None:
        """A stack of what came back for these members."""
        every = self.results.of[quantity]
        if every is not None and self.results.is_whole:
            return every[self.places[0] : self.places[-1] + 1]
        return _one_array([self.results.evaluation(place).of(quantity) for place in self.places])

    def _judge_one(self, quantity: Quantity, tally: QuantityRecord, found: Array | None) -> Judged:
        if found is None:
            tally.missing = self.results.evaluation(self.places[0]).why_no_gradient
            return []
        context, inputs, observed, recipe = self.context, self._first, found[0, ...], self.batch.recipe(self.places[0])
        if observed.shape != (wanted := context.shape_of(quantity, inputs)):
            tally.evaluations += 1
            seen, due = f"shape {observed.shape}", f"shape {wanted}"
            summands = context.operation.definition.summands(inputs.shape)
            tally.fail(f"{quantity}: found {seen}, expected {due}", Observation(inputs, summands, None, observed, 0, recipe, seen, due))
            return []
        expectation = self.expectation(quantity, format_of(observed))
        judgement = judge(expectation, observed, flushes=context.flushes)
        if judgement.conforms:
            self._note(tally, expectation, judgement, found)
        else:
            self._see(tally, observed)
            tally.evaluations += 1
            if not tally.failure:
                _record_failure(
                    context,
                    tally,
                    quantity,
                    inputs,
                    expectation,
                    observed,
                    judgement,
                    recipe,
                    self.expect or context.expect,
                    minimise=self.minimise,
                )
        return [(quantity, judgement)]

    def _see(self, tally: QuantityRecord, observed: Array) -> None:
        if (output := format_of(observed).name) != self.context.target.dtype:
            tally.flags[f"returns {output}"] = None
        tally.see(observed)

    def _note(self, tally: QuantityRecord, expectation: Expectation, judgement: Judgement, found: Array, start: int = 0) -> None:
        """Note members from ``start`` on, which are right."""
        self._see(tally, found)
        size = found[0].size
        place, element = divmod(judgement.worst, size) if size else (0, judgement.worst)
        number = self.places[start] + place
        inputs = self.batch.stack.member(number)
        summands = self.context.operation.definition.summands(inputs.shape)
        seen = Observation(inputs, summands, expectation, found, element, self.batch.recipe(number), offset=place * size)
        tally.note(judgement, seen, evaluations=len(found))


def _record_failure(
    context: CheckContext,
    tally: QuantityRecord,
    quantity: Quantity,
    inputs: Inputs,
    expectation: Expectation,
    observed: Array,
    judgement: Judgement,
    recipe: str,
    expect: Expect,
    *,
    minimise: bool,
) -> None:
    """Shrink failing inputs to something a person can read, and put the failure into words."""
    finite = is_finite(observed, judgement)

    def failing(candidate: Inputs) -> tuple[Expectation, Array, Judgement] | None:
        try:
            evaluation = context.evaluated(candidate)
            result = evaluation.of(quantity)
            if result is None:
                return None
            oracle = exact(context.operation.definition, candidate)
            if expect != context.expect and candidate.shape != inputs.shape and first_inexact_step(oracle, candidate.format):
                return None  # of other inputs than those for which nothing rounds, no right result would be exact either
            wanted = expect(oracle, quantity, FORMATS[result.dtype.name])
            if result.shape != wanted.shape:
                return None
            judged = judge(wanted, result, flushes=context.flushes)
        except Exception:  # noqa: BLE001 - a candidate that raises is simply not a simpler example of this failure
            return None
        # A wrong number that shrinks to a nan, or the reverse, has become another failure.
        return None if judged.conforms or is_finite(result, judged) is not finite else (wanted, result, judged)

    smallest = shrink(context.operation.definition, inputs, lambda candidate: failing(candidate) is not None) if minimise else inputs
    if smallest is not inputs and (again := failing(smallest)) is not None:
        inputs, (expectation, observed, judgement) = smallest, again
        recipe = f"shrunk from {recipe}" if recipe else ""
    summands = context.operation.definition.summands(inputs.shape)
    tally.fail(sentence(expectation, observed, judgement), Observation(inputs, summands, expectation, observed, judgement.worst, recipe))
