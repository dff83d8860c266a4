"""A runner as its judge sees it: what an implementation does there stays there, costs one call, and is said in a sentence."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import subjects
from one_target import runner_of

from conformance.frameworks.base import Evaluate, Evaluation, ExecutionReport, Implementation, Refused
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.probe import AsIs, Probe, Returned
from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array
from conformance.numerics.stack import Stack
from conformance.runner.frames import LARGE, Message
from conformance.runner.messages import Raised
from conformance.workers.child import ProcessLost, Question
from conformance.workers.runner import FIRST_TIMEOUT, TIMEOUT, RemoteTarget, Runner, RunnerOptions

PATIENCE = 60.0
Make = Callable[..., Runner]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Make]:
    """Starts runners of functions in a file; they are shut down with the test."""
    started: list[Runner] = []

    def one(*functions: str, **options: Any) -> Runner:
        runner = Runner("numpy", RunnerOptions(subjects=[subjects.write(tmp_path, *functions)], **options))
        started.append(runner)
        runner.start()
        runner.turn.doing = "testing"
        return runner

    yield one
    for runner in started:
        runner.shutdown()


def target(runner: Runner, implementation: str = "misbehaving", **more: Any) -> RemoteTarget:
    return RemoteTarget(runner, implementation, "cpu", "eager", "float32", **more)


def ones(*shape: int) -> Inputs:
    array = np.ones(shape, np.float32)
    return Inputs(array, 0 * array, None, np.ones((), np.float32))


def is_running(runner: Runner) -> bool:
    """As it is now, whatever was asserted before."""
    return runner.is_running


# ---- a process that is lost ----


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the runner died with signal SIGSEGV while testing"),
        ("os._exit(7)", "the runner died with exit code 7 while testing"),
        ("sys.exit(7)", "the runner died with exit code 7 while testing"),
        ("os.write(2, b'no kernel\\n'); os._exit(1)", "the runner died with exit code 1 while testing; its last words: no kernel"),
        ("time.sleep(600)", "it hung: no answer in 2 s while testing; the process was ended"),
        ("while True: pass", "it hung: no answer in 2 s while testing; the process was ended"),
    ],
)
def test_a_call_that_ends_the_process_costs_that_call(start: Make, what: str, sentence: str) -> None:
    runner = start(subjects.misbehaving(what))
    runner.turn.timeout = 2.0 if "hung" in sentence else PATIENCE
    loss = target(runner)
    assert loss(ones(2)).value == 1
    with pytest.raises(ProcessLost) as lost:
        loss(ones(3))
    assert str(lost.value) == sentence
    assert not is_running(runner)
    loss.release()  # of a process that is gone there is nothing to release
    runner.start()
    assert target(runner)(ones(2)).value == 1


SLEEPS = subjects.misbehaving("time.sleep(0.8)")


def test_each_evaluation_of_a_stack_has_its_own_time(start: Make) -> None:
    """Six of them take longer than one may."""
    runner = start(SLEEPS)
    runner.turn.timeout = 3.0
    started = time.monotonic()
    (group,) = target(runner).begin(Stack.of([ones(3)] * 6))()
    assert group.count == 6
    assert time.monotonic() - started > runner.turn.timeout


def test_one_evaluation_of_a_stack_that_hangs_has_hung(start: Make) -> None:
    runner = start(subjects.misbehaving("time.sleep(600 if prediction[0] > 1 else 0.8)"))
    runner.turn.timeout = 3.0
    started = time.monotonic()
    with pytest.raises(ProcessLost, match=r"^it hung: no answer in 3 s while testing; the process was ended$"):
        target(runner).begin(Stack.of([ones(3)] * 3 + [replace(ones(3), prediction=np.full(3, 2, np.float32))]))()
    assert time.monotonic() - started < PATIENCE


def test_a_plain_call_has_its_own_time_too(start: Make) -> None:
    runner = start(subjects.misbehaving("time.sleep(600)"))
    runner.turn.timeout = 1.0
    with pytest.raises(ProcessLost, match=r"^it hung: no answer in 1 s while testing"):
        target(runner).probe.call(np.ones(3, np.float32), np.ones(3, np.float32))


def test_what_nobody_waited_for_does_not_answer_the_next_question(start: Make) -> None:
    runner = start(SLEEPS)
    loss = target(runner)
    loss.begin(Stack.of([ones(3)] * 2))
    assert loss(replace(ones(2), prediction=np.full(2, 3, np.float32))).value == 9


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("raise ImportError('no libsomething.so')", "no libsomething.so"),
        ("import sys; sys.exit(3)", "found SystemExit: 3 while the file ran"),
        ("def f(:", "found a syntax error"),
    ],
)
def test_a_file_that_does_not_run_is_a_sentence(start: Make, function: str, sentence: str) -> None:
    with pytest.raises(ProcessLost, match=r"^it could not start: ") as lost:
        start(function)
    assert sentence in str(lost.value)


def test_a_framework_that_there_is_not_is_a_sentence() -> None:
    with pytest.raises(ProcessLost, match=r"^it could not start: .*unknown framework 'abacus'"):
        Runner("abacus").start()


# ---- what stays on the other side ----


def test_what_is_raised_there_is_raised_here_under_its_name(start: Make) -> None:
    runner = start(subjects.misbehaving("raise type('KernelPanic', (RuntimeError,), {})('no kernel today')"))
    with pytest.raises(Raised, match=r"^no kernel today$") as raised:
        target(runner)(ones(3))
    assert type(raised.value).__name__ == "KernelPanic"
    assert is_running(runner)


def test_memory_beyond_the_limit_is_refused(start: Make) -> None:
    runner = start(subjects.misbehaving("hold = [np.ones(2**24) for _ in range(100)]"), memory=2**30)
    loss = target(runner)
    with pytest.raises(Raised) as raised:
        loss(ones(3))
    assert "Memory" in type(raised.value).__name__
    assert loss(ones(2)).value == 1


@pytest.mark.parametrize(
    "noise",
    [
        "print('noise' * 10_000, flush=True)",
        "os.write(1, b'x' * 100_000)",
        "os.write(2, b'x' * 1_000_000)",
        "sys.stdin.read()",
        "os.dup2(os.open(os.devnull, os.O_RDWR), 0); os.dup2(0, 1); os.dup2(0, 2)",
    ],
)
def test_noise_does_not_reach_the_pipe(start: Make, noise: str) -> None:
    loss = target(start(subjects.misbehaving(noise)))
    for _ in range(3):
        assert loss(ones(3)).value == 1


def test_an_implementation_writes_to_its_own_memory_alone(start: Make) -> None:
    """And keeps what it was given: the next call gets other memory."""
    runner = start(subjects.misbehaving("prediction[...] = 7; globals().setdefault('kept', []).append(prediction)"))
    loss, inputs = target(runner), ones(3)
    for _ in range(2):
        found = loss(inputs)
        assert found.value == 49
        assert found.changed == ("prediction",)
    assert inputs.prediction.tolist() == [1, 1, 1]


FLUSHES = """
import ctypes

