"""What crosses between judge and runner is on the other side what it was."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conformance.frameworks.base import Evaluation, ExecutionMismatch, ExecutionReport, Refused, Unsupported
from conformance.frameworks.messages import one_line
from conformance.frameworks.probe import AsIs
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.tasks import ReplicasTask, Samples, TrainingTask
from conformance.runner.frames import Message
from conformance.runner.messages import (
    Raised,
    argument,
    described,
    evaluation_of,
    exception_of,
    given,
    groups,
    inputs_of,
    plain,
    procedure_result_of,
    task_of,
)
from conformance.workers.in_process import _sent

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def sent(value: Any) -> Any:
    """A value as it arrives."""
    return _sent({"it": plain(value)})["it"]


def same(found: Any, expected: Any) -> bool:
    """Equal, field by field and bit by bit."""
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and (found.dtype, found.shape, found.tobytes()) == (
            expected.dtype,
            expected.shape,
            expected.tobytes(),
        )
    if hasattr(expected, "__dataclass_fields__"):
        return type(found) is type(expected) and all(same(getattr(found, f.name), getattr(expected, f.name)) for f in fields(expected))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    return bool(found == expected)


@pytest.mark.parametrize("weight", [None, np.ones(2, np.float32)])
@pytest.mark.parametrize("read_only", [True, False])
def test_inputs(weight: Any, read_only: bool) -> None:  # noqa: FBT001 - of a table
    inputs = Inputs(ARRAY, ARRAY[::-1], weight, np.ones((), np.float32), read_only)
    assert same(inputs_of(sent(inputs)), inputs)


@pytest.mark.parametrize("weight", [None, np.ones(2)])
@pytest.mark.parametrize("evaluated", [True, False])
def test_a_task_of_training(weight: Any, evaluated: bool) -> None:  # noqa: FBT001 - of a table
    samples = Samples(ARRAY, ARRAY[:, :1], weight, 2)
    task = TrainingTask({"a": ARRAY, "b": ARRAY[0]}, samples, Fraction(1, 3), (1, 5), replace(samples, batch=1) if evaluated else None)
    found = task_of(sent(task))
    assert isinstance(found, TrainingTask)
    assert same(found, task)
    assert isinstance(found.rate, Fraction)


def test_a_task_of_replicas() -> None:
    task = ReplicasTask(ARRAY, ARRAY[:, :1], ARRAY[:1].T, (1, 0, 1))
    assert same(task_of(sent(task)), task)


def test_a_task_without_samples_is_none() -> None:
    task = TrainingTask({}, Samples(ARRAY, ARRAY, None, 1), Fraction(1), (1,))
    with pytest.raises(TypeError, match="found no samples"):
        task_of({**sent(task), "samples": None})


def test_what_a_procedure_left_behind() -> None:
    result = ProcedureResult(
        {Quantity.LOSS: {"loss": ARRAY[0]}, Quantity.PARAMETERS: {"a": ARRAY, "b": ARRAY.T}},
        ExecutionSetting("cpu", "graph", "float32"),
        {Quantity.METRIC: "none today"},
    )
    assert same(procedure_result_of(sent(result)), result)


@pytest.mark.parametrize("value", [ARRAY, [1, 2], 1.5, True, None, AsIs(ARRAY)])
def test_an_argument_of_a_plain_call(value: Any) -> None:
    assert same(given(sent(argument(value))), value)


def test_a_number_of_numpy_is_an_array_without_axes() -> None:
    found = sent([np.float16(1.5), np.float32(2)])
    assert [(one.dtype, one.shape) for one in found] == [(np.float16, ()), (np.float32, ())]


def test_groups_are_the_evaluations_that_they_were_made_of() -> None:
    value, gradient = np.ones((), np.float32), np.ones((2, 3), np.float32)
    members: list[Evaluation | Refused] = [
        Evaluation(value * k, {"gradient/prediction": gradient * k}, ExecutionReport("cpu", "eager", "float32", ()), "", ("target",))
        for k in (1, 2, 3)
    ]
    first, second = groups([*members, Refused("no"), members[0]])[::2]
    for group, expected in ((first, members), (second, members[:1])):
        found = evaluation_of(sent(group))
        assert found.executed_as == ExecutionReport("cpu", "eager", "float32", ())
        assert (found.changed, found.no_gradient) == (("target",), "")
        assert group["count"] == len(found.value) == len(expected)
        for number, member in enumerate(expected):
            assert isinstance(member, Evaluation)
            assert same(found.value[number, ...], member.value)
            assert same(found.gradients["gradient/prediction"][number], member.gradients["gradient/prediction"])


def test_nothing_is_no_group() -> None:
    assert groups([]) == []


class OwnError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OwnError("no\nkernel  today"), Raised),
        (KeyError("a"), Raised),
        (MemoryError(), Raised),
        (Unsupported("not offered"), Unsupported),
        (Refused("not these"), Refused),
        (ExecutionMismatch("elsewhere", returned="float16"), ExecutionMismatch),
    ],
)
def test_an_exception_says_the_same_on_the_other_side(error: Exception, kind: type[Exception]) -> None:
    found = exception_of(_sent(described(error)))
    assert isinstance(found, kind)
    assert isinstance(error, kind) or kind is Raised
    assert str(found) == str(error)
    assert type(found).__name__ == type(error).__name__
    assert one_line(found) == one_line(error)
    assert getattr(found, "returned", "") == getattr(error, "returned", "")


def test_what_it_came_from_comes_along() -> None:
    error = Unsupported("not offered")
    error.__cause__ = OwnError("no kernel")
    found = exception_of(_sent(described(error)))
    assert (type(found.__cause__).__name__, str(found.__cause__)) == ("OwnError", "no kernel")


def test_the_beginning_and_the_end_of_a_long_message_arrive() -> None:
    said: Message = described(ValueError("a" * 100_000 + "z"))
    assert len(said["message"]) == 4001
    assert (said["message"][0], said["message"][-1]) == ("a", "z")
