"""Laws that leave nothing to chance: every length up to that of some vectors, every pair of special values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from conformance.checks.context import CheckContext, vector
from conformance.checks.laws.law import law
from conformance.checks.observe import observe
from conformance.inputs.families import special_values
from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Inputs, Over, Quantity
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import FORMATS, Format

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
    """Whole numbers, of which no difference is 0; only the division by the length may round. A profile may leave lengths out."""
    fmt = FORMATS[context.target.dtype]
    shapes = context.budget.shapes
    compiled = [shape[0] for shape in shapes if len(shape) == 1] or [math.prod(shapes[0])]
    lengths = compiled if context.budget.compiles_each_shape else context.budget.lengths
    expect = OnlyTheDivisionRounds.of(context)
    for n in lengths:
        shape = vector(context, n)
        rng = np.random.default_rng([context.seeds()[0], n])
        target = rng.integers(-3, 4, n)
        difference = rng.integers(1, 4, n) * rng.choice([-1, 1], n)
        upstream = np.ones(context.operation.definition.value_shape(shape), fmt.dtype)
        prediction, target = (numbers.astype(fmt.dtype).reshape(shape) for numbers in (target + difference, target))
        inputs = Inputs(prediction, target, None, upstream)
        key = ("every-length", context.operation.name, fmt.name, context.seeds()[0], n)
        observe(context, inputs, key=key, recipe=f"every-length n={n}", expect=expect, minimise=False)
        if any(tally.failure for tally in context.tallies.values()):
            break


@law(
    "special-pairs",
    "Every pair of zeros, subnormals, largest numbers, infinities and NaN gives what it must: nothing is clipped, masked or mended.",
)
def special_pairs(context: CheckContext) -> None:
    """Each value as a prediction against each as a target; where elements are summed, each pair beside an ordinary one."""
    for number, inputs in enumerate(_pairs(context)):
        key = ("special-pairs", context.operation.name, context.target.dtype, context.budget.pair_stride, number)
        observe(context, inputs, key=key, recipe=f"special-pairs {number}", minimise=False)


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
