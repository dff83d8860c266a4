"""Whatever becomes of a runner, each request is answered with cells; who hangs or dies again and again is asked no more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import subjects
from one_target import SPECS, harness_of, request_of, runner_of

from conformance.frameworks.base import Evaluate, ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.judges.harness import Harness, open_harness
from conformance.judges.lost import MAX_LOST, LostCounts
from conformance.judges.protocol import Reply
from conformance.numerics.formats import Array
from conformance.results.records import Outcome, Target
from conformance.runner.frames import Message
from conformance.workers.child import ProcessLost, Question
from conformance.workers.in_process import InProcess
from conformance.workers.runner import Runner, RunnerOptions

THREE, OTHERS = "mse/mean/case/mean-thirds", ("mse/mean/case/mean-integers", "mse/mean/case/mean-ordinary")
"""The first has three elements, and so has the subject's bad moment; the others do not."""
RANDOM = "mse/mean/law/swap"
Make = Callable[..., Harness]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Make]:
    """Judges of real runners of functions in a file."""
    runners: list[Runner] = []

    def one(*functions: str) -> Harness:
        runners.append(Runner("numpy", RunnerOptions(subjects=[subjects.write(tmp_path, *functions)])))
        return open_harness(runners[-1], SPECS)

    yield one
    for runner in runners:
        runner.shutdown()


def asked(harness: Harness, check: str, implementation: str = "misbehaving", timeout: float = 60.0) -> Reply:
    return harness.answer(request_of(check, implementation).model_copy(update={"timeout": timeout}))


def said(reply: Reply) -> set[tuple[Outcome, str]]:
    """Outcomes and reasons of the cells of the value."""
    return {(cell.outcome, cell.reason) for cell in reply.cells if cell.quantity == "value"}


PASSED = {(Outcome.PASS, "")}


def pid(harness: Harness) -> int:
    process = harness.runner._process
    assert process is not None
    return process.pid


# ---- who is lost ----

HERE = Target(framework="numpy", version="1", implementation="mine", device="cpu", mode="eager", dtype="float32")
ELSEWHERE = HERE.model_copy(update={"dtype": "float64"})
ANOTHER = HERE.model_copy(update={"implementation": "yours"})


def test_one_is_given_up_after_three_losses_with_no_answer_between() -> None:
    losses = LostCounts()
    for target in (HERE, ELSEWHERE, HERE):
        assert losses.given_up(target) == ""
        losses.note(target, "it hung")
    for target in (HERE, ELSEWHERE):
        assert losses.given_up(target) == "given up after 3 hangs or deaths in a row; the last: it hung"
    assert losses.given_up(ANOTHER) == ""


def test_one_who_answers_between_is_given_up_where_he_was_lost_three_times() -> None:
    losses = LostCounts()
    for number in range(MAX_LOST):
        assert losses.given_up(HERE) == ""
        losses.note_answer(HERE)
        losses.note(HERE, f"death {number}")
    assert losses.given_up(HERE) == "given up after 3 hangs or deaths of this target; the last: death 2"
    assert losses.given_up(ELSEWHERE) == losses.given_up(ANOTHER) == ""


def test_each_is_told_his_own_last_loss() -> None:
    losses = LostCounts()
    for _ in range(MAX_LOST):
        losses.note(HERE, "it hung")
    losses.note(ANOTHER, "it died")
    assert losses.given_up(HERE).endswith("the last: it hung")


def test_a_runner_that_dies_is_an_error_of_one_check_and_the_next_is_asked(judge: Make) -> None:
    harness = judge(subjects.misbehaving("os._exit(7)"))
    reply = asked(harness, THREE)
    assert said(reply) == {(Outcome.ERROR, f"the runner died with exit code 7 while running {THREE}")}
    assert {cell.quantity for cell in reply.cells} == {"value", "gradient/prediction", "gradient/target"}
    assert reply.lost
    assert not reply.uses_random_inputs
    reply = asked(harness, OTHERS[0])
    assert said(reply) == PASSED
    assert not reply.lost


HANGS = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def hangs(prediction, target):
    time.sleep(600)
