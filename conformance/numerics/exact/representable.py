"""Whether anything rounds: inputs for which a conforming evaluation has one result, in any order and any wider format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from conformance.numerics.definition import Divisor, Over, Quantity
from conformance.numerics.exact.number import is_power_of_two, lowest_bit
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format, power_of_two


def first_inexact_step(oracle: Exact, fmt: Format, *, rounded_once: bool = False) -> str:
    """What may round in a conforming evaluation in ``fmt``, beside the last step if ``rounded_once``; empty if nothing may."""
    differences = oracle.differences.distinct
    finite = [d for d in differences if isinstance(d, Fraction)]
    if len(finite) < len(differences):
        return "a difference is not finite"
    if not all(fmt.contains(d) for d in finite):
        return "a difference rounds"
    if any(0 < abs(x) < fmt.smallest_normal for x in _met_on_the_way(oracle, finite)):
        return "a subnormal number may be flushed to zero"
    if oracle.definition.root:
        return "a root is taken"
    return _in_the_sum(oracle, fmt, finite, rounded_once=rounded_once) or _in_the_scale(oracle, fmt, finite, rounded_once=rounded_once)


def _in_the_sum(oracle: Exact, fmt: Format, finite: Sequence[Fraction], *, rounded_once: bool) -> str:
    """What may round in the squares and their sums."""
    definition = oracle.definition
    elementwise = definition.over is Over.NONE and definition.divisor is Divisor.ONE and not oracle.weighted
    if not (rounded_once and elementwise):
        terms = _summands(oracle, finite)
        if not all(fmt.contains(x) for d, x in terms for x in (d * d, x)):
            return "a square rounds"
        grid = min((lowest_bit(x) for _, x in terms if x), default=Fraction(1))
        magnitude = max((abs(s) for s in oracle.sums if isinstance(s, Fraction)), default=Fraction(0))
        if oracle.weighted:  # whose terms may have both signs
            magnitude = max((sum((abs(x) for _, x in terms[s]), Fraction(0)) for s in oracle.slices()), default=Fraction(0))
        if magnitude > grid * power_of_two(fmt.accumulator.precision):
            return "a partial sum may round"
    return ""


def _in_the_scale(oracle: Exact, fmt: Format, finite: Sequence[Fraction], *, rounded_once: bool) -> str:
    """What may round afterwards: in divisions, by a factor, or in a result."""
    definition = oracle.definition
    if definition.divisor is not Divisor.ONE and any(finite) and not all(is_power_of_two(n) for n in oracle.divisors):
        return "the division rounds"
    if definition.by_sample and any(finite) and not is_power_of_two(Fraction(oracle.size // max(oracle.shape[0], 1))):
        return "the mean of a row rounds"
    if not is_power_of_two(definition.factor):
        return "the factor rounds"
    results = [q for q in definition.quantities if q is not Quantity.GRADIENT_TARGET and not (rounded_once and q is Quantity.VALUE)]
    if not all(isinstance(x, float) or fmt.contains(x) for quantity in results for x in oracle.of(quantity).distinct):
        return "a result rounds"
    return ""


def _summands(oracle: Exact, differences: Sequence[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """Differences, each with its weighted square: of every element where there are weights, of every distinct one where there are none."""
    if not oracle.weighted:
        return [(d, d * d) for d in differences]
    every = (differences[i] for i in oracle.differences.index.tolist())
    return [(d, w * d * d) for d, w in zip(every, oracle.weights, strict=True) if isinstance(w, Fraction)]


def _met_on_the_way(oracle: Exact, differences: Sequence[Fraction]) -> Iterator[Fraction]:
    """Inputs, differences, squares and results, as far as they are finite."""
    inputs = (oracle.inputs.prediction, oracle.inputs.target, oracle.inputs.weight)
    for array in inputs:
        if array is not None:
            yield from (Fraction(x) for x in np.unique(np.asarray(array, dtype=np.float64)).tolist() if math.isfinite(x))
    for d, x in _summands(oracle, differences):
        yield from (d, d * d, x)
    for quantity in (oracle.value, oracle.gradient_prediction):
        yield from (x for x in quantity.distinct if isinstance(x, Fraction))
