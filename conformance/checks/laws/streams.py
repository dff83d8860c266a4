"""Laws of streams: a loss that is accumulated over batches is the loss of the whole, however the whole is cut."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext, Expect, FunctionEvaluator, in_domain, takes
from conformance.checks.laws.comparing import Drawn, draw, exact_inputs, same
from conformance.checks.laws.law import law
from conformance.checks.observe import observe
from conformance.frameworks.base import Evaluation, ExecutionMismatch, ExecutionReport, Unsupported
from conformance.frameworks.messages import refusal
from conformance.inputs.families import ordinary
from conformance.numerics.definition import Inputs, Quantity, Shape

Split = Callable[[int], Sequence[int]]
"""From a number of rows to those of each batch."""

_ROWS: tuple[Shape, ...] = ((8, 4), (16, 2, 2))
"""Powers of two of elements, so that the division is exact too; 8 and 16 rows make 3 + 3 + 2 and a last batch of one."""
_VECTORS: tuple[Shape, ...] = ((8,), (64,))
_T = TypeVar("_T")


def in_threes(rows: int) -> list[int]:
    """Batches of three rows, and one of what is left over."""
    return [*[3] * (rows // 3), rows % 3]


def in_halves(rows: int) -> list[int]:
    """Two batches of equal length."""
    return [rows // 2, rows - rows // 2]


SPLITS: tuple[Split, ...] = (
    in_threes,
    lambda rows: [1, rows - 1],
    lambda rows: [rows - 1, 1],
    in_halves,
    lambda rows: [1] * rows,
    lambda rows: [rows],
)
"""Ragged batches, of which any weighting other than by their rows makes another number; equal ones; one."""
WITH_NOTHING: tuple[Split, ...] = (
    lambda rows: [rows // 2, 0, rows - rows // 2],
    lambda rows: [rows, 0],
    lambda rows: [0, rows],
)
"""A batch without rows between others, at the end, at the beginning."""


@law(
    "any-split",
    "A loss accumulated over batches of rows is the loss of the whole, equal or ragged, however the whole is cut: "
    "bit for bit where nothing rounds, within the interval of the whole elsewhere.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    rarely_offered=True,
)
def any_split(context: CheckContext) -> None:
    """Exact data first, whose sums are exact in any order; then ordinary numbers, for which every batch may add its roundings."""
    for shape in _in_domain(context, _few(context, _ROWS)):
        for seed in context.seeds()[:2]:
            for split in _few(context, SPLITS, 2):
                _hold(context, exact_inputs(context, shape, seed), split, ("exact-data", shape, seed), exactly)
                _hold(context, draw(context, ordinary, "ordinary", shape, seed), split, ("ordinary", shape, seed))


@law(
    "any-split-of-a-vector",
    "A loss accumulated over batches of single numbers, without a further axis, is the loss of the whole: "
    "a batch counts as many elements as it has, and not as one.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    rarely_offered=True,
)
def any_split_of_a_vector(context: CheckContext) -> None:
    """Exact data; what takes the mean of each vector and counts it once gives the mean of the batches' means."""
    for shape in _in_domain(context, _few(context, _VECTORS)):
        seed = context.seeds()[0]
        for split in _few(context, SPLITS, 2):
            _hold(context, exact_inputs(context, shape, seed), split, ("exact-data", shape, seed), exactly)


@law(
    "empty-batch",
    "A batch without rows, where one is taken, changes nothing: it has no squares to add and no elements to count.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    rarely_offered=True,
)
def empty_batch(context: CheckContext) -> None:
    """Of rows and of a vector. An implementation may also refuse it, and its cell then says so."""
    tally = context.tallies[Quantity.VALUE]
    seed = context.seeds()[0]
    for shape in _in_domain(context, (_ROWS[0], _VECTORS[0])):
        drawn, key = exact_inputs(context, shape, seed), ("exact-data", shape, seed)
        _hold(context, drawn, in_halves, key, exactly)  # what raises here refuses more than nothing at all
        for split in _few(context, WITH_NOTHING):
            try:
                _hold(context, drawn, split, key, exactly)
            except (ExecutionMismatch, Unsupported):
                raise
            except Exception as error:  # noqa: BLE001 - to refuse nothing at all is allowed, in whatever way
                tally.flags[f"refuses an empty batch: {refusal(error)}"] = None


@law(
    "updates-reset",
    "A stream begins from nothing: after another one, and once what was accumulated is reset, the same batches give the same bits.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    rarely_offered=True,
)
def updates_reset(context: CheckContext) -> None:
    """One stream, another of other numbers and other batches, and the first again; here results may be rounded."""
    seeds = context.seeds()
    for shape in _in_domain(context, _few(context, _ROWS)):
        first, other = (draw(context, ordinary, "ordinary", shape, seed) for seed in (seeds[0], seeds[-1]))
        lengths = in_threes(shape[0])
        before = context.probe.accumulate(first.inputs, lengths)
        context.probe.accumulate(other.inputs, in_halves(shape[0]))
        after = context.probe.accumulate(first.inputs, lengths)
        again = replace(first, recipe=f"{first.recipe} {in_batches(lengths)}")
        same(context, Quantity.VALUE, after, before, again, "of a stream that came again")


def _in_domain(context: CheckContext, shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes, with as many axes of one element after the rows as the domain wants.

    Raises:
        Unsupported: batches of a subject of few shapes would have other ones.
    """
    found = []
    for shape in shapes:
        rows = shape if takes(context, shape) else in_domain(context, (*shape, 1) if len(shape) == 1 else shape)
        if context.domain is not None and not context.domain.takes(rows):
            raise Unsupported(f"outside of its domain: it takes {context.domain.in_words()}")
        found.append(rows)
    return found


def _few(context: CheckContext, everything: Sequence[_T], most: int = 1) -> Sequence[_T]:
    """All of them in eager mode; elsewhere each split of a shape is a program of its own, and the first ones have to do."""
    return everything if context.target.mode == "eager" and not context.budget.compiles_each_shape else everything[:most]


def in_batches(lengths: Iterable[int]) -> str:
    """The word of a recipe that says how inputs were cut: ``batches=3,3,2``."""
    return f"batches={','.join(map(str, lengths))}"


def _hold(context: CheckContext, drawn: Drawn, split: Split, key: tuple[Hashable, ...], expect: Expect | None = None) -> None:
    """Judge a stream by what is expected of the whole. Nothing is shrunk: with fewer rows it would be cut in another way."""
    tally = context.tallies[Quantity.VALUE]
    if tally.failure:
        return
    lengths = split(drawn.inputs.shape[0])
    observe(
        _streamed(context, lengths),
        drawn.inputs,
        key=("streams", context.operation.name, context.target.dtype, *key),
        recipe=f"{drawn.recipe} {in_batches(lengths)}",
        expect=expect,
        minimise=False,
    )
    if tally.failed is not None:
        tally.failure += f"; in batches of {', '.join(map(str, lengths))} rows"


def _streamed(context: CheckContext, lengths: Sequence[int]) -> CheckContext:
    """The context, with a stream of batches wherever it would evaluate inputs as a whole. Its probe attests device and mode."""

    def evaluate(inputs: Inputs) -> Evaluation:
        value = context.probe.accumulate(inputs, lengths)
        return Evaluation(value, {}, ExecutionReport(context.target.device, context.target.mode, value.dtype.name, value.shape))

    return replace(context, evaluate=FunctionEvaluator(evaluate))