"""
DIES = HANGS.replace("hangs", "dies").replace("time.sleep(600)", "os._exit(7)")


def test_one_that_always_hangs_is_given_up_and_others_are_not(judge: Make) -> None:
    harness = judge(HANGS, subjects.RIGHT)
    lost = [f"it hung: no answer in 1 s while running {check}; the process was ended" for check in (THREE, *OTHERS)]
    for check, sentence in zip((THREE, *OTHERS), lost, strict=True):
        assert said(asked(harness, check, "hangs", 1.0)) == {(Outcome.ERROR, sentence)}
    assert said(asked(harness, THREE, "right")) == PASSED
    running = pid(harness)
    for check in (*OTHERS, RANDOM):
        reply = asked(harness, check, "hangs", 1.0)
        assert said(reply) == {(Outcome.ERROR, f"given up after 3 hangs or deaths in a row; the last: {lost[-1]}")}
        assert reply.lost
    assert pid(harness) == running, "nothing is asked and nothing is started"
    assert said(asked(harness, RANDOM, "right")) == PASSED


def test_what_others_answer_between_is_not_his_answer(judge: Make) -> None:
    harness = judge(DIES, subjects.RIGHT)
    for check in (THREE, *OTHERS):
        asked(harness, check, "dies")
        assert said(asked(harness, check, "right")) == PASSED
    ((_, reason),) = said(asked(harness, RANDOM, "dies"))
    assert reason.startswith("given up after 3 hangs or deaths in a row; ")


def test_one_that_answers_between_its_deaths_is_given_up_too(judge: Make) -> None:
    harness = judge(subjects.misbehaving("os._exit(7)"))
    for _ in range(MAX_LOST):
        assert said(asked(harness, OTHERS[0])) == PASSED
        assert said(asked(harness, THREE)) == {(Outcome.ERROR, f"the runner died with exit code 7 while running {THREE}")}
    for check in (THREE, *OTHERS):
        ((outcome, reason),) = said(asked(harness, check))
        assert outcome is Outcome.ERROR
        assert reason.startswith("given up after 3 hangs or deaths of this target; the last: the runner died with exit code 7")


# ---- who changes something ----

SETS = """
import ctypes

library, before = ctypes.CDLL(None), ctypes.create_string_buffer(256)
library.fegetenv(before)

def round_downward():
    held = ctypes.create_string_buffer(before.raw)
    held[28:32] = (int.from_bytes(held[28:32], "little") | 0x2000).to_bytes(4, "little")
    library.fesetenv(held)

@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def changes(prediction, target):
    os.chdir("/")
    round_downward()
    return np.mean(np.square(prediction - target))
