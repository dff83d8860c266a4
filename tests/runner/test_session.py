"""A session answers every call with one message, whatever the call is and whatever the implementation does."""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_target import runner_of

from conformance.checks.laws.memory import LAYOUTS
from conformance.frameworks.base import (
    Environment,
    Evaluate,
    Evaluation,
    ExecutionMismatch,
    ExecutionReport,
    Implementation,
    Refused,
    Unsupported,
)
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.probe import AsIs, Probe
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array
from conformance.numerics.stack import Stack
from conformance.numerics.tasks import TrainingTask
from conformance.runner.frames import VERSION, Message
from conformance.runner.messages import argument, plain
from conformance.workers.in_process import InProcess


def mean(prediction: Array, target: Array) -> Any:
    return np.square(prediction - target).mean()


def subject(call: Callable[..., Any] = mean, name: str = "mine", modes: Sequence[str] = ("eager",), **more: Any) -> Implementation:
    return Implementation(name, f"my_loss.py:{name}", "mse/mean", call, modes, ("float32",), **more)


class Threads(Probe):
    """Takes a number of threads, and notes it."""

    def __init__(self) -> None:
        self.now = 1

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        before, self.now = self.now, count
        yield
        self.now = before


class Stub(NumpyFramework):
    """What is prepared is the function ``run`` of one input, or of a stack; settings are whatever the test says."""

    def __init__(self, run: Callable[[Inputs], Any]) -> None:
        self.run, self.settings, self.made = run, {"a": "1"}, Threads()

    def prepare(self, *_: Any) -> Evaluate:
        return self.run

    def probe(self, *_: Any) -> Any:
        return self.made

    def environment(self) -> Environment:
        return Environment("numpy", "1", {}, self.settings)


def evaluation(value: Any, **more: Any) -> Evaluation:
    array = np.asarray(value)
    return Evaluation(array, more.pop("gradients", {}), ExecutionReport("cpu", "eager", array.dtype.name, array.shape), **more)


def started(*implementations: Implementation, framework: NumpyFramework | None = None) -> InProcess:
    runner = runner_of(framework or NumpyFramework(), implementations or [subject()])
    runner.start()
    return runner


def ask(runner: InProcess, call: str, **arguments: object) -> Message:
    """The whole reply, as it arrives."""
    return runner.ask({"call": call, **arguments}, 60, "testing")


def prepared(runner: InProcess, implementation: str = "mine", mode: str = "eager") -> int:
    handle: int = ask(runner, "prepare", implementation=implementation, device="cpu", mode=mode, dtype="float32")["handle"]
    return handle


def drawn(seed: int, shape: tuple[int, ...] = (2, 3)) -> Inputs:
    prediction, target = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    return Inputs(prediction, target, None, np.ones((), np.float32))


def stack_of(*inputs: Inputs) -> Any:
    return plain(Stack.of(inputs).arrays)


# ---- what there is ----


def test_it_describes_itself_in_plain_values() -> None:
    runner = started(subject(), subject(name="other", modes=("eager", "jit")))
    found = ask(runner, "describe")
    assert json.loads(json.dumps(found)) == found == runner.start()
    assert (found["protocol"], found["framework"], found["version"]) == (VERSION, "numpy", np.__version__)
    assert found["devices"] == [{"name": "cpu", "kind": "cpu", "flushes_subnormals": []}]
    assert (
        found["implementations"][1].items()
        >= {
            "name": "other",
            "entry": "my_loss.py:other",
            "operation": "mse/mean",
            "modes": ["eager", "jit"],
            "dtypes": ["float32"],
        }.items()
    )
    assert found["compiling_modes"] == ["jit"]
    assert found["packages"]["numpy"] == np.__version__


def test_several_are_prepared_at_a_time_until_they_are_released() -> None:
    runner = started(subject(), subject(lambda p, t: mean(p, t) * 2, "doubled"))
    one, two, again = prepared(runner), prepared(runner, "doubled"), prepared(runner)
    assert len({one, two, again}) == 3
    inputs = stack_of(drawn(1))
    values = [ask(runner, "evaluate", handle=handle, inputs=inputs)["groups"][0]["value"][0] for handle in (one, two, again)]
    assert values[0] * 2 == values[1] == values[2] * 2
    for _ in range(2):
        assert ask(runner, "release", handle=one) == {}
    assert ask(runner, "evaluate", handle=one, inputs=inputs)["raised"]["type"] == "KeyError"
    assert "groups" in ask(runner, "evaluate", handle=again, inputs=inputs)


