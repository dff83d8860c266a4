"""Questions whose answers are recorded and compared, never judged: what a framework may define as it likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.checks.base import EvaluatingCheck, Finding
from conformance.checks.context import CheckContext
from conformance.frameworks.messages import in_decimal, refusal, settled
from conformance.frameworks.probe import AsIs, Returned
from conformance.numerics.definition import Quantity
from conformance.results.records import BETWEEN, RAISES, WARNS, Outcome
from conformance.specs.model import Argument, Question


def given(argument: Argument) -> Any:
    """What the implementation is called with; an array becomes a tensor of its framework."""
    array = np.array(argument.array())
    match argument.given:
        case "tensor":
            return array
        case "python":
            return (array.astype(np.float64) if array.dtype.kind not in "biuc" else array).tolist()
        case "numpy":
            return AsIs(array)
        case "read-only":
            array.setflags(write=False)
            return AsIs(array)


def in_words(returned: Returned) -> str:
    """What came back: the value, its dtype, its shape, the type of the result, and what was warned of."""
    value = returned.value
    said = [f"{WARNS}{settled(warning)}" for warning in returned.warnings]
    return BETWEEN.join([in_decimal(value), value.dtype.name, f"shape {value.shape}", returned.type, *dict.fromkeys(said)])


@dataclass(frozen=True, kw_only=True)
class BehaviourCheck(EvaluatingCheck):
    """One question to the implementations of one operation: ``pass`` means recorded, and nothing else."""

    kind = "behaviour"
    question: Question

    @classmethod
    def of(cls, operation: str, question: Question) -> BehaviourCheck:
        """In one dtype: the arguments have dtypes of their own, so that every implementation is asked once in each mode."""
        return cls(
            operation=operation,
            name=question.id,
            why=question.why,
            level="should",
            quantities=(Quantity.VALUE,),
            dtypes=("float32",),
            question=question,
        )

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """Call the implementation once; whatever it raises is its answer."""
        asked = self.question
        weight = None if asked.weight is None else given(asked.weight)
        try:
            answer = in_words(context.probe.call(given(asked.prediction), given(asked.target), weight))
        except Exception as error:  # noqa: BLE001 - what an implementation raises is what was asked
            answer = f"{RAISES}{refusal(error)}"
        return [Finding(Quantity.VALUE, Outcome.PASS, self.question.title, answer=answer, evaluations=1)]