"""


def test_what_one_changes_is_none_of_anothers_business(judge: Make) -> None:
    import platform

    if platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("the bits of another processor")
    harness = judge(SETS, subjects.RIGHT)
    first = pid(harness)
    assert said(asked(harness, OTHERS[0], "right")) == PASSED
    (cell, *_) = asked(harness, OTHERS[0], "changes").cells
    assert cell.flags[-2:] == ("changes the working directory", "changes the floating-point environment")
    (cell, *_) = asked(harness, OTHERS[1], "changes").cells
    assert "changes the working directory" in cell.flags
    assert "changes the floating-point environment" not in cell.flags, "it was changed before"
    assert pid(harness) == first
    reply = asked(harness, OTHERS[0], "right")
    assert said(reply) == PASSED
    assert reply.cells[0].flags == ()
    assert pid(harness) != first
    assert 1 + 2.0**-53 == 1, "it is this process that rounds otherwise"
    assert np.float64(1) + np.float64(3 * 2.0**-54) > 1


# ---- what is prepared ----


def mean(prediction: Array, target: Array) -> Any:
    return np.square(prediction - target).mean()


def gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
    part = 2 * (prediction - target) * upstream / np.float32(prediction.size)
    return part, -part


def implementation(name: str = "mine", call: Callable[..., Any] = mean, operation: str = "mse/mean") -> Implementation:
    return Implementation(name, name, operation, call, ("eager",), ("float32", "float64"), gradient)


class Noting(NumpyFramework):
    """Notes what is prepared, and prepares what the test says."""

    def __init__(self, run: Callable[..., Any] | None = None) -> None:
        self.run, self.prepared = run, list[str]()

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        self.prepared.append(f"{implementation.name} {dtype}")
        if self.run is not None:
            return self.run(implementation, device, mode, dtype)  # type: ignore[no-any-return]  # of a test
        return super().prepare(implementation, device, mode, dtype)


def in_this_process(framework: NumpyFramework, *implementations: Implementation) -> Harness:
    return harness_of(framework, implementations or [implementation()], replace(SPECS, policies=()))


def sessions_handles(harness: Harness) -> int:
    """How many targets are prepared in the runner."""
    assert isinstance(harness.runner, InProcess)
    return len(harness.runner.session._prepared)


def test_a_target_is_prepared_once_for_all_of_its_checks_and_released_with_the_last() -> None:
    framework = Noting()
    harness = in_this_process(framework)
    for dtype in ("float32", "float64", "float32"):
        for check in OTHERS:
            reply = harness.answer(request_of(check, "mine", dtype=dtype))
            assert {cell.outcome for cell in reply.cells} == {Outcome.PASS}
            assert sessions_handles(harness) == 1
    assert framework.prepared == ["mine float32", "mine float64", "mine float32"]


def test_siblings_are_prepared_where_they_are_asked_for_and_released_too() -> None:
    framework = Noting()
    total = implementation("mine.sum", lambda p, t: np.square(p - t).sum(), "mse/sum")
    harness = in_this_process(framework, implementation("mine.mean"), total)
    reply = harness.answer(request_of("mse/mean/law/reductions-agree", "mine.mean"))
    assert {cell.outcome for cell in reply.cells} == {Outcome.PASS}
    assert framework.prepared == ["mine.mean float32", "mine.sum float32"]
    assert sessions_handles(harness) == 2
    harness.answer(request_of(OTHERS[0], "mine.mean", dtype="float64"))
    assert sessions_handles(harness) == 1


def raises(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: Any) -> Any:
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "flags"),
    [
        (Unsupported("no such kernel"), Outcome.UNSUPPORTED, "no such kernel", ()),
        (RuntimeError("no room"), Outcome.ERROR, "before any check, on [1, 2] against zeros: raised RuntimeError: no room", ()),
        (
            ExecutionMismatch("it ran elsewhere", returned="float16"),
            Outcome.ERROR,
            "before any check, on [1, 2] against zeros: not attested: it ran elsewhere",
            ("returns float16",),
        ),
    ],
)
@pytest.mark.parametrize("where", ["prepared", "evaluated"])
def test_what_is_broken_before_any_check_is_the_reason_of_each(
    where: str, error: Exception, outcome: Outcome, reason: str, flags: tuple[str, ...]
) -> None:
    framework = Noting(raises(error) if where == "prepared" else lambda *_: raises(error))
    harness = in_this_process(framework)
    for check in (*OTHERS, RANDOM):
        reply = harness.answer(request_of(check, "mine"))
        assert {(cell.outcome, cell.reason, cell.flags) for cell in reply.cells} == {(outcome, reason, flags)}
        assert not reply.lost
    assert framework.prepared == ["mine float32"]


# ---- a runner that says what no runner says ----


class Lying(InProcess):
    """Changes what the runner says of one call."""

    def __init__(self, call: str, change: Callable[[Message], Any]) -> None:
        super().__init__(runner_of(NumpyFramework(), [implementation()]).session)
        self.about, self.change = call, change

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        question = super().begin(message, doing, timeout, ticks)
        assert question.answer is not None, "it is answered at once"
        if message["call"] == self.about:
            question.answer = dict(self.change(question.answer))
        elif message["call"] == "several":
            calls = cast("Sequence[Mapping[str, object]]", message["calls"])
            replies = zip(calls, question.answer["result"], strict=True)
            question.answer["result"] = [self.change(reply) if call["call"] == self.about else reply for call, reply in replies]
        return question


def with_group(**changes: Any) -> Callable[[Message], Message]:
    return lambda reply: {"groups": [{**reply["groups"][0], **changes}]}


LIES: dict[str, tuple[str, Callable[[Message], Any]]] = {
    "no handle": ("prepare", lambda _: {}),
    "no groups": ("evaluate", lambda _: {}),
    "none of the groups": ("evaluate", lambda _: {"groups": []}),
    "groups that are none": ("evaluate", lambda _: {"groups": [7]}),
    "too many groups": ("evaluate", lambda reply: {"groups": reply["groups"] * 3}),
    "a value that is no array": ("evaluate", with_group(value="1")),
    "a value without members": ("evaluate", with_group(value=np.ones((), np.float32))),
    "a value of objects": ("evaluate", with_group(value=np.full(1, None))),
    "gradients that are none": ("evaluate", with_group(gradients={"gradient/prediction": 3})),
    "a list of gradients": ("evaluate", with_group(gradients=[1])),
    "another gradient": ("evaluate", with_group(gradients={"gradient/moon": np.ones(1)})),
    "a gradient of another length": ("evaluate", with_group(gradients={"gradient/prediction": np.ones((0, 2), np.float32)})),
    "no report": ("evaluate", with_group(executed_as=None)),
    "a report of nothing": ("evaluate", with_group(executed_as={})),
    "an exception that is none": ("evaluate", lambda _: {"raised": 7}),
    "an exception without a name": ("evaluate", lambda _: {"raised": {"kind": "raised"}}),
    "a name that no type has": (
        "evaluate",
        lambda _: {"raised": {"kind": "raised", "type": "a\x00b", "message": "", "returned": "", "cause": None}},
    ),
    "changes that are none": ("evaluate", lambda reply: {**reply, "changed": 7}),
    "changes without a name": ("evaluate", lambda reply: {**reply, "changed": {"undone": []}}),
    "changes that are no list": ("prepare", lambda reply: {**reply, "changed": {"undone": 7, "lasting": [1]}}),
}


@pytest.mark.parametrize(("call", "change"), LIES.values(), ids=LIES)
def test_whatever_a_runner_says_every_request_is_answered(call: str, change: Callable[[Message], Any]) -> None:
    harness = open_harness(Lying(call, change), replace(SPECS, policies=()))
    for check in (*OTHERS, RANDOM, "mse/mean/bound/ordinary"):
        reply = harness.answer(request_of(check, "mine"))
        assert {cell.quantity for cell in reply.cells} == {"value", "gradient/prediction", "gradient/target"}
        assert {cell.outcome for cell in reply.cells} <= {*Outcome} - {Outcome.PASS} or call == "evaluate"
        assert any(cell.outcome is not Outcome.PASS for cell in reply.cells)
        assert all(cell.reason for cell in reply.cells if cell.outcome is not Outcome.PASS)


@pytest.mark.parametrize("count", [0, 1, 5, -1])
def test_who_does_not_answer_for_as_many_as_he_was_asked_for_does_not_pass(count: int) -> None:
    harness = open_harness(Lying("evaluate", with_group(count=count)), replace(SPECS, policies=()))
    reply = harness.answer(request_of("mse/mean/bound/ordinary", "mine"))
    assert {cell.outcome for cell in reply.cells} == {Outcome.ERROR}
    assert "nothing was evaluated" not in {cell.reason for cell in reply.cells}, "it was, and what came back is nonsense"


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {},
        lambda first: {**first, "implementations": 7},
        lambda first: {**first, "implementations": [{}]},
        lambda first: {**first, "implementations": [{"operation": "mse/mean"}]},
        lambda first: {**first, "devices": "cpu"},
        lambda first: {**first, "more": 1},
        lambda first: {**first, "version": None},
        lambda first: {**first, "implementations": [{**first["implementations"][0], "dtypes": 3}]},
    ],
)
def test_a_first_message_that_describes_nothing_is_refused(change: Callable[[Message], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_of(NumpyFramework(), [implementation()])
    first = runner.start()
    monkeypatch.setattr(runner, "start", lambda: change(first))
    with pytest.raises(ProcessLost, match=r"^the runner's first message was not a description of its framework$"):
        open_harness(runner, SPECS)


def test_an_operation_that_the_specs_do_not_have_is_left_out() -> None:
    runner = runner_of(NumpyFramework(), [implementation(), implementation("other", operation="mse/of-another-suite")])
    assert [one.name for one in open_harness(runner, SPECS).description.implementations] == ["mine"]


def test_what_is_declared_of_a_framework_is_not_of_subjects(judge: Make) -> None:
    assert judge(subjects.RIGHT).specs.policies == ()
    runner = runner_of(NumpyFramework(), [implementation()])
    assert open_harness(runner, SPECS).specs.policies == SPECS.policies != ()


def test_the_process_of_the_judge_stays_where_it_is(judge: Make) -> None:
    before = os.getcwd()  # noqa: PTH109 - of the process
    asked(judge(subjects.misbehaving("os.chdir('/')")), THREE)
    assert os.getcwd() == before  # noqa: PTH109 - likewise
