"""What a subject does wrong because its framework does: the framework's own entry points are asked for the same inputs, elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import TypeAdapter, ValidationError

from conformance.checks.tally import Observation
from conformance.frameworks.base import Evaluation
from conformance.judges.protocol import ImplementationDescription
from conformance.numerics.definition import Quantity
from conformance.results.records import Target
from conformance.specs.deviations import covers, names
from conformance.specs.model import Deviation
from conformance.workers.child import ProcessLost
from conformance.workers.runner import RemoteTarget, Runner

_ALIKE = "bit for bit what this computes: "


def entry_point_of(flags: Sequence[str]) -> str:
    """The entry point that a cell of a subject agrees with; empty where it names none."""
    return next((flag.removeprefix(_ALIKE) for flag in flags if flag.startswith(_ALIKE)), "")


@dataclass
class OwnEntryPoints:
    """Those of a framework, in a runner without any subject, which is started when it is first wanted."""

    start: Callable[[], Runner]
    deviations: Sequence[Deviation]
    """What is documented of them; of nothing else they are asked."""
    _runner: Runner | None = None
    _known: Sequence[ImplementationDescription] = ()
    _is_lost: bool = False
    _prepared: dict[Target, RemoteTarget] = field(default_factory=dict)

    def flag(self, check: str, quantity: Quantity, target: Target, operation: str, failed: Observation) -> str:
        """What a failure of a subject is flagged with if an entry point that is documented to fail computes the same; or nothing.

        Only a number that was held to the exact one can be the framework's: that a call changes its inputs, say, is the subject's own.
        """
        about = [deviation for deviation in self.deviations if target.framework in deviation.where["framework"]]
        if self._is_lost or failed.expectation is None or not any(names(one.check, one.quantity, check, quantity.value) for one in about):
            return ""
        try:
            for one in self._of(operation, target):
                is_documented = any(covers(deviation, check, quantity.value, one.model_dump()) for deviation in about)
                if is_documented and self._agrees(one, quantity, failed):
                    return f"{_ALIKE}{one.implementation}"
        except ProcessLost:
            self._is_lost = True
        return ""

    def close(self) -> None:
        """There are no more subjects."""
        if self._runner is not None:
            self._runner.shutdown()

    def _of(self, operation: str, target: Target) -> list[Target]:
        """The targets of entry points of an operation, each in the mode of the subject or in its first one."""
        if self._runner is None:
            self._runner = self.start()
            try:
                self._known = TypeAdapter(list[ImplementationDescription]).validate_python(self._runner.start().get("implementations"))
            except ValidationError:
                raise ProcessLost("its description is none") from None
        return [
            target.model_copy(update={"implementation": one.name, "mode": target.mode if target.mode in one.modes else one.modes[0]})
            for one in self._known
            if one.operation == operation and target.dtype in one.dtypes
        ]

    def _agrees(self, target: Target, quantity: Quantity, failed: Observation) -> bool:
        assert self._runner is not None, "it was started when its targets were looked for"
        try:
            if target not in self._prepared:
                self._prepared[target] = RemoteTarget(
                    self._runner, target.implementation, target.device, target.mode, target.dtype, compiles_each_shape=True
                )
            evaluation: Evaluation = self._prepared[target](failed.inputs)
        except ProcessLost:
            raise
        except Exception:  # noqa: BLE001 - what it raises is not what the subject computed
            return False
        own = evaluation.of(quantity)
        if own is None or own.dtype != failed.observed.dtype:
            return False
        found, wanted = (array.astype(np.float64) for array in (failed.observed, own))
        return np.array_equal(found, wanted, equal_nan=True) and np.array_equal(np.signbit(found), np.signbit(wanted))
