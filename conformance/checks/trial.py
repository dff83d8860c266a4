"""One target under test: evaluates inputs, attests what came back, judges it, and keeps the tally of a check."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from conformance.checks.judge import Judgement, allowed_in_words, digits_of, hexadecimal, in_words, judge, sentence
from conformance.frameworks.base import Evaluate, Evaluation, NotAttested
from conformance.inputs.shrink import shrink
from conformance.numerics.bounds import expectation_of
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.errormodel import Step
from conformance.numerics.exact import Exact, exact
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.numerics.interval import Expectation
from conformance.profiles import Profile
from conformance.results import Outcome, Target, Witness
from conformance.specs.model import Operation

QUANTITIES = (Quantity.VALUE, Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
Expect = Callable[[Exact, Quantity, Format], Expectation]
"""Makes the expectation of one quantity in the output format that came back."""

_SHOWN = 64
_KEPT = 1024


class ExpectationCache:
    """Expectations of recent inputs: targets of one operation and dtype see the same bits, so each is made once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Expectation] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Expectation]) -> Expectation:
        """The expectation under ``key``, made when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        self._kept[key] = made
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made


@dataclass
class Tally:
    """What a check has seen of one quantity: the worst conforming error, the first failure, the flags."""

    evaluations: int = 0
    error_u: float = 0.0
    error_ulp: float = 0.0
    error_over_bound: float = 0.0
    correctly_rounded: bool = True
    flags: dict[str, None] = field(default_factory=dict)
    worst: Witness | None = None
    worst_summands: int = 1
    failure: str = ""
    failed: Witness | None = None
    missing: str = ""

    def note(self, judgement: Judgement, summands: int) -> bool:
        """Count one conforming judgement; whether it is the worst so far."""
        self.evaluations += 1
        self.flags.update(dict.fromkeys(judgement.names))
        self.correctly_rounded &= judgement.correctly_rounded
        self.error_u = max(self.error_u, judgement.error_u)
        self.error_over_bound = max(self.error_over_bound, judgement.error_over_bound)
        if judgement.error_ulp > self.error_ulp or self.worst is None:
            self.error_ulp = max(self.error_ulp, judgement.error_ulp)
            self.worst_summands = summands
            return True
        return False


@dataclass
class Trial:
    """A prepared target and everything needed to judge it."""

    target: Target
    operation: Operation
    evaluate: Evaluate
    error_model: Sequence[Step]
    flushes: bool
    profile: Profile
    cache: ExpectationCache

    def expect(self, oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
        """The interval of the error model, for this target's flush policy."""
        return expectation_of(oracle, self.error_model, quantity, output, flushes=self.flushes)

    def attested(self, inputs: Inputs) -> Evaluation:
        """Evaluate, and refuse what did not run as asked.

        Raises:
            NotAttested: another device, another mode, or a narrower dtype than the inputs'.
        """
        evaluation = self.evaluate(inputs)
        asked, ran = self.target, evaluation.attested
        if ran.device != asked.device:
            raise NotAttested(f"asked for the device {asked.device}, it ran on {ran.device}")
        if ran.mode != asked.mode:
            raise NotAttested(f"asked for the mode {asked.mode}, it ran in {ran.mode}")
        arrays = {"value": evaluation.value, **evaluation.gradients}
        for name, array in arrays.items():
            if array.dtype.name not in FORMATS:
                raise NotAttested(f"{name}: found the dtype {array.dtype.name}, expected {asked.dtype}")
            found, wanted = FORMATS[array.dtype.name], FORMATS[asked.dtype]
            if not (found == wanted or found.is_wider_than(wanted)):
                raise NotAttested(f"asked for {asked.dtype}, {name} came back as {found.name}")
        return evaluation

    def observe(
        self, tallies: Mapping[Quantity, Tally], inputs: Inputs, *, key: Hashable, recipe: str, expect: Expect | None = None, minimise: bool = True
    ) -> dict[Quantity, Judgement]:
        """Evaluate once and judge every quantity in ``tallies``; failures are shrunk and written into the tally."""
        evaluation = self.attested(inputs)
        judgements = {}
        oracle: list[Exact] = []

        def lazy_oracle() -> Exact:
            if not oracle:
                oracle.append(exact(self.operation.definition, inputs))
            return oracle[0]

        for quantity, tally in tallies.items():
            observed = evaluation.value if quantity is Quantity.VALUE else evaluation.gradients.get(quantity.value)
            if observed is None:
                tally.missing = evaluation.no_gradient or "the implementation returned no such gradient"
                continue
            wanted_shape = self.operation.definition.value_shape(inputs.shape) if quantity is Quantity.VALUE else inputs.shape
            if observed.shape != wanted_shape:
                tally.evaluations += 1
                if not tally.failure:
                    tally.failure = f"{quantity}: found shape {_shape(observed.shape)}, expected {_shape(wanted_shape)}"
                    tally.failed = _witness(inputs, 0, recipe, observed=f"shape {_shape(observed.shape)}", expected=f"shape {_shape(wanted_shape)}")
                continue
            output = FORMATS[observed.dtype.name]
            if output.name != self.target.dtype:
                tally.flags[f"returns {output.name}"] = None
            expectation = self.cache.get(
                (key, quantity, output.name, self.flushes, expect),
                lambda q=quantity, o=output: (expect or self.expect)(lazy_oracle(), q, o),  # type: ignore[misc]  # mypy infers no type for a lambda with defaults
            )
            judgement = judge(expectation, observed, flushes=self.flushes)
            judgements[quantity] = judgement
            if judgement.conforms:
                if tally.note(judgement, self.operation.definition.summands(inputs.shape)):
                    tally.worst = _measured_witness(inputs, expectation, observed, judgement, recipe)
                continue
            tally.evaluations += 1
            if not tally.failure:
                self._record_failure(tally, quantity, inputs, expectation, observed, judgement, recipe, expect or self.expect, minimise=minimise)
        return judgements

    def _record_failure(
        self, tally: Tally, quantity: Quantity, inputs: Inputs, expectation: Expectation, observed: Array, judgement: Judgement,
        recipe: str, expect: Expect, *, minimise: bool,
    ) -> None:  # fmt: skip
        """Shrink failing inputs to something a person can read, and put the failure into words."""

        def failing(candidate: Inputs) -> tuple[Expectation, Array, Judgement] | None:
            try:
                evaluation = self.attested(candidate)
                result = evaluation.value if quantity is Quantity.VALUE else evaluation.gradients[quantity.value]
                wanted = expect(exact(self.operation.definition, candidate), quantity, FORMATS[result.dtype.name])
                if result.shape != wanted.shape:
                    return None
                judged = judge(wanted, result, flushes=self.flushes)
            except Exception:  # noqa: BLE001 - a candidate that raises is simply not a simpler example of this failure
                return None
            return None if judged.conforms else (wanted, result, judged)

        smallest = shrink(self.operation.definition, inputs, lambda candidate: failing(candidate) is not None) if minimise else inputs
        if smallest is not inputs and (again := failing(smallest)) is not None:
            inputs, (expectation, observed, judgement) = smallest, again
            recipe = f"shrunk from {recipe}" if recipe else ""
        tally.failure = sentence(expectation, observed, judgement)
        tally.failed = _measured_witness(inputs, expectation, observed, judgement, recipe)


