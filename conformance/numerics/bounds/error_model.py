"""The error model applied to one situation: which steps a conforming evaluation has, and the relative bound they give."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from conformance.numerics.definition import Definition, Divisor, Over, Quantity
from conformance.numerics.exact.number import Number, is_power_of_two, square_root
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format

Situation = Literal[
    "always",
    "reduced",
    "weighted",
    "by-weights",
    "rows",
    "sum-apart",
    "divided",
    "factored",
    "upstream",
    "rooted",
    "rooted-divided",
    "cast",
    "rooted-cast",
]
"""When a step of the error model exists; ``Roundings.situation`` says when that is."""


@dataclass(frozen=True)
class RoundingStep:
    """One line of the error model: how many roundings a step of a conforming evaluation may commit, and why.

    ``count`` is a number or one of the counts that depend on the inputs: ``n-1`` (additions of a sum in any order), ``division`` (see
    ``Roundings``). ``when`` is the situation in which the step exists.
    """

    step: str
    quantity: Literal["value", "gradient", "gradient-weight"]
    count: int | Literal["n-1", "division"]
    format: Literal["input", "accumulator", "output"]
    when: Situation
    because: str


def _has_an_exact_root(divisor: Number) -> bool:
    """Whether it is a power of four: dividing by its root is then exact as well."""
    return is_power_of_two(divisor) and is_power_of_two(square_root(divisor))


_OF_WEIGHTS = (Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS)
_KEPT = 4096
_THETAS: dict[tuple[int, Hashable], tuple[Sequence[RoundingStep], Fraction]] = {}
"""θ of the situations met: inputs of one shape share it. A model is told by its identity, and kept so that no other one takes it over."""


@dataclass(frozen=True)
class Roundings:
    """The steps of a conforming evaluation of one element of one quantity.

    ``summands`` is n, ``divisor`` what the sum is divided by, ``unit_upstream`` whether the upstream gradient is one.
    """

    model: Sequence[RoundingStep]
    definition: Definition
    quantity: Quantity
    input: Format
    output: Format
    summands: int
    divisor: Number
    weighted: bool
    unit_upstream: bool

    @property
    def accumulator(self) -> Format:
        """The format sums are kept in: float32 for the half formats."""
        return self.input.accumulator

    @cached_property
    def situation(self) -> frozenset[str]:
        """Which of the error model's situations hold (specs/README.md explains each)."""
        reduced = self.definition.over is not Over.NONE
        by_weights = self.definition.divisor is Divisor.WEIGHTS and not self.definition.masked
        divided = self._divisor_rounds or (self.definition.divisor is not Divisor.ONE and not is_power_of_two(self.divisor))
        narrowed = self.input.is_wider_than(self.output)
        rooted, cast = self.definition.root, narrowed or ((reduced or divided) and self.accumulator.is_wider_than(self.output))
        holds = {
            "always": True,
            "reduced": reduced,
            "weighted": self.weighted,
            "by-weights": by_weights,
            "rows": self.definition.by_sample or self.definition.divisor is Divisor.LAST_AXIS,
            "sum-apart": reduced and (self.definition.divisor in _OF_WEIGHTS or self.definition.factor != 1),
            "divided": divided,
            "factored": not is_power_of_two(abs(self.definition.factor)),
            "upstream": not self.unit_upstream,
            "rooted": rooted,
            "rooted-divided": rooted and not _has_an_exact_root(self.divisor),
            "cast": cast,
            "rooted-cast": rooted and cast,
        }
        return frozenset(name for name, value in holds.items() if value)

    @property
    def _divisor_rounds(self) -> bool:
        """Whether the divisor is itself a rounded sum, so that it may come out as another number than the exact one."""
        return self.definition.divisor is Divisor.WEIGHTS and self.summands > 1 and not self.definition.masked

    def format_of(self, step: RoundingStep) -> Format:
        """The format in which a step is rounded."""
        return {"input": self.input, "accumulator": self.accumulator, "output": self.output}[step.format]

    def _count(self, step: RoundingStep) -> int:
        if step.count == "n-1":
            return max(self.summands - 1, 0)
        if step.count == "division":
            # One rounding for a true division, two for multiplying by a rounded 1/N, three when N itself is rounded first.
            representable = isinstance(self.divisor, Fraction) and self.format_of(step).contains(self.divisor)
            return 2 if representable and not self._divisor_rounds else 3
        if step.when == "factored" and not self.format_of(step).contains(self.definition.factor):
            return int(step.count) + 1  # the factor itself is rounded before it is multiplied in
        return int(step.count)

    @cached_property
    def steps(self) -> tuple[tuple[RoundingStep, int], ...]:
        """Each step that exists here, with its number of roundings."""
        kind = {Quantity.VALUE: "value", Quantity.GRADIENT_WEIGHT: "gradient-weight"}.get(self.quantity, "gradient")
        return tuple((s, self._count(s)) for s in self.model if s.quantity == kind and s.when in self.situation)

    @cached_property
    def theta(self) -> Fraction:
        """θ = Π(1+v)^count · (1+(n−1)u) − 1: the relative bound, the sum's in any order by Jeannerod and Rump (2013)."""
        d = self.divisor
        divisor = (d.numerator, d.denominator) if isinstance(d, Fraction) else d
        situation = (self.definition, self.quantity, self.input, self.output, self.summands, divisor, self.weighted, self.unit_upstream)
        key = (id(self.model), situation)
        if key not in _THETAS:
            if len(_THETAS) >= _KEPT:
                _THETAS.clear()
            _THETAS[key] = self.model, self._theta()
        return _THETAS[key][1]

    def theta_with(self, divisor_error: Fraction, *, times: int = 1) -> Fraction:
        """θ where the divisor has a relative error of its own, and divides so many times."""
        return (1 + self.theta) / (1 - divisor_error) ** times - 1 if divisor_error else self.theta

    def _theta(self) -> Fraction:
        product = Fraction(1)
        for step, count in self.steps:
            chosen = self.format_of(step)
            product *= 1 + count * chosen.unit_roundoff if step.count == "n-1" else (1 + chosen.rounding) ** count
        return product - 1


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is known of a conforming evaluation: its exact results, the error model, and the format of what it returns.

    ``flushes``: the target is declared to flush subnormal inputs and results to zero.
    """

    exact: Exact
    model: Sequence[RoundingStep]
    output: Format
    flushes: bool

    def roundings(self, quantity: Quantity, summands: int, divisor: Number, *, unit_upstream: bool = True) -> Roundings:
        """The roundings of one element of a quantity."""
        exact, fmt = self.exact, self.exact.inputs.format
        return Roundings(
            self.model,
            exact.definition,
            quantity,
            fmt,
            self.output,
            summands,
            divisor,
            weighted=exact.weighted,
            unit_upstream=unit_upstream,
        )

    def lost(self, fmt: Format) -> Fraction:
        """Largest absolute error of one underflowing result: λ/2 with gradual underflow, ν where it is flushed to zero."""
        return fmt.smallest_normal if self.flushes else fmt.smallest_subnormal / 2