def flush_to_zero():
    library, held = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    library.fegetenv(held)
    held[28:32] = (int.from_bytes(held[28:32], "little") | 0x8040).to_bytes(4, "little")
    library.fesetenv(held)
"""


def test_another_arithmetic_stays_there_and_is_told(start: Make) -> None:
    import platform

    if platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("the bits of another processor")
    runner = start(FLUSHES, subjects.misbehaving("flush_to_zero()"))
    tiny = np.full(2, np.finfo(np.float32).tiny, np.float32)
    small = replace(ones(2), prediction=np.sqrt(tiny) / 2)
    loss = target(runner)
    assert loss(small).value > 0
    assert list(runner.turn.lasting) == []
    loss(ones(3))
    assert list(runner.turn.lasting) == ["changes the floating-point environment"]
    assert loss(small).value == 0
    assert (tiny / 2 > 0).all(), "it is this process that flushes"
    runner.start()
    assert target(runner)(small).value > 0


def test_what_hangs_in_a_thread_does_not_keep_the_process(start: Make) -> None:
    runner = start(subjects.misbehaving("import threading; threading.Thread(target=time.sleep, args=(600,)).start()"))
    assert target(runner)(ones(3)).value == 1
    started = time.monotonic()
    runner.shutdown()
    assert time.monotonic() - started < PATIENCE


# ---- large arrays ----

SQUARES = """
@conformance.implementation("mse/none", framework="numpy", dtypes=("float32",))
def squares(prediction, target):
    return np.square(prediction - target)
