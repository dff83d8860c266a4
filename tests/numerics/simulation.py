"""Conforming evaluations, step by step in exact arithmetic: whatever the error model leaves open is decided at random.

Each step is computed exactly and rounded to one of the formats that the model allows there; so a result that its interval
refuses shows a bound that is too narrow. Nothing here knows a bound.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from reference import Number, over, plus, times

from conformance.numerics.exact.number import square_root
from conformance.numerics.formats import Format


@dataclass
class Machine:
    """Rounds, and flushes what is subnormal where it is a machine that does.

    ``narrow`` is the inputs' format, ``wide`` the accumulator's, ``output`` the result's.
    """

    narrow: Format
    wide: Format
    output: Format
    choose: random.Random
    flushes_inputs: bool = False
    flushes_results: bool = False

    def read(self, x: Number) -> Number:
        """An input, as the first operation sees it."""
        if self.flushes_inputs and not isinstance(x, float) and abs(x) < self.narrow.smallest_normal:
            return Fraction(0)
        return x

    def rounded(self, x: Number, fmt: Format) -> Number:
        """One operation's exact result, rounded and maybe flushed."""
        if isinstance(x, float):
            return x
        result = fmt.round(x)
        before_rounding = self.choose.random() < 0.5  # IEEE 754 leaves open when a result is seen to be tiny
        if self.flushes_results and abs(x if before_rounding or isinstance(result, float) else result) < fmt.smallest_normal:
            return Fraction(0)
        return result

    def step(self, x: Number) -> Number:
        """An operation that may be rounded to the inputs' format or to the accumulator's."""
        return self.rounded(x, self.narrow if self.choose.random() < 0.5 else self.wide)

    def cast(self, x: Number) -> Number:
        """The last rounding, to the output's format."""
        return self.rounded(x, self.output)

    def summed(self, terms: Sequence[Number]) -> Number:
        """The terms in some order and tree: from left to right, in pairs at random, or in lanes."""
        numbers = list(terms)
        self.choose.shuffle(numbers)
        if self.choose.random() < 0.2:
            numbers.sort(reverse=self.choose.random() < 0.5)
        style = self.choose.randrange(3)
        while len(numbers) > 1:
            first = 0 if style == 0 else self.choose.randrange(len(numbers) - 1)
            numbers[first : first + 2] = [self.rounded(plus(*numbers[first : first + 2]), self.wide)]
        return numbers[0] if numbers else Fraction(0)

    def fused(self, differences: Sequence[Number]) -> Number:
        """s ← fma(d, d, s), in some order: the squares are not rounded."""
        numbers = list(differences)
        self.choose.shuffle(numbers)
        result: Number = Fraction(0)
        for d in numbers:
            result = self.rounded(plus(result, times(d, d)), self.wide)
        return result

    def divided(self, x: Number, divisor: Number) -> Number:
        """A division in the accumulator's format, or a product with a rounded reciprocal."""
        if divisor == 1:
            return x
        held = self.rounded(divisor, self.wide)
        if self.choose.random() < 0.5:
            return self.rounded(over(x, held), self.wide)
        return self.rounded(times(x, self.rounded(over(Fraction(1), held), self.wide)), self.wide)


@dataclass(frozen=True)
class Terms:
    """One element of the value: exact inputs, weights or none, and what the operation is."""

    prediction: Sequence[Number]
    target: Sequence[Number]
    weight: Sequence[Number] | None
    factor: Fraction
    divisor: Number | None
    """The count that the sum is divided by; None for the sum of the weights, which is itself computed."""


def value(machine: Machine, terms: Terms) -> Number:
    """One element of the value by one conforming evaluation."""
    differences = [
        machine.step(plus(machine.read(p), times(Fraction(-1), machine.read(t))))
        for p, t in zip(terms.prediction, terms.target, strict=True)
    ]
    factor = None if terms.factor == 1 else machine.rounded(terms.factor, machine.narrow)
    places = ["each square", "before the division", "after the division"]
    place = machine.choose.choice(places) if factor is not None else ""
    weights = None if terms.weight is None else [machine.read(w) for w in terms.weight]
    if weights is None and place != "each square" and len(differences) > 1 and machine.choose.random() < 0.3:
        result = machine.fused(differences)
    else:
        summands = [machine.step(times(d, d)) for d in differences]
        if weights is not None:
            summands = [machine.step(times(w, s)) for w, s in zip(weights, summands, strict=True)]
        if factor is not None and place == "each square":
            summands = [machine.step(times(factor, s)) for s in summands]
        result = machine.summed(summands)
    divisor = machine.summed(weights or []) if terms.divisor is None else terms.divisor
    if factor is not None and place == "before the division":
        result = machine.rounded(times(factor, result), machine.wide)
    result = machine.divided(result, divisor)
    if factor is not None and place == "after the division":
        result = machine.rounded(times(factor, result), machine.wide)
    return machine.cast(result)