@pytest.mark.parametrize(
    ("call", "arguments", "kind"),
    [
        ("evalute", {}, "KeyError"),
        ("__init__", {}, "KeyError"),
        (["evaluate"], {}, "TypeError"),
        (None, {}, "KeyError"),
        ("evaluate", {}, "TypeError"),
        ("evaluate", {"handle": 7, "inputs": {}}, "KeyError"),
        ("evaluate", {"handle": [], "inputs": {}}, "TypeError"),
        ("evaluate", {"handle": 1, "inputs": {}}, "KeyError"),
        ("evaluate", {"handle": 1, "inputs": None}, "TypeError"),
        ("evaluate", {"handle": 1, "inputs": {}, "more": 1}, "TypeError"),
        ("release", {}, "TypeError"),
        ("prepare", {"implementation": "nobody", "device": "cpu", "mode": "eager", "dtype": "float32"}, "KeyError"),
        ("run_procedure", {"implementation": "mine", "task": {}, "device": "cpu", "mode": "eager", "dtype": "float32"}, "KeyError"),
        ("gradient", {"handle": 1, "inputs": stack_of(drawn(1)), "quantity": "gradient/nothing"}, "ValueError"),
    ],
)
def test_a_call_that_is_none_is_answered_too(call: object, arguments: dict[str, object], kind: str) -> None:
    runner = started()
    prepared(runner)
    found = runner.ask({"call": call, **arguments}, 60, "testing")
    assert (found["raised"]["kind"], found["raised"]["type"]) == ("raised", kind)


def test_a_call_without_a_name_is_answered_too() -> None:
    assert started().ask({}, 60, "testing")["raised"]["type"] == "KeyError"


# ---- values and gradients ----


def test_a_stack_is_evaluated_one_by_one_and_comes_back_together() -> None:
    def gradient(p: Array, t: Array, upstream: Array) -> tuple[Array, Array]:
        part = 2 * (p - t) * upstream / np.float32(p.size)
        return part, -part

    runner = started(subject(gradient=gradient))
    members = [drawn(seed) for seed in range(4)]
    (group,) = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(*members))["groups"]
    assert group["count"] == 4
    assert group["value"].tolist() == [mean(one.prediction, one.target) for one in members]
    assert group["executed_as"] == {"device": "cpu", "mode": "eager", "dtype": "float32", "shape": []}
    for number, one in enumerate(members):
        for name, wanted in zip(("prediction", "target"), gradient(one.prediction, one.target, one.upstream), strict=True):
            np.testing.assert_array_equal(group["gradients"][f"gradient/{name}"][number], wanted)