def new_tallies() -> dict[Quantity, Tally]:
    """One tally for each quantity under test."""
    return {quantity: Tally() for quantity in QUANTITIES}


def outcome_of(tally: Tally) -> tuple[Outcome, str]:
    """The outcome of a finished tally and its reason."""
    if tally.failure:
        return Outcome.FAIL, tally.failure
    if tally.missing:
        return Outcome.UNSUPPORTED, tally.missing
    if not tally.evaluations:
        return Outcome.ERROR, "nothing was evaluated"
    return Outcome.PASS, ""


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _measured_witness(inputs: Inputs, expectation: Expectation, observed: Array, judgement: Judgement, recipe: str) -> Witness:
    if not observed.size:
        return _witness(inputs, 0, recipe, observed="empty", expected="empty")
    interval = expectation.at(judgement.worst)
    return _witness(
        inputs, judgement.worst, recipe,
        observed=hexadecimal(observed.ravel()[judgement.worst]), expected=in_words(interval.exact), allowed=allowed_in_words(interval, digits_of(expectation)),
    )  # fmt: skip


def _witness(inputs: Inputs, element: int, recipe: str, *, observed: str, expected: str, allowed: str = "") -> Witness:
    def shown(array: Array | None) -> tuple[str, ...]:
        if array is None:
            return ()
        flat = array.ravel()
        if flat.size <= _SHOWN:
            return tuple(hexadecimal(x) for x in flat)
        return (*(hexadecimal(x) for x in flat[:8]), "…", *(hexadecimal(x) for x in flat[-8:]))

    upstream = inputs.upstream
    ones = bool(np.all(upstream.astype(np.float64) == 1))
    return Witness(
        shape=inputs.shape, prediction=shown(inputs.prediction), target=shown(inputs.target), weight=shown(inputs.weight),
        upstream=() if ones else shown(upstream), element=element, expected=expected, allowed=(allowed,) if allowed else (), observed=observed, recipe=recipe,
    )  # fmt: skip