@dataclass(frozen=True)
class Factors:
    """One element of the gradient: 2·factor·w·(p−t)·G / divisor."""

    prediction: Number
    target: Number
    upstream: Number
    weight: Number | None
    factor: Fraction
    divisor: Number


def gradient(machine: Machine, factors: Factors) -> Number:
    """One element of the gradient with respect to the prediction, its factors joined in some order."""
    choose = machine.choose
    d = machine.step(plus(machine.read(factors.prediction), times(Fraction(-1), machine.read(factors.target))))
    parts: list[tuple[str, Number]] = [("number", d), ("double", Fraction(2))]
    if factors.upstream != 1:
        parts.append(("number", machine.read(factors.upstream)))
    if factors.weight is not None:
        parts.append(("number", machine.read(factors.weight)))
    if factors.factor != 1:
        parts.append(("number", machine.rounded(factors.factor, machine.narrow)))
    if factors.divisor != 1:
        held = machine.rounded(factors.divisor, machine.narrow)
        if isinstance(held, float):  # a count that the inputs' format cannot hold at all stays in the accumulator's
            held = machine.rounded(factors.divisor, machine.wide)
        if choose.random() < 0.5:
            parts.append(("divide", held))
        else:
            parts.append(("number", machine.step(over(Fraction(1), held))))
    choose.shuffle(parts)
    result: Number | None = None
    for kind, x in parts:
        if kind == "divide":
            result = machine.step(over(Fraction(1) if result is None else result, x))
        else:
            result = x if result is None else machine.step(times(result, x))
    assert result is not None
    return machine.cast(result)


def rooted(machine: Machine, radicand: Number) -> Number:
    """The root of a computed mean, taken in the accumulator's format and cast, or after the cast."""
    if machine.choose.random() < 0.5:
        radicand = machine.cast(radicand)
    return machine.cast(machine.rounded(square_root(radicand), machine.wide))


def weight_gradient(machine: Machine, terms: Terms, upstream: Number, elements: Sequence[int]) -> Number:
    """The gradient with respect to a weight that the given elements share, by one way of differentiating a product or a quotient."""
    choose = machine.choose
    differences = [
        machine.step(plus(machine.read(p), times(Fraction(-1), machine.read(t))))
        for p, t in zip(terms.prediction, terms.target, strict=True)
    ]
    factor = machine.rounded(terms.factor, machine.narrow)
    squares = [machine.step(times(d, d)) for d in differences]
    if terms.factor != 1:
        squares = [machine.step(times(factor, s)) for s in squares]
    assert terms.weight is not None
    weights = [machine.read(w) for w in terms.weight]
    divisor = machine.step(machine.summed(weights)) if terms.divisor is None else machine.rounded(terms.divisor, machine.wide)

    def scaled(x: Number) -> Number:
        """x·upstream/divisor, joined in some order."""
        if choose.random() < 0.5:
            return machine.step(times(x, _divided(machine, machine.read(upstream), divisor)))
        return _divided(machine, machine.step(times(x, machine.read(upstream))), divisor)

    if terms.divisor is not None:
        parts = [scaled(squares[i]) for i in elements]
        return machine.cast(machine.summed(parts))
    total = machine.step(machine.summed([machine.step(times(w, s)) for w, s in zip(weights, squares, strict=True)]))
    mean = _divided(machine, total, divisor)
    if choose.random() < 0.5:
        parts = [scaled(machine.step(plus(squares[i], times(Fraction(-1), mean)))) for i in elements]
    else:
        shared = scaled(mean)
        parts = [machine.step(plus(scaled(squares[i]), times(Fraction(-1), shared))) for i in elements]
    return machine.cast(machine.summed(parts))


def _divided(machine: Machine, x: Number, divisor: Number) -> Number:
    """A division, or a product with a rounded reciprocal."""
    if divisor == 1:
        return x
    if machine.choose.random() < 0.5:
        return machine.step(over(x, divisor))
    return machine.step(times(x, machine.step(over(Fraction(1), divisor))))
