"""One target under test: evaluates inputs, attests what came back, judges it, and keeps the tally of a check."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np

from conformance.checks.judge import Judgement, allowed_in_words, digits_of, hexadecimal, hexadecimals, in_words, judge, sentence
from conformance.frameworks.base import Evaluate, Evaluation, NotAttested, Refused
from conformance.frameworks.probe import Probe
from conformance.inputs.shrink import shrink
from conformance.numerics.bounds import expectation_of
from conformance.numerics.definition import Definition, Inputs, Quantity, Shape
from conformance.numerics.errormodel import Step
from conformance.numerics.exact import Exact, exact
from conformance.numerics.formats import FORMATS, Array, Format, format_of
from conformance.numerics.interval import Expectation
from conformance.numerics.rounding import what_rounds
from conformance.profiles import Profile
from conformance.results import Outcome, Target, Witness
from conformance.specs.model import Operation, Policy

QUANTITIES = (Quantity.VALUE, Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
OF_THE_OPERATION: tuple[Quantity, ...] = ()
"""In the place of a law's quantities: all that the operation has."""
Expect = Callable[[Exact, Quantity, Format], Expectation]
"""Makes the expectation of one quantity in the output format that came back."""

_KEPT = 16_384
_ELEMENTS = 1_000_000
"""Of all arrays that are kept: about 100 bytes each."""


class ExpectationCache:
    """Expectations of recent inputs: targets of one operation and dtype see the same bits, so each is made once.

    It must hold all that one target sees: the next one begins at the beginning again, and of fewer it would find none.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Expectation] = OrderedDict()
        self._elements = 0

    def get(self, key: Hashable, make: Callable[[], Expectation]) -> Expectation:
        """The expectation under ``key``, made when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        self._kept[key] = made
        self._elements += made.index.size
        while len(self._kept) > _KEPT or (self._elements > _ELEMENTS and len(self._kept) > 1):
            self._elements -= self._kept.popitem(last=False)[1].index.size
        return made


@dataclass(frozen=True)
class Sight:
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
            expected=in_words(interval.exact),
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
class Tally:
    """What a check has seen of one quantity: the worst conforming error, the first failure, the flags."""

    evaluations: int = 0
    error_u: float = 0.0
    error_ulp: float = 0.0
    error_over_bound: float = 0.0
    correctly_rounded: bool = True
    flags: dict[str, None] = field(default_factory=dict)
    worst: Sight | None = None
    failure: str = ""
    failed: Sight | None = None
    missing: str = ""
    refused: str = ""
    """What the implementation said of inputs that it does not take; it may have taken others."""
    bits: blake2b | None = None
    """Where somebody wants one: a digest of all results so far, as float64, which every dtype fits into."""

    def see(self, observed: Array) -> None:
        """Digest a result, whatever becomes of it."""
        if self.bits is not None:
            self.bits.update(observed.astype(np.float64).tobytes())

    def fail(self, sentence: str, sight: Sight) -> None:
        """Keep the first failure."""
        if not self.failure:
            self.failure, self.failed = sentence, sight

    def note(self, judgement: Judgement, sight: Sight, *, evaluations: int = 1) -> None:
        """Count conforming evaluations that were judged together, and keep what was seen of the worst if it is the worst so far."""
        self.evaluations += evaluations
        self.flags.update(dict.fromkeys(judgement.names))
        self.correctly_rounded &= judgement.correctly_rounded
        self.error_u = max(self.error_u, judgement.error_u)
        self.error_over_bound = max(self.error_over_bound, judgement.error_over_bound)
        if judgement.error_ulp > self.error_ulp or self.worst is None:
            self.error_ulp = max(self.error_ulp, judgement.error_ulp)
            self.worst = sight


@dataclass(frozen=True)
class Sibling:
    """The same entry point's form of another operation: ``mse_loss.sum`` beside ``mse_loss.mean``."""

    name: str
    definition: Definition
    evaluate: Evaluate


