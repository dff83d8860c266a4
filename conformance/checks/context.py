"""One target under test: evaluates inputs, attests what came back, judges it, and keeps the tally of a check."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.checks.judge import Judgement, judge, sentence
from conformance.checks.profiles import Profile
from conformance.checks.tally import Observation, QuantityRecord, is_finite
from conformance.frameworks.base import Evaluate, Evaluation, ExecutionMismatch, Refused
from conformance.frameworks.probe import Probe
from conformance.inputs.shrink import shrink
from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.bounds.interval import Expectation
from conformance.numerics.definition import Definition, Inputs, Quantity, Shape
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.exact.representable import first_inexact_step
from conformance.numerics.formats import FORMATS, Array, Format, format_of
from conformance.results.records import Target
from conformance.specs.model import Operation, Policy

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
class Sibling:
    """The same entry point's form of another operation: ``mse_loss.sum`` beside ``mse_loss.mean``."""

    name: str
    definition: Definition
    evaluate: Evaluate


@dataclass
class CheckContext:
    """A prepared target and everything needed to judge it.

    ``probe`` answers what goes beyond value and gradients; ``siblings`` prepares the entry point's forms of other operations.
    """

    target: Target
    operation: Operation
    evaluate: Evaluate
    error_model: Sequence[RoundingStep]
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

    def executed_as(self, inputs: Inputs) -> Evaluation:
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
        asked, ran = self.target, evaluation.executed_as
        if ran.device != asked.device:
            raise ExecutionMismatch(f"asked for the device {asked.device}, it ran on {ran.device}")
        if ran.mode != asked.mode:
            raise ExecutionMismatch(f"asked for the mode {asked.mode}, it ran in {ran.mode}")
        arrays = {"value": evaluation.value, **evaluation.gradients}
        for name, array in arrays.items():
            wanted = FORMATS[asked.dtype]
            try:
                found = format_of(array)
            except KeyError:
                unknown = array.dtype.name
                raise ExecutionMismatch(f"{name}: found the dtype {unknown}, expected {asked.dtype}", returned=unknown) from None
            if not (found == wanted or found.is_wider_than(wanted)):
                raise ExecutionMismatch(f"asked for {asked.dtype}, {name} came back as {found.name}", returned=found.name)
        return evaluation

    def observe(
        self,
        tallies: Mapping[Quantity, QuantityRecord],
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

    def evaluated(self, tallies: Mapping[Quantity, QuantityRecord], inputs: Inputs) -> Evaluation | None:
        """An attested evaluation; None where the implementation refuses the inputs, which is written into the tallies."""
        try:
            return self.executed_as(inputs)
        except Refused as refusal:
            for tally in tallies.values():
                tally.refused = str(refusal)
                tally.flags["refuses some inputs"] = None
            return None

    def judged(
        self,
        tallies: Mapping[Quantity, QuantityRecord],
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
                    f"{quantity}: found {found}, expected {wanted}", Observation(inputs, summands, None, observed, 0, recipe, found, wanted)
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
                tally.note(judgement, Observation(inputs, summands, expectation, observed, judgement.worst, recipe))
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
                evaluation = self.executed_as(candidate)
                result = evaluation.of(quantity)
                if result is None:
                    return None
                oracle = exact(self.operation.definition, candidate)
                if expect != self.expect and candidate.shape != inputs.shape and first_inexact_step(oracle, candidate.format):
                    return None  # of other inputs than those for which nothing rounds, no right result would be exact either
                wanted = expect(oracle, quantity, FORMATS[result.dtype.name])
                if result.shape != wanted.shape:
                    return None
                judged = judge(wanted, result, flushes=self.flushes)
            except Exception:  # noqa: BLE001 - a candidate that raises is simply not a simpler example of this failure
                return None
            # A wrong number that shrinks to a nan, or the reverse, has become another failure.
            return None if judged.conforms or is_finite(result, judged) is not finite else (wanted, result, judged)

        smallest = shrink(self.operation.definition, inputs, lambda candidate: failing(candidate) is not None) if minimise else inputs
        if smallest is not inputs and (again := failing(smallest)) is not None:
            inputs, (expectation, observed, judgement) = smallest, again
            recipe = f"shrunk from {recipe}" if recipe else ""
        summands = self.operation.definition.summands(inputs.shape)
        tally.fail(
            sentence(expectation, observed, judgement), Observation(inputs, summands, expectation, observed, judgement.worst, recipe)
        )
