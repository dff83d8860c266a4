"""Laws of dtypes that differ or that are no float format: what is accepted must be computed right.

A framework may refuse any of it. What it returns instead is held to the exact value of the numbers that it was given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from conformance.checks.context import CheckContext, in_domain, takes
from conformance.checks.judge import judge
from conformance.checks.laws.law import law
from conformance.checks.tally import QuantityRecord
from conformance.checks.wording import describe
from conformance.frameworks.base import Unsupported
from conformance.frameworks.messages import in_decimal, refusal
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.formats import FORMATS, Array, Format

_SMALL = ([3.0, -2.0, 0.5, 4.0], [1.0, 1.0, 0.5, -4.0])
"""Differences 2, -3, 0 and 8: their squares, the sum of these and its quarter are numbers of every format."""
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
_LARGEST = 2**62
"""As large as an integer is drawn: a power of two, so that every format but float16 holds it."""


@dataclass
class _Answers:
    """What a target made of pairs of arguments: failures by pair in words, refusals with what was raised."""

    context: CheckContext
    wrong: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, prediction: Array, target: Array) -> Array | None:
        """The value of one pair in its own dtypes and of the right shape, or None after a complaint or a refusal."""
        if name in self.refused or name in self.wrong:
            return None
        try:
            value = self.context.probe.call(prediction, target).value
        except Exception as error:  # noqa: BLE001 - to refuse is allowed, in whatever way
            self.refused[name] = refusal(error)
            return None
        self.tally.evaluations += 1
        wanted = self.context.operation.definition.value_shape(prediction.shape)
        if value.shape != wanted:
            self.wrong[name] = f"found shape {value.shape}, expected {wanted}"
            return None
        return value

    @property
    def tally(self) -> QuantityRecord:
        """Of the value: the laws of dtypes have no other."""
        return self.context.tallies[Quantity.VALUE]

    def finish(self, what: str) -> None:
        """Tally all pairs; no verdict where every one was refused."""
        if self.wrong:
            self.tally.failure = "value: " + "; ".join(f"{name}: {wrong}" for name, wrong in self.wrong.items())
        elif not self.tally.evaluations:
            self.tally.missing = f"it refuses {what}: {next(iter(self.refused.values()))}"
        elif self.refused:
            self.tally.flags[f"refuses some {what}"] = None


@law(
    "mixed-dtypes",
    "Two float formats in one call are refused, or give the value of the numbers that the returned format holds of them.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
    claims="mixed_dtypes",
)
def mixed_dtypes(context: CheckContext) -> None:
    """Small numbers that all formats hold, and numbers that only one of the two holds; the tested dtype as prediction's and as target's."""
    answers = _Answers(context)
    for first, second in _pairs(context):
        name = f"{first.name} against {second.name}"
        small = _fitted(context, np.array(_SMALL[0]).astype(first.dtype), np.array(_SMALL[1]).astype(second.dtype))
        if (value := answers.call(name, *small)) is not None:
            _judge_exact(answers, name, small, value)
        for steps in ((1, 0), (0, 1)):
            only_one_holds = _fitted(context, _a_step_from_one(first, steps[0]), _a_step_from_one(second, steps[1]))
            if (value := answers.call(name, *only_one_holds)) is not None:
                _judge_narrowed(answers, name, only_one_holds, value)
    answers.finish("mixed dtypes")


@law(
    "integer-inputs",
    "Small integers and truth values are refused, or give their mean squared error: a quotient of integers is not rounded down.",
    (Quantity.VALUE,),
    ("float32",),
    needs_extra_calls=True,
    claims="integers",
)
def integer_inputs(context: CheckContext) -> None:
    """No difference is negative and no square is large; a mean is 5/4, or 3/4 of truth values."""
    answers = _Answers(context)
    for dtype in (*_INTEGERS, "bool"):
        numbers = ([1, 0, 1, 1], [0, 0, 0, 0]) if dtype == "bool" else ([3, 1, 2, 0], [1, 1, 1, 0])
        pair = _fitted(context, np.array(numbers[0], dtype), np.array(numbers[1], dtype))
        if (value := answers.call(dtype, *pair)) is not None:
            _judge_exact(answers, dtype, pair, value)
    answers.finish("integers")


@law(
    "integer-range",
    "Integers whose difference or square their dtype cannot hold are refused, or computed in one that can: nothing wraps round.",
    (Quantity.VALUE,),
    ("float32",),
    needs_extra_calls=True,
    claims="integers",
)
def integer_range(context: CheckContext) -> None:
    """The ends of the range, the smaller one as the prediction; of an unsigned dtype that is a prediction below its target."""
    answers = _Answers(context)
    for dtype in _INTEGERS:
        limits = np.iinfo(dtype)
        pair = _fitted(context, np.array([max(limits.min, -_LARGEST), 0], dtype), np.array([min(limits.max, _LARGEST), 0], dtype))
        if (value := answers.call(dtype, *pair)) is not None:
            _judge_narrowed(answers, dtype, pair, value)
    answers.finish("integers")


@law(
    "integers-beside-floats",
    "An integer beside a float32 is refused, or gives the value of both numbers: a half is not cut off to a whole.",
    (Quantity.VALUE,),
    ("float32",),
    needs_extra_calls=True,
    claims="integers",
)
def integers_beside_floats(context: CheckContext) -> None:
    """Small integers or truth values against halves, as prediction and as target."""
    answers = _Answers(context)
    for dtype in (*_INTEGERS, "bool"):
        numbers = np.array([1, 0, 1, 1] if dtype == "bool" else [3, 1, 2, 0], dtype)
        whole, halves = _fitted(context, numbers, np.full(4, 0.5, np.float32))
        for name, pair in ((f"{dtype} against float32", (whole, halves)), (f"float32 against {dtype}", (halves, whole))):
            if (value := answers.call(name, *pair)) is not None:
                _judge_exact(answers, name, pair, value)
    answers.finish("integers beside floats")


def _pairs(context: CheckContext) -> Iterator[tuple[Format, Format]]:
    """The tested dtype beside each other one. As a target's too, unless that is compiled anew: then another dtype's cell has it."""
    own = FORMATS[context.target.dtype]
    for other in FORMATS.values():
        if other != own:
            yield own, other
            if not context.budget.compiles_each_shape:
                yield other, own


def _a_step_from_one(fmt: Format, steps: int) -> Array:
    """Ones, or the numbers next to them."""
    return np.full(4, 1 + steps * 2.0 ** (1 - fmt.precision)).astype(fmt.dtype)


def _fitted(context: CheckContext, prediction: Array, target: Array) -> tuple[Array, Array]:
    """The two in a shape of the domain, again and again if that is longer.

    Raises:
        Unsupported: the domain has no shape that repeats all of their numbers equally often.
    """
    shape = in_domain(context, prediction.shape)
    if not takes(context, shape):
        shapes = context.domain.shapes if context.domain is not None else ()
        fitting = [one for one in shapes if math.prod(one) and math.prod(one) % prediction.size == 0]
        if not fitting:
            raise Unsupported("the domain has no shape for these numbers")
        shape = fitting[0]
    return np.resize(prediction, shape), np.resize(target, shape)


def _oracle(context: CheckContext, pair: Sequence[Array], fmt: Format) -> Exact:
    prediction, target = (array.astype(fmt.dtype) for array in pair)
    upstream = np.ones(context.operation.definition.value_shape(prediction.shape), fmt.dtype)
    return exact(context.operation.definition, Inputs(prediction, target, None, upstream))


def _judge_exact(answers: _Answers, name: str, pair: Sequence[Array], value: Array) -> None:
    """The exact value and nothing else, in whatever dtype holds it."""
    wanted = _oracle(answers.context, pair, FORMATS["float64"]).value
    numbers = [wanted.at(i) for i in range(value.size)]
    found = [Fraction(x) for x in value.astype(np.float64).ravel().tolist() if np.isfinite(x)]
    if found != numbers:
        exactly = ", ".join(describe(number) for number in numbers)
        answers.wrong[name] = f"found {in_decimal(value)} of dtype {value.dtype.name}, expected exactly {exactly}"


def _judge_narrowed(answers: _Answers, name: str, pair: Sequence[Array], value: Array) -> None:
    """The interval of the numbers given, or of what the returned format holds of them where it cannot hold them all."""
    context = answers.context
    output = FORMATS.get(value.dtype.name)
    if output is None:
        _judge_exact(answers, name, pair, value)
        return
    held = [bool((array.astype(output.dtype).astype(np.float64) == array.astype(np.float64)).all()) for array in pair]
    expectation = context.expect(_oracle(context, pair, output), Quantity.VALUE, output)
    if all(held):
        if not judge(expectation, value, flushes=context.flushes).conforms:
            answers.wrong[name] = _sentence(value, expectation)
        return
    kept = context.expect(_oracle(context, pair, FORMATS["float64"]), Quantity.VALUE, output)
    if judge(kept, value, flushes=context.flushes).conforms:
        return
    if not judge(expectation, value, flushes=context.flushes).conforms:
        answers.wrong[name] = _sentence(value, kept)
        return
    for argument, is_held in zip(("prediction", "target"), held, strict=True):
        if not is_held:
            answers.tally.flags[f"narrows the {argument}"] = None


def _sentence(value: Array, expectation: Expectation) -> str:
    return f"found {in_decimal(value)} of dtype {value.dtype.name}, expected {describe(expectation.at(0).exact)}"