"""


def large() -> Inputs:
    numbers = np.arange(LARGE, dtype=np.float32).reshape(2, -1)
    return Inputs(numbers[:, ::-1], np.ones_like(numbers), None, np.ones_like(numbers))


@pytest.mark.parametrize("room", [True, False])
def test_large_arrays_arrive_with_a_file_and_without(
    start: Make,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    room: bool,  # noqa: FBT001 - of a table
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not room:

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    runner, inputs = start(SQUARES), large()
    assert runner._pipe is not None
    assert (runner._pipe.shared is not None) == room
    assert list(tmp_path.glob("conformance-*")) == [], "the file has a name only until both sides have it"
    loss = target(runner, "squares")
    for factor in (1, 2):
        found = loss(replace(inputs, prediction=inputs.prediction * np.float32(factor)))
        np.testing.assert_array_equal(found.value, np.square(inputs.prediction * np.float32(factor) - 1))


# ---- without a process ----


class Stub(NumpyFramework):
    """What is prepared is the function ``run`` of one input, or of a stack."""

    def __init__(self, run: Callable[[Inputs], Evaluation]) -> None:
        self.run = run

    def prepare(self, *_: Any) -> Evaluate:
        return self.run


def stubbed(run: Callable[[Inputs], Evaluation], mode: str = "eager") -> RemoteTarget:
    runner = runner_of(Stub(run), [Implementation("mine", "mine", "mse/mean", run, (mode,), ("float32",))])
    runner.start()
    return RemoteTarget(runner, "mine", "cpu", mode, "float32")


def batched(stack: Inputs) -> Evaluation:
    value = np.square(stack.prediction - stack.target).mean(axis=1)
    return Evaluation(value, {"gradient/prediction": stack.prediction}, ExecutionReport("cpu", VMAP, "float32", value.shape))


def numbered(*numbers: float) -> Stack:
    return Stack.of([replace(ones(2), prediction=np.full(2, number, np.float32)) for number in numbers])


def test_a_batch_is_one_group_whose_members_have_their_own_shape() -> None:
    (group,) = stubbed(batched, VMAP).begin(numbered(1, 2, 3))()
    assert isinstance(group.result, Evaluation)
    assert (group.count, group.result.value.tolist(), group.result.executed_as.shape) == (3, [1, 4, 9], ())


def test_a_batch_that_is_refused_is_asked_member_by_member() -> None:
    calls = []

    def picky(stack: Inputs) -> Evaluation:
        calls.append(len(stack.prediction))
        if (stack.prediction == 2).any():
            raise Refused("not two")
        return batched(stack)

    groups = stubbed(picky, VMAP).begin(numbered(1, 2, 3, 2))()
    assert calls == [4, 1, 1, 1, 1]
    assert [group.count for group in groups] == [1] * 4
    assert [str(g.result) if isinstance(g.result, Refused) else g.result.value.tolist() for g in groups] == [[1], "not two", [9], "not two"]


def test_one_that_is_refused_raises_what_it_says() -> None:
    def refuses(_: Inputs) -> Evaluation:
        raise Refused("not today")

    for mode in ("eager", VMAP):
        with pytest.raises(Refused, match=r"^not today$"):
            stubbed(refuses, mode)(ones(2))


MEAN = Implementation("mine", "mine", "mse/mean", lambda p, t: ((p - t) ** 2).mean(), ("eager",), ("float32",))


def test_more_time_is_given_to_the_first_call_of_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind and shape, and to no other."""
    given: list[float] = []
    runner = runner_of(NumpyFramework(), [MEAN])
    runner.start()
    finish = runner.finish

    def noting(question: Question) -> Message:
        given.append(question.timeout)
        return finish(question)

    def asked(loss: RemoteTarget) -> list[float]:
        given.clear()
        for _ in range(2):
            for shape in (2, 3):
                loss(ones(shape))
                loss.probe.call(ones(shape).prediction, ones(shape).target)
        return list(given)

    monkeypatch.setattr(runner, "finish", noting)
    for compiles, first in ((True, FIRST_TIMEOUT), (False, TIMEOUT)):
        loss = RemoteTarget(runner, "mine", "cpu", "eager", "float32", compiles_each_shape=compiles)
        assert asked(loss) == [first] * 4 + [TIMEOUT] * 4
    runner.turn.timeout = 2 * FIRST_TIMEOUT
    assert set(asked(RemoteTarget(runner, "mine", "cpu", "eager", "float32", compiles_each_shape=True))) == {2 * FIRST_TIMEOUT}