class Sequenced:
    """Answers with one thing after the other."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def __call__(self, _: Inputs) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_members_that_follow_each_other_are_one_group_if_they_differ_in_numbers_alone() -> None:
    wide, one = np.ones((), np.float64), np.ones((), np.float32)
    run = Sequenced(
        evaluation(one),
        evaluation(one * 2),
        Refused("no"),
        Refused("no"),
        Refused("not this either"),
        evaluation(wide),
        evaluation(one[None]),
        evaluation(one, gradients={"gradient/prediction": one}),
        evaluation(one, no_gradient="none today"),
        evaluation(one, changed=("target",)),
    )
    runner = started(framework=Stub(run))
    found = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(*(drawn(seed) for seed in range(10))))["groups"]
    assert [group["count"] for group in found] == [2, 2, 1, 1, 1, 1, 1, 1]
    assert found[0]["value"].tolist() == [1, 2]
    assert [group.get("refused") for group in found[:4]] == [None, "no", "not this either", None]
    assert [str(group["value"].dtype) for group in found[3:5]] == ["float64", "float32"]
    assert [group["value"].shape for group in found[3:5]] == [(1,), (1, 1)]
    assert found[5]["gradients"]["gradient/prediction"].tolist() == [1]
    assert (found[6]["no_gradient"], found[7]["changed"]) == ("none today", ["target"])


def test_what_is_raised_ends_the_stack() -> None:
    run = Sequenced(evaluation(1.0), ExecutionMismatch("it ran elsewhere", returned="float16"), evaluation(1.0))
    runner = started(framework=Stub(run))
    found = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(drawn(1), drawn(2), drawn(3)))
    assert found == {
        "raised": {
            "kind": "mismatch",
            "type": "ExecutionMismatch",
            "message": "it ran elsewhere",
            "returned": "float16",
            "cause": None,
        }
    }
    assert len(run.answers) == 1


def test_a_batch_is_evaluated_in_one_call() -> None:
    shapes = []

    def run(stack: Inputs) -> Evaluation:
        shapes.append(stack.shape)
        value = np.square(stack.prediction - stack.target).mean(axis=(1, 2))
        return Evaluation(value, {}, ExecutionReport("cpu", VMAP, "float32", value.shape))

    runner = started(subject(modes=(VMAP,)), framework=Stub(run))
    found = ask(runner, "evaluate", handle=prepared(runner, mode=VMAP), inputs=stack_of(*(drawn(seed) for seed in range(5))))["together"]
    assert shapes == [(5, 2, 3)]
    assert found["value"].shape == (5,)
    assert found["executed_as"]["shape"] == [5]


@pytest.mark.parametrize("layout", [*LAYOUTS, "contiguous"])
@pytest.mark.parametrize("read_only", [True, False])
def test_an_implementation_is_given_the_memory_that_the_judge_laid_out(layout: str, read_only: bool) -> None:  # noqa: FBT001 - of a table
    seen: list[Array] = []

    def loss(prediction: Array, target: Array) -> Any:
        seen.extend((prediction, target))
        return mean(prediction, target)

    drawn_ones = drawn(1, (4, 8))
    sent = LAYOUTS[layout](drawn_ones.prediction) if layout in LAYOUTS else drawn_ones.prediction
    runner = started(subject(loss))
    inputs = replace(drawn_ones, prediction=sent, read_only=read_only)
    ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(inputs))
    given = seen[0]
    assert given.strides == sent.strides
    assert given.flags.aligned == sent.flags.aligned
    assert (given.ctypes.data - sent.ctypes.data) % 64 == 0 or layout == "contiguous"
    assert [array.flags.writeable for array in seen] == [not read_only] * 2
    np.testing.assert_array_equal(given, sent)


def test_threads_are_taken_for_one_call_and_given_back() -> None:
    seen = []

    def run(_: Inputs) -> Evaluation:
        seen.append(framework.made.now)
        return evaluation(1.0)

    framework = Stub(run)
    runner = started(framework=framework)
    handle = prepared(runner)
    for threads in (None, 3, None):
        ask(runner, "evaluate", handle=handle, inputs=stack_of(drawn(1)), threads=threads)
    assert seen == [1, 3, 1]


def test_several_calls_have_a_reply_each_whatever_becomes_of_the_others() -> None:
    runner = started()
    handle = prepared(runner)
    evaluate = {"call": "evaluate", "handle": handle, "inputs": stack_of(drawn(1))}
    first, second, third = ask(runner, "several", calls=[evaluate, {"call": "no-such-call"}, evaluate])["result"]
    assert first["groups"][0]["count"] == third["groups"][0]["count"] == 1
    assert second["raised"]["type"] == "KeyError"


def test_whoever_has_no_threads_says_so() -> None:
    runner = started()
    found = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(drawn(1)), threads=2)
    assert found["raised"]["kind"] == "unsupported"
    assert "number of threads" in found["raised"]["message"]


def test_within_a_call_it_says_that_the_next_evaluation_begins() -> None:
    """Once for each member: so often may the judge be told."""
    log: list[str] = []

    def run(_: Inputs) -> Evaluation:
        log.append("evaluated")
        return evaluation(1.0)

    runner = started(framework=Stub(run))
    runner.session.tick = lambda: log.append("ticked")
    handle, three = prepared(runner), stack_of(drawn(1), drawn(2), drawn(3))
    ask(runner, "evaluate", handle=handle, inputs=three)
    assert log == ["ticked", "evaluated"] * 3


# ---- what goes beyond ----


def test_one_array_that_is_given_twice_is_one() -> None:
    same = []

    def loss(prediction: Array, target: Array) -> Any:
        same.append(prediction is target)
        return mean(prediction, target)

    runner, array = started(subject(loss)), np.ones(3, np.float32)
    handle = prepared(runner)
    for first, second in ((array, array), (array, array.copy()), (argument(AsIs(array)), argument(AsIs(array)))):
        found = ask(runner, "call", handle=handle, prediction=first, target=second)
        assert (found["value"].tolist(), found["type"], found["warnings"]) == (0, "numpy.float32", [])
    assert same == [True, False, True]


def test_a_plain_call_takes_whatever_there_is() -> None:
    seen: list[Any] = []

    def loss(*arguments: Any) -> Any:
        seen.append(arguments)
        return 1.5

    runner = started(subject(loss))
    handle, array = prepared(runner), np.ones(2, np.int8)
    array.flags.writeable = False
    ask(runner, "call", handle=handle, prediction=[1, [2]], target=3.5)
    ask(runner, "call", handle=handle, prediction=argument(AsIs(array)), target=True, weight=array)
    (first, second), (third, fourth, fifth) = seen
    assert (first, second, fourth) == ([1, [2]], 3.5, True)
    assert (third.flags.writeable, third.dtype, fifth.tolist()) == (False, np.int8, [1, 1])


def test_what_is_returned_is_told_with_its_type_and_its_warnings() -> None:
    import warnings

    def loss(prediction: Array, target: Array) -> Any:
        warnings.warn("mind the gap", UserWarning, stacklevel=2)
        return [prediction.sum(), {"a": target}]

    runner = started(subject(loss))
    found = ask(runner, "call", handle=prepared(runner), prediction=np.ones(2), target=np.ones(2))
    assert (found["value"].shape, found["value"].dtype, found["type"]) == ((2,), np.dtype(object), "list")
    assert ["mind the gap" in said for said in found["warnings"]] == [True]


def test_what_the_adapter_does_not_offer_is_said_so() -> None:
    runner = started()
    handle, inputs = prepared(runner), plain(drawn(1))
    calls: dict[str, dict[str, object]] = {
        "gradient": {"inputs": inputs, "quantity": "gradient/prediction"},
        "jvp": {"inputs": inputs, "prediction": np.ones((2, 3)), "target": np.ones((2, 3))},
        "hvp": {"inputs": inputs, "direction": np.ones((2, 3))},
        "batch": {"members": [inputs]},
        "accumulate": {"inputs": inputs, "lengths": [1, 1]},
    }
    for call, arguments in calls.items():
        found = ask(runner, call, handle=handle, **arguments)["raised"]
        assert found["kind"] == "unsupported", call
        assert found["message"].startswith(("the adapter offers no ", "it ", "the implementation")), found


def test_an_array_that_is_edited_is_seen_by_the_second_call() -> None:
    runner = started()
    first, second = drawn(1), drawn(2)
    found = ask(runner, "update_in_place", handle=prepared(runner), inputs=plain(first), after=plain(second))["result"]
    assert [one.tolist() for one in found] == [mean(one.prediction, one.target) for one in (first, second)]


def test_a_procedure_is_run_from_beginning_to_end() -> None:
    seen: list[Any] = []

    def train(task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
        seen.extend((task, setting))
        return ProcedureResult({Quantity.LOSS: {"loss": np.ones(2)}}, setting, {Quantity.METRIC: "none today"})

    runner = started(subject(train))
    array = np.ones((2, 1))
    task = {
        "parameters": {"a": array},
        "samples": {"inputs": array, "targets": array, "weight": None, "batch": 2},
        "rate": [1, 8],
        "stops": [1, 2],
        "evaluation": None,
    }
    found = ask(runner, "run_procedure", implementation="mine", task=task, device="cpu", mode="eager", dtype="float64")["result"]
    assert found["arrays"]["loss"]["loss"].tolist() == [1, 1]
    assert found["ran"] == {"device": "cpu", "mode": "eager", "dtype": "float64"}
    assert found["missing"] == {"metric": "none today"}
    assert (str(seen[0].rate), seen[0].stops, seen[1]) == ("1/8", (1, 2), ExecutionSetting("cpu", "eager", "float64"))


def test_a_procedure_that_returns_something_else_says_what() -> None:
    runner = started(subject(lambda *_: {"loss": 1}))
    array = np.ones((2, 1))
    task = {"inputs": array, "targets": array, "parameters": array, "shards": [1, 1]}
    found = ask(runner, "run_procedure", implementation="mine", task=task, device="cpu", mode="eager", dtype="float64")["raised"]
    assert (found["type"], found["message"]) == ("TypeError", "the implementation returned dict, expected a ProcedureResult")


# ---- what was raised ----


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (RuntimeError("no kernel"), "raised", "no kernel"),
        (Unsupported("not offered"), "unsupported", "not offered"),
        (ExecutionMismatch("elsewhere"), "mismatch", "elsewhere"),
        (Silent(), "raised", ""),
        (ValueError("x" * 10_000 + "end"), "raised", "x" * 2000 + "…" + "x" * 1997 + "end"),
        (ValueError("\udcff\x00"), "raised", "\udcff\x00"),
    ],
)
def test_what_an_implementation_raises_is_told(error: Exception, kind: str, message: str) -> None:
    runner = started(framework=Stub(Sequenced(error)))
    found = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(drawn(1)))["raised"]
    assert (found["kind"], found["type"], found["message"]) == (kind, type(error).__name__, message)


def test_what_something_unsupported_came_from_is_told() -> None:
    error = Unsupported("not offered")
    error.__cause__ = RuntimeError("no kernel")
    runner = started(framework=Stub(Sequenced(error)))
    found = ask(runner, "evaluate", handle=prepared(runner), inputs=stack_of(drawn(1)))["raised"]
    assert (found["cause"]["type"], found["cause"]["message"]) == ("RuntimeError", "no kernel")


# ---- what is changed ----


def test_what_a_call_changed_of_the_process_is_undone_and_told_with_its_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())
    before = Path.cwd(), locale.setlocale(locale.LC_ALL)

    def wanders(prediction: Array, target: Array) -> Any:
        os.chdir(tmp_path)
        if prediction[0, 0] == 0:
            raise ValueError("nothing")
        return mean(prediction, target)

    runner = started(subject(wanders))
    handle = prepared(runner)
    nothing = replace(drawn(1), prediction=np.zeros((2, 3), np.float32))
    assert "changed" not in ask(runner, "prepare", implementation="mine", device="cpu", mode="eager", dtype="float32")
    for inputs, said in ((drawn(1), "groups"), (nothing, "raised")):
        found = ask(runner, "evaluate", handle=handle, inputs=stack_of(inputs))
        assert found.keys() == {said, "changed"}
        assert found["changed"] == {"undone": ["changes the working directory"], "lasting": []}
        assert ask(runner, "release", handle=0) == {}
    assert (Path.cwd(), locale.setlocale(locale.LC_ALL)) == before


def test_settings_of_a_framework_are_watched_where_subjects_may_change_them() -> None:
    framework = Stub(lambda _: evaluation(1.0))
    session = started(framework=framework).session
    watching = replace(session, watched=True)
    framework.settings = {"a": "2"}
    release = {"call": "release", "handle": 0}
    assert session.answer(release) == {}
    assert watching.answer(release) == {"changed": {"undone": [], "lasting": ["changes a"]}}
    assert watching.answer(release) == {}


def test_settings_that_cannot_be_read_any_more_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = Stub(lambda _: evaluation(1.0))
    session = replace(started(framework=framework).session, watched=True)

    def broken() -> Environment:
        raise RuntimeError("no settings")

    monkeypatch.setattr(framework, "environment", broken)
    assert session.answer({"call": "release", "handle": 0})["raised"]["message"] == "no settings"
