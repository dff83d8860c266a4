"""Laws that leave nothing to chance: every length up to that of some vectors, every pair of special values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from conformance.checks.context import CheckContext, in_domain, inputs_in_domain
from conformance.checks.laws.law import law
from conformance.checks.observe import Batch, observe_batch, observe_each
from conformance.inputs.families import special_values
from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Inputs, Over, Quantity, Shape
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.numerics.stack import Stack

_AFTER_THE_SUM = frozenset({"division", "product", "cast"})


@dataclass(frozen=True)
class OnlyTheDivisionRounds:
    """The interval of inputs whose differences, squares and sums are exact: what is left of the error model."""

    steps: tuple[RoundingStep, ...]
    flushes: bool

    @classmethod
    def of(cls, context: CheckContext) -> OnlyTheDivisionRounds:
        """For the error model and the flush policy of a check."""
        return cls(tuple(step for step in context.error_model if step.step in _AFTER_THE_SUM), context.flushes)

    def __call__(self, oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
        """The expectation of one quantity."""
        return expectation_of(oracle, self.steps, quantity, output, flushes=self.flushes)


@law(
    "every-length",
    "Every length from 1 to 130 gives its sum exactly: the tail of no vector width is dropped, repeated or read beyond its end.",
)
def every_length(context: CheckContext) -> None:
    """Whole numbers, of which few differences are 0; only the division by the length may round.

    Also what is rounded to the inputs' format before it is divided is exact. A profile may leave lengths out; a domain of few shapes has
    all of them here.
    """
    fmt = FORMATS[context.target.dtype]
    expect = OnlyTheDivisionRounds.of(context)

    def drawn(shape: Shape) -> Batch:
        rng = np.random.default_rng([context.seeds()[0], math.prod(shape)])
        target = rng.integers(-3, 4, shape)
        difference = _differences(rng, shape, context.operation.definition.summands(shape), fmt)
        upstream = np.ones(context.operation.definition.value_shape(shape), fmt.dtype)
        inputs = Inputs((target + difference).astype(fmt.dtype), target.astype(fmt.dtype), None, upstream)
        key = ("every-length", context.operation.name, fmt.name, context.seeds()[0], shape)
        return Batch.of(inputs, key, f"every-length n={'x'.join(map(str, shape))}")

    for _ in observe_each(context, map(drawn, _lengths(context)), expect, minimise=False):
        if any(tally.failure for tally in context.tallies.values()):
            break


def _lengths(context: CheckContext) -> Sequence[Shape]:
    shapes = context.budget.shapes
    if context.domain is not None and context.domain.shapes:
        return context.domain.shapes
    compiled = [shape[0] for shape in shapes if len(shape) == 1] or [math.prod(shapes[0])]
    return [in_domain(context, (n,)) for n in (compiled if context.budget.compiles_each_shape else context.budget.lengths)]


def _differences(rng: np.random.Generator, shape: Shape, summands: int, fmt: Format) -> Array:
    """From −3 to 3, and so few of them other than 0 that the accumulator holds every sum; the inputs' format holds those of all squares."""
    most = 2**fmt.accumulator.precision // 9
    drawn: Array = rng.integers(1, 4, shape) * rng.choice([-1, 1], shape)
    if summands > most:
        drawn *= rng.random(shape) < most / summands / 2
    for row in drawn.reshape(-1, max(summands, 1)):
        _round_to_a_number(row, fmt)
    return drawn


def _round_to_a_number(row: Array, fmt: Format) -> None:
    """Change differences of 1 to 2, each of which adds 3 to the sum of squares, until the format holds it."""
    ones = np.flatnonzero(np.abs(row) == 1)
    total = int(np.square(row).sum())
    changed = next((count for count in range(len(ones) + 1) if fmt.contains(Fraction(total + 3 * count))), 0)
    row[ones[:changed]] *= 2


@law(
    "special-pairs",
    "Every pair of zeros, subnormals, largest numbers, infinities and NaN gives what it must: nothing is clipped, masked or mended.",
)
def special_pairs(context: CheckContext) -> None:
    """Each value as a prediction against each as a target; where elements are summed, each pair beside an ordinary one."""
    stack = Stack.of([_placed(context, pair) for pair in _pairs(context)])
    shape = stack.arrays.prediction.shape
    key = ("special-pairs", context.operation.name, context.target.dtype, context.budget.pair_stride, shape)
    observe_batch(context, Batch(stack, key, "special-pairs {}".format), minimise=False)


def _placed(context: CheckContext, inputs: Inputs) -> Inputs:
    """In a shape of the domain; where that has few shapes, again and again in the smallest one."""
    definition = context.operation.definition
    shapes = [] if context.domain is None else sorted(context.domain.shapes, key=math.prod)
    if not shapes or definition.over not in {Over.ALL, Over.NONE}:
        return inputs_in_domain(context, inputs)
    prediction, target = (np.resize(array, shapes[0]) for array in (inputs.prediction, inputs.target))
    return Inputs(prediction, target, None, np.ones(definition.value_shape(shapes[0]), prediction.dtype))


def _pairs(context: CheckContext) -> Iterator[Inputs]:
    fmt, over = FORMATS[context.target.dtype], context.operation.definition.over
    values = np.array(special_values(fmt)).astype(fmt.dtype)
    prediction, target = (grid.ravel() for grid in np.meshgrid(values, values, indexing="ij"))
    beside = np.stack([prediction, np.ones_like(prediction)], axis=-1), np.stack([target, np.zeros_like(target)], axis=-1)
    ones = np.ones(1, fmt.dtype)
    if over is Over.NONE:
        yield Inputs(prediction, target, None, np.broadcast_to(ones, prediction.shape))
    elif over in {Over.LAST_AXIS, Over.ALL_BUT_FIRST}:
        yield Inputs(*beside, None, np.broadcast_to(ones, prediction.shape))
    else:
        whole = Inputs(*beside, None, ones.reshape(()))
        for row in range(0, prediction.size, context.budget.pair_stride):
            yield replace(whole, prediction=beside[0][row], target=beside[1][row])