def test_answers_are_counted_and_not_what_prepares_for_them() -> None:
    runner = runner_of(NumpyFramework(), [MEAN])
    runner.start()
    loss = RemoteTarget(runner, "mine", "cpu", "eager", "float32")
    assert runner.turn.answers == 0
    loss(ones(2))
    loss.begin(numbered(1, 2, 3))()
    assert runner.turn.answers == 2
    loss.probe.call(ones(2).prediction, ones(2).target)
    with pytest.raises(Raised):
        loss.probe.call("no", "numbers")
    assert runner.turn.answers == 4
    loss.release()
    assert runner.turn.answers == 4


class Answering(Probe):
    """Answers with what it was asked."""

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        return Returned(np.asarray([prediction is target, isinstance(prediction, AsIs), weight is None]), "mine", ("mind",))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        factor = np.float32(2 if quantity is Quantity.GRADIENT_TARGET else 1)
        return np.asarray(inputs.prediction * factor)

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        return np.asarray(inputs.prediction + prediction + 2 * target)

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        return inputs.prediction, direction

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        return np.stack([one.prediction for one in stack])

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        return inputs.prediction, after.prediction

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        return np.asarray([inputs.prediction.sum(), *lengths])


def test_every_question_of_a_probe_reaches_the_probe_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stub, "probe", lambda *_: Answering())
    probe = stubbed(batched).probe
    one, two = numbered(1, 2).member(0), numbered(1, 2).member(1)
    array = one.prediction
    assert [probe.call(*a).value.tolist() for a in ((array, array), (array, array.copy(), array), (AsIs(array), array))] == [
        [True, False, True],
        [False, False, False],
        [False, True, True],
    ]
    assert probe.call(array, array).warnings == ("mind",)
    assert probe.gradient_of(two, Quantity.GRADIENT_TARGET).tolist() == [4, 4]
    assert probe.jvp(one, array, array).tolist() == [4, 4]
    assert [part.tolist() for part in probe.hvp(two, array)] == [[2, 2], [1, 1]]
    assert probe.vmap([one, two]).tolist() == [[1, 1], [2, 2]]
    assert [part.tolist() for part in probe.update_in_place(one, two)] == [[1, 1], [2, 2]]
    assert probe.accumulate(two, [1, 0, 1]).tolist() == [4, 1, 0, 1]


def test_a_runner_is_our_interpreter() -> None:
    command = list(Runner("numpy", RunnerOptions(subjects=[Path("a.py"), Path("b.py")], memory=5)).command())
    assert command[:4] == [sys.executable, "-m", "conformance.runner", "numpy"]
    assert command[4:] == ["--subject", "a.py", "--subject", "b.py", "--memory", "5"]
