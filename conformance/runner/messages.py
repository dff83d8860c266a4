"""What the calls and replies of the protocol carry, as plain values and as what the adapters know. Both sides use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np

from conformance.frameworks.base import Evaluation, ExecutionMismatch, ExecutionReport, Refused, Unsupported
from conformance.frameworks.probe import AsIs
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.tasks import ReplicasTask, Samples, TrainingTask

_MOST_CHARACTERS = 2_000
"""Of an exception's message, from its beginning and from its end."""


_KINDS = {"refused": Refused, "unsupported": Unsupported, "mismatch": ExecutionMismatch}


class Raised(Exception):
    """What an implementation raised, as the runner tells it; each is of a class with the name of its own."""


def plain(value: Any) -> Any:
    """A value of dataclasses, fractions, arrays and what JSON knows, without the first two."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Fraction):
        return [value.numerator, value.denominator]
    if isinstance(value, Mapping):
        return {str(getattr(key, "value", key)): plain(item) for key, item in value.items()}
    if isinstance(value, np.generic):  # an array of no axes, to some frameworks
        return np.asarray(value)
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def inputs_of(message: Mapping[str, Any]) -> Inputs:
    """Inputs, or a stack of them."""
    return Inputs(message["prediction"], message["target"], message["weight"], message["upstream"], bool(message["read_only"]))


def argument(value: Any) -> Any:
    """An argument of a plain call, as a message has it: what is handed over as it is says so."""
    return {"as_is": value.array} if isinstance(value, AsIs) else value


def given(value: Any) -> Any:
    """The argument again."""
    return AsIs(value["as_is"]) if isinstance(value, dict) else value


def groups(results: Sequence[Evaluation | Refused]) -> list[dict[str, Any]]:
    """The results of a stack's members in order: those that follow each other and differ in nothing but their numbers are one entry."""
    found = []
    for _, members in groupby(results, key=_kind):
        group = list(members)
        first = group[0]
        if isinstance(first, Refused):
            found.append({"count": len(group), "refused": str(first)})
            continue
        evaluations = [one for one in group if isinstance(one, Evaluation)]
        found.append(
            {
                "count": len(group),
                "value": _together([one.value for one in evaluations]),
                "gradients": {name: _together([one.gradients[name] for one in evaluations]) for name in first.gradients},
                "executed_as": plain(first.executed_as),
                "no_gradient": first.no_gradient,
                "changed": list(first.changed),
            }
        )
    return found


def _kind(result: Evaluation | Refused) -> Any:
    if isinstance(result, Refused):
        return str(result)
    arrays = [(name, array.shape, array.dtype) for name, array in (("value", result.value), *result.gradients.items())]
    return arrays, result.executed_as, result.no_gradient, result.changed


def _together(arrays: Sequence[Any]) -> Any:
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def evaluation_of(group: Mapping[str, Any]) -> Evaluation:
    """A group of members that were not refused: all arrays have the members along their first axis."""
    ran = group["executed_as"]
    report = ExecutionReport(ran["device"], ran["mode"], ran["dtype"], tuple(ran["shape"]))
    return Evaluation(group["value"], group["gradients"], report, group["no_gradient"], tuple(group["changed"]))


def task_of(message: Mapping[str, Any]) -> TrainingTask | ReplicasTask:
    """The task of a procedure."""
    if "shards" in message:
        return ReplicasTask(message["inputs"], message["targets"], message["parameters"], tuple(message["shards"]))
    samples, evaluation = (None if one is None else Samples(**one) for one in (message["samples"], message["evaluation"]))
    if samples is None:
        raise TypeError("found no samples in a task of training")
    return TrainingTask(message["parameters"], samples, Fraction(*message["rate"]), tuple(message["stops"]), evaluation)


def procedure_result_of(message: Mapping[str, Any]) -> ProcedureResult:
    """What a procedure left behind."""
    arrays = {Quantity(name): found for name, found in message["arrays"].items()}
    missing = {Quantity(name): reason for name, reason in message["missing"].items()}
    return ProcedureResult(arrays, ExecutionSetting(**message["ran"]), missing)


def described(error: BaseException) -> dict[str, Any]:
    """An exception, and the one that it came from."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - it is the implementation's
        said = ""
    if len(said) > 2 * _MOST_CHARACTERS:
        said = f"{said[:_MOST_CHARACTERS]}…{said[-_MOST_CHARACTERS:]}"
    return {
        "kind": next((name for name, kind in _KINDS.items() if isinstance(error, kind)), "raised"),
        "type": type(error).__name__,
        "message": said,
        "returned": getattr(error, "returned", "") if isinstance(error, ExecutionMismatch) else "",
        "cause": described(error.__cause__) if isinstance(error, Unsupported) and error.__cause__ else None,
    }


def exception_of(message: Mapping[str, Any]) -> Exception:
    """The exception, as the judge raises it."""
    said, kind = str(message["message"]), message["kind"]
    error: Exception
    if kind == "mismatch":
        error = ExecutionMismatch(said, returned=str(message["returned"]))
    elif kind in ("refused", "unsupported"):
        error = Refused(said) if kind == "refused" else Unsupported(said)
    else:
        error = type(str(message["type"]), (Raised,), {})(said)
    error.__cause__ = exception_of(message["cause"]) if message["cause"] else None
    return error
