"""What a check has seen: one evaluation, and the tally of all of them for a quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b

import numpy as np

from conformance.checks.judge import Judgement
from conformance.checks.wording import allowed_in_words, describe, digits_of, hexadecimal, hexadecimals
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array
from conformance.results.records import AtSize, Grade, Outcome, Witness

NOTHING = "nothing was evaluated"
QUANTITIES = (Quantity.VALUE, Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)


ALL_QUANTITIES: tuple[Quantity, ...] = ()
"""In the place of a law's quantities: all that the operation has."""


@dataclass(frozen=True)
class Observation:
    """One evaluation that is worth telling: what went in, what came out, what was expected, and how to make it again."""

    inputs: Inputs
    summands: int
    expectation: Expectation | None
    observed: Array
    element: int
    recipe: str
    found: str = ""
    wanted: str = ""
    """In words, where there is no expectation: what came back, and what it should have been."""
    offset: int = 0
    """Where these inputs begin in ``expectation`` and ``observed``, where those are of many together."""

    def witness(self, *, arrays: int = 64) -> Witness:
        """In hexadecimal. Arrays of more than ``arrays`` elements are shown by their ends, or not at all where there is a recipe."""
        if self.expectation is None or not self.observed.size:
            return self._with(arrays, observed=self.found or "empty", expected=self.wanted or "empty")
        interval = self.expectation.at(self.offset + self.element)
        return self._with(
            arrays,
            observed=hexadecimal(self.observed.ravel()[self.offset + self.element]),
            expected=describe(interval.exact),
            allowed=(allowed_in_words(interval, digits_of(self.expectation)),),
        )

    def errors(self) -> tuple[float | None, float | None]:
        """The error of this element in u and in ulp, also where it lies outside the interval; None where it is not finite."""
        if self.expectation is None or not self.observed.size:
            return None, None
        x, fmt = float(self.observed.ravel()[self.offset + self.element]), self.expectation.measured_in
        expected = self.expectation.at(self.offset + self.element).exact
        if not (math.isfinite(x) and isinstance(expected, Fraction)):
            return None, None
        error = abs(Fraction(x) - expected)
        try:
            return float(error / (fmt.unit_roundoff * max(abs(expected), fmt.smallest_normal))), float(error / fmt.ulp(expected))
        except OverflowError:
            return None, None

    def _with(self, arrays: int, *, observed: str, expected: str, allowed: tuple[str, ...] = ()) -> Witness:
        upstream = self.inputs.upstream
        ones = bool(np.all(upstream.astype(np.float64) == 1))
        return Witness(
            shape=self.inputs.shape,
            prediction=hexadecimals(self.inputs.prediction, arrays),
            target=hexadecimals(self.inputs.target, arrays),
            weight=() if self.inputs.weight is None else hexadecimals(self.inputs.weight, arrays),
            upstream=() if ones else hexadecimals(upstream, arrays),
            element=self.element,
            expected=expected,
            allowed=allowed,
            observed=observed,
            recipe=self.recipe,
        )


@dataclass
class QuantityRecord:
    """What a check has seen of one quantity: the worst conforming error, the first failure, the flags."""

    evaluations: int = 0
    error_u: float = 0.0
    error_ulp: float = 0.0
    error_over_bound: float = 0.0
    correctly_rounded: bool = True
    flags: dict[str, None] = field(default_factory=dict)
    worst: Observation | None = None
    failure: str = ""
    failed: Observation | None = None
    missing: str = ""
    refused: str = ""
    """What the implementation said of inputs that it does not take; it may have taken others."""
    grade: Grade | None = None
    """Where the check itself grades what it measured."""
    growth: tuple[AtSize, ...] = ()
    """Likewise, where it measured at several numbers of elements."""
    bits: blake2b | None = None
    """Where somebody wants one: a digest of all results so far, as float64, which every dtype fits into."""

    def see(self, observed: Array) -> None:
        """Digest a result, whatever becomes of it."""
        if self.bits is not None:
            self.bits.update(observed.astype(np.float64).tobytes())

    def fail(self, sentence: str, observation: Observation) -> None:
        """Keep the first failure."""
        if not self.failure:
            self.failure, self.failed = sentence, observation

    def note(self, judgement: Judgement, observation: Observation, *, evaluations: int = 1) -> None:
        """Count conforming evaluations that were judged together, and keep what was seen of the worst if it is the worst so far."""
        self.evaluations += evaluations
        self.flags.update(dict.fromkeys(judgement.allowances))
        self.correctly_rounded &= judgement.correctly_rounded
        self.error_u = max(self.error_u, judgement.error_u)
        self.error_over_bound = max(self.error_over_bound, judgement.error_over_bound)
        if judgement.error_ulp > self.error_ulp or self.worst is None:
            self.error_ulp = max(self.error_ulp, judgement.error_ulp)
            self.worst = observation


def is_finite(observed: Array, judgement: Judgement) -> bool:
    """Whether the worst element is a finite number."""
    return bool(np.isfinite(observed.ravel()[judgement.worst].astype(np.float64)))


def outcome_of(tally: QuantityRecord) -> tuple[Outcome, str]:
    """The outcome of a finished tally and its reason."""
    if tally.failure:
        return Outcome.FAIL, tally.failure
    if tally.missing:
        return Outcome.UNSUPPORTED, tally.missing
    if not tally.evaluations and tally.refused:
        return Outcome.UNSUPPORTED, tally.refused
    if not tally.evaluations:
        return Outcome.ERROR, NOTHING
    return Outcome.PASS, ""