@dataclass
class Trial:
    """A prepared target and everything needed to judge it.

    ``probe`` answers what goes beyond value and gradients; ``siblings`` prepares the entry point's forms of other operations.
    """

    target: Target
    operation: Operation
    evaluate: Evaluate
    error_model: Sequence[Step]
    flushes: bool
    profile: Profile
    cache: ExpectationCache
    probe: Probe = field(default_factory=Probe)
    siblings: Callable[[], Sequence[Sibling]] = tuple
    kept: dict[str, Any] = field(default_factory=dict)
    """What a check of this target found that another builds on, by the check's id."""
    declared: Mapping[str, Policy] = field(default_factory=dict)
    """What the specs declare of the target, by policy."""

    def expect(self, oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
        """The interval of the error model, for this target's flush policy."""
        return expectation_of(oracle, self.error_model, quantity, output, flushes=self.flushes)

    def attested(self, inputs: Inputs) -> Evaluation:
        """Evaluate, and refuse what did not run as asked.

        Raises:
            NotAttested: another device, another mode, or a narrower dtype than the inputs'.
        """
        return self.as_asked(self.evaluate(inputs))

    def as_asked(self, evaluation: Evaluation) -> Evaluation:
        """An evaluation, unless it did not run as asked.

        Raises:
            NotAttested: as above.
        """
        asked, ran = self.target, evaluation.attested
        if ran.device != asked.device:
            raise NotAttested(f"asked for the device {asked.device}, it ran on {ran.device}")
        if ran.mode != asked.mode:
            raise NotAttested(f"asked for the mode {asked.mode}, it ran in {ran.mode}")
        arrays = {"value": evaluation.value, **evaluation.gradients}
        for name, array in arrays.items():
            wanted = FORMATS[asked.dtype]
            try:
                found = format_of(array)
            except KeyError:
                unknown = array.dtype.name
                raise NotAttested(f"{name}: found the dtype {unknown}, expected {asked.dtype}", returned=unknown) from None
            if not (found == wanted or found.is_wider_than(wanted)):
                raise NotAttested(f"asked for {asked.dtype}, {name} came back as {found.name}", returned=found.name)
        return evaluation

    def observe(
        self,
        tallies: Mapping[Quantity, Tally],
        inputs: Inputs,
        *,
        key: Hashable,
        recipe: str,
        expect: Expect | None = None,
        minimise: bool = True,
    ) -> dict[Quantity, Judgement]:
        """Evaluate once and judge every quantity in ``tallies``; failures are shrunk and written into the tally."""
        evaluation = self.evaluated(tallies, inputs)
        if evaluation is None:
            return {}
        return self.judged(tallies, inputs, evaluation, key=key, recipe=recipe, expect=expect, minimise=minimise)

    def evaluated(self, tallies: Mapping[Quantity, Tally], inputs: Inputs) -> Evaluation | None:
        """An attested evaluation; None where the implementation refuses the inputs, which is written into the tallies."""
        try:
            return self.attested(inputs)
        except Refused as refusal:
            for tally in tallies.values():
                tally.refused = str(refusal)
                tally.flags["refuses some inputs"] = None
            return None

    def judged(
        self,
        tallies: Mapping[Quantity, Tally],
        inputs: Inputs,
        evaluation: Evaluation,
        *,
        key: Hashable,
        recipe: str,
        expect: Expect | None = None,
        minimise: bool = True,
    ) -> dict[Quantity, Judgement]:
        """Judge every quantity in ``tallies`` of an evaluation."""
        judgements = {}
        oracle: list[Exact] = []

        def lazy_oracle() -> Exact:
            if not oracle:
                oracle.append(exact(self.operation.definition, inputs))
            return oracle[0]

        for quantity, tally in tallies.items():
            observed = evaluation.of(quantity)
            if observed is None:
                tally.missing = evaluation.why_no_gradient
                continue
            wanted_shape = self.shape_of(quantity, inputs)
            summands = self.operation.definition.summands(inputs.shape)
            if observed.shape != wanted_shape:
                tally.evaluations += 1
                found, wanted = f"shape {observed.shape}", f"shape {wanted_shape}"
                tally.fail(
                    f"{quantity}: found {found}, expected {wanted}", Sight(inputs, summands, None, observed, 0, recipe, found, wanted)
                )
                continue
            output = format_of(observed)
            if output.name != self.target.dtype:
                tally.flags[f"returns {output.name}"] = None
            tally.see(observed)
            expectation = self.expectation(key, quantity, output, expect, lazy_oracle)
            judgement = judge(expectation, observed, flushes=self.flushes)
            judgements[quantity] = judgement
            if judgement.conforms:
                tally.note(judgement, Sight(inputs, summands, expectation, observed, judgement.worst, recipe))
                continue
            tally.evaluations += 1
            if not tally.failure:
                self._record_failure(
                    tally, quantity, inputs, expectation, observed, judgement, recipe, expect or self.expect, minimise=minimise
                )
        return judgements

    def shape_of(self, quantity: Quantity, inputs: Inputs) -> Shape:
        """The shape that a result of these inputs must have."""
        if quantity is Quantity.VALUE:
            return self.operation.definition.value_shape(inputs.shape)
        return inputs.weight.shape if quantity is Quantity.GRADIENT_WEIGHT and inputs.weight is not None else inputs.shape

    def expectation(
        self, key: Hashable, quantity: Quantity, output: Format, expect: Expect | None, oracle: Callable[[], Exact]
    ) -> Expectation:
        """Made once for all targets that see the same bits; the two gradients are each other's negation, in every rule."""

        def of(wanted: Quantity) -> Expectation:
            return self.cache.get(
                (key, wanted, output.name, self.flushes, expect),
                lambda: (expect or self.expect)(oracle(), wanted, output),
            )

        if quantity is not Quantity.GRADIENT_TARGET:
            return of(quantity)
        return self.cache.get(
            (key, quantity, output.name, self.flushes, expect),
            lambda: of(Quantity.GRADIENT_PREDICTION).negated(quantity),
        )

    def _record_failure(
        self,
        tally: Tally,
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
        finite = _is_finite(observed, judgement)

        def failing(candidate: Inputs) -> tuple[Expectation, Array, Judgement] | None:
            try:
                evaluation = self.attested(candidate)
                result = evaluation.of(quantity)
                if result is None:
                    return None
                oracle = exact(self.operation.definition, candidate)
                if expect != self.expect and candidate.shape != inputs.shape and what_rounds(oracle, candidate.format):
                    return None  # of other inputs than those for which nothing rounds, no right result would be exact either
                wanted = expect(oracle, quantity, FORMATS[result.dtype.name])
                if result.shape != wanted.shape:
                    return None
                judged = judge(wanted, result, flushes=self.flushes)
            except Exception:  # noqa: BLE001 - a candidate that raises is simply not a simpler example of this failure
                return None
            # A wrong number that shrinks to a nan, or the reverse, has become another failure.
            return None if judged.conforms or _is_finite(result, judged) is not finite else (wanted, result, judged)

        smallest = shrink(self.operation.definition, inputs, lambda candidate: failing(candidate) is not None) if minimise else inputs
        if smallest is not inputs and (again := failing(smallest)) is not None:
            inputs, (expectation, observed, judgement) = smallest, again
            recipe = f"shrunk from {recipe}" if recipe else ""
        summands = self.operation.definition.summands(inputs.shape)
        tally.fail(sentence(expectation, observed, judgement), Sight(inputs, summands, expectation, observed, judgement.worst, recipe))


def _is_finite(observed: Array, judgement: Judgement) -> bool:
    return bool(np.isfinite(observed.ravel()[judgement.worst].astype(np.float64)))


def new_tallies(*quantities: Quantity) -> dict[Quantity, Tally]:
    """One empty tally for each of them; for the value and both gradients where none is named."""
    return {quantity: Tally() for quantity in quantities or QUANTITIES}


def outcome_of(tally: Tally) -> tuple[Outcome, str]:
    """The outcome of a finished tally and its reason."""
    if tally.failure:
        return Outcome.FAIL, tally.failure
    if tally.missing:
        return Outcome.UNSUPPORTED, tally.missing
    if not tally.evaluations and tally.refused:
        return Outcome.UNSUPPORTED, tally.refused
    if not tally.evaluations:
        return Outcome.ERROR, "nothing was evaluated"
    return Outcome.PASS, ""
