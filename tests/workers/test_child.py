"""A process that is asked one thing at a time: whatever becomes of it is said in a sentence, and it can be started again."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance.runner.frames import Message
from conformance.workers import child as module
from conformance.workers.child import MAX_STARTS, Child, ProcessLost, Question

OBEYS = """\
import os, signal, subprocess, sys, threading, time
from conformance.runner.frames import Broken, Pipe

pipe = Pipe(0, 1)
{before}
pipe.send({first})
while True:
    try:
        call = pipe.receive()
    except Broken:
        break
    number = call["number"]
    exec(call["do"])
"""
"""Does what it is told, in the statements of a call."""
ANSWER = "pipe.send({'number': number, 'pid': os.getpid()})"
PATIENCE = 60.0


class Obedient(Child):
    """A process that does what it is told, and may do something before it begins."""

    role = "servant"

    def __init__(self, before: str = "", first: str = "{'hello': 'μ'}") -> None:
        super().__init__()
        self.before, self.first = before, first

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", OBEYS.format(before=self.before, first=self.first)]

    def told(self, do: str = ANSWER, timeout: float = PATIENCE) -> Message:
        return self.ask({"do": do}, timeout, "obeying")


@pytest.fixture
def make() -> Iterator[Callable[..., Obedient]]:
    """Makes children that are ended with the test."""
    made: list[Obedient] = []

    def one(*arguments: Any, start: bool = True) -> Obedient:
        made.append(Obedient(*arguments))
        if start:
            made[-1].start()
        return made[-1]

    yield one
    for child in made:
        child.close()


def is_running(child: Child) -> bool:
    """As it is now, whatever was asserted before."""
    return child.is_running


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether it is gone at last."""
    deadline = time.monotonic() + PATIENCE
    while lives(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_says_what_it_has_and_answers(make: Callable[..., Obedient]) -> None:
    child = make(start=False)
    assert not is_running(child)
    assert child.start() == {"hello": "μ"}
    assert is_running(child)
    assert child.told()["pid"] == child.told()["pid"]


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        ("os._exit(7)", "the servant died with exit code 7 while obeying"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the servant died with signal SIGKILL while obeying"),
        ("os.abort()", "the servant died with signal SIGABRT while obeying"),
        (
            "print('first', 'last', sep='\\n', file=sys.stderr, flush=True); os._exit(3)",
            "the servant died with exit code 3 while obeying; its last words: last",
        ),
        ("raise RuntimeError('no room')", "the servant died with exit code 1 while obeying; its last words: RuntimeError: no room"),
        ("os.fork() and os._exit(7); time.sleep(600)", "the servant died with exit code 7 while obeying"),  # the other holds the pipe open
        ("time.sleep(600)", "it hung: no answer in 1 s while obeying; the process was ended"),
        ("os.write(1, bytes(5)); time.sleep(600)", "it hung: no answer in 1 s while obeying; the process was ended"),
        ("os.write(1, b'Segmentation fault, or so it says')", "the servant answered nonsense while obeying: found no message"),
        ("pipe.send({'number': number + 1})", "the servant answered what it had not been asked while obeying; the process was ended"),
        ("pipe.send({'answer': 1})", "the servant answered what it had not been asked while obeying; the process was ended"),
        ("pipe.send({'tick': number})", "the servant answered what it had not been asked while obeying; the process was ended"),
    ],
)
def test_how_it_was_lost_is_said_and_it_can_be_started_again(make: Callable[..., Obedient], do: str, sentence: str) -> None:
    child = make()
    pid = child.told()["pid"]
    with pytest.raises(ProcessLost) as lost:
        child.told(do, 1 if "time.sleep" in do and "fork" not in do else PATIENCE)
    assert str(lost.value).startswith(sentence)
    assert not is_running(child)
    assert ends(pid)
    with pytest.raises(ProcessLost, match=r"^its servant was ended$"):
        child.told()
    child.start()
    assert is_running(child)
    assert child.told()["pid"] != pid


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("os._exit(4)", "the servant died with exit code 4 while starting"),
        ("raise ImportError('no libsomething')", "the servant died with exit code 1 while starting; its last words: ImportError: no libso"),
        ("os.write(1, b'hello, I am no message at all, but some text' * 2)", "the servant answered nonsense while starting: found no"),
        ("pipe.send({'failed': 'x' * 1000}); sys.exit(1)", f"it could not start: {'x' * 300}"),
        ("time.sleep(600)", "it hung: no answer in 1 s while starting; the process was ended"),
    ],
)
def test_what_cannot_be_started_is_tried_three_times(
    make: Callable[..., Obedient], monkeypatch: pytest.MonkeyPatch, before: str, sentence: str
) -> None:
    if "sleep" in before:
        monkeypatch.setattr(module, "START_TIMEOUT", 1.0)
    child = make(before, start=False)
    for _ in range(MAX_STARTS):
        with pytest.raises(ProcessLost) as lost:
            child.start()
        assert str(lost.value).startswith(sentence)
        assert not child.is_running
    child.before = ""
    with pytest.raises(ProcessLost, match=r"^its servant could not be started, 3 times in a row$"):
        child.start()


def test_a_start_that_succeeds_begins_the_count_anew(make: Callable[..., Obedient]) -> None:
    child = make("os._exit(4)", start=False)
    for _ in range(2):
        for _ in range(MAX_STARTS - 1):
            with pytest.raises(ProcessLost):
                child.start()
        child.before, before = "", child.before
        child.start()
        child.before = before


def test_a_command_that_there_is_not_is_a_sentence(make: Callable[..., Obedient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Obedient, "command", lambda _: ["/no/such/interpreter"])
    with pytest.raises(ProcessLost, match=r"^the system could not start its servant: No such file or directory$"):
        make()


def test_it_has_as_long_for_each_call(make: Callable[..., Obedient]) -> None:
    child = make()
    started = time.monotonic()
    for _ in range(4):
        child.told(f"time.sleep(0.4); {ANSWER}", 1.5)
    assert time.monotonic() - started > 1.5


def test_who_may_say_that_he_needs_as_long_again_may_so_as_often_as_was_said(make: Callable[..., Obedient]) -> None:
    child = make()
    slow = f"for _ in range(3): time.sleep(0.7); pipe.send({{'tick': number}})\ntime.sleep(0.7); {ANSWER}"
    assert "pid" in child.finish(child.begin({"do": slow}, "obeying", 2, ticks=3))
    with pytest.raises(ProcessLost, match="answered what it had not been asked"):
        child.finish(child.begin({"do": slow}, "obeying", 2, ticks=2))


def test_whoever_says_so_and_then_hangs_has_hung(make: Callable[..., Obedient]) -> None:
    child = make()
    with pytest.raises(ProcessLost, match=r"^it hung: no answer in 1 s while obeying"):
        child.finish(child.begin({"do": "pipe.send({'tick': number}); time.sleep(600)"}, "obeying", 1, ticks=3))


def test_the_tick_of_another_question_is_none(make: Callable[..., Obedient]) -> None:
    child = make()
    with pytest.raises(ProcessLost, match="answered what it had not been asked"):
        child.finish(child.begin({"do": "pipe.send({'tick': number - 1})"}, "obeying", PATIENCE, ticks=3))


def saying(child: Obedient, it: str, more: str = "") -> Question:
    return child.begin({"do": f"{more}pipe.send({{'number': number, 'it': {it!r}}})"}, "obeying", PATIENCE)


def test_each_question_has_its_answer_whichever_is_waited_for_first(make: Callable[..., Obedient]) -> None:
    child = make()
    first, second, third = (saying(child, it) for it in ("first", "second", "third"))
    assert [child.finish(question)["it"] for question in (second, third, first, second)] == ["second", "third", "first", "second"]


def test_each_has_its_own_time(make: Callable[..., Obedient]) -> None:
    child = make()
    slow, quick = child.begin({"do": f"time.sleep(2); {ANSWER}"}, "a slow one", PATIENCE), child.begin({"do": ANSWER}, "a quick one", 1)
    assert "pid" in child.finish(quick)
    assert "pid" in child.finish(slow)


def test_an_answer_that_nobody_waits_for_is_dropped(make: Callable[..., Obedient]) -> None:
    child = make()
    saying(child, "first")
    assert child.finish(saying(child, "second"))["it"] == "second"
    assert not child._pending


def test_whoever_asks_for_more_than_fits_in_a_pipe_reads_first(make: Callable[..., Obedient]) -> None:
    """Both would wait for each other, with what they write in a full pipe."""
    child = make()
    long = "x" * 200_000
    questions = [saying(child, long, f"{'#' * 100_000}\n") for _ in range(4)]
    assert {child.finish(question)["it"] for question in questions} == {long}


def test_what_waits_is_lost_with_the_process(make: Callable[..., Obedient]) -> None:
    child = make()
    first = child.begin({"do": "time.sleep(0.5); os._exit(7)"}, "dying", PATIENCE)
    second = child.begin({"do": ANSWER}, "obeying", PATIENCE)
    for question in (second, first):
        with pytest.raises(ProcessLost, match="exit code 7 while dying"):
            child.finish(question)
    child.start()
    assert "pid" in child.told()


def test_what_is_sent_to_one_who_is_gone_says_how_it_went(make: Callable[..., Obedient]) -> None:
    child = make()
    pid = child.told()["pid"]
    os.kill(pid, 9)
    with pytest.raises(ProcessLost, match=r"^the servant died with signal SIGKILL while obeying$"):
        child.ask({"do": ANSWER, "much": "x" * 10_000_000}, PATIENCE, "obeying")


def test_it_may_write_whatever_it_likes_to_stderr(make: Callable[..., Obedient]) -> None:
    child = make()
    assert "pid" in child.told(f"sys.stderr.write('x' * 5_000_000); {ANSWER}")


def test_one_who_is_idle_ends_by_himself(make: Callable[..., Obedient], tmp_path: Path) -> None:
    made = tmp_path / "made"
    child = make(f"import atexit, pathlib; made = pathlib.Path({str(made)!r}); made.touch(); atexit.register(made.unlink)")
    assert made.exists()
    child.shutdown()
    assert not made.exists()
    assert not child.is_running


def test_one_who_does_not_end_is_ended(make: Callable[..., Obedient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISMISSAL_TIMEOUT", 0.5)
    child = make("import atexit; atexit.register(time.sleep, 600)")
    pid = child.told()["pid"]
    started = time.monotonic()
    child.shutdown()
    assert time.monotonic() - started < PATIENCE
    assert ends(pid)


def test_what_it_started_ends_with_it(make: Callable[..., Obedient]) -> None:
    child = make()
    other = child.told("other = subprocess.Popen(['sleep', '600']); pipe.send({'number': number, 'pid': other.pid})")["pid"]
    assert lives(other)
    child.close()
    assert ends(other)


def test_what_is_closed_stays_closed(make: Callable[..., Obedient]) -> None:
    child = make()
    child.close()
    child.close()
    child.shutdown()
    with pytest.raises(ProcessLost, match=r"^its servant was ended$"):
        child.start()
    with pytest.raises(ProcessLost, match=r"^its servant was ended$"):
        child.told()


def test_what_is_never_started_can_be_closed() -> None:
    for end in (Obedient.close, Obedient.shutdown):
        end(Obedient())


@pytest.mark.parametrize("do", ["time.sleep(600)", "os.fork(); time.sleep(600)"])
def test_one_who_is_closed_elsewhere_is_waited_for_no_longer(make: Callable[..., Obedient], do: str) -> None:
    """As an interrupt does, in another thread than the one that asks."""
    child = make()
    said: list[BaseException] = []

    def ask() -> None:
        try:
            child.told(do, 600)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is looked at below
            said.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    time.sleep(0.3)
    child.close()
    asking.join(PATIENCE)
    assert [type(error) for error in said] == [ProcessLost]


def test_it_imports_the_package_of_its_parent(make: Callable[..., Obedient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is started, and beside what the user's variable names."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "my_module.py").write_text("here = True")
    monkeypatch.chdir(tmp_path)
    child = make("import conformance, my_module", "{'where': conformance.__file__}", start=False)
    assert child.start()["where"] == conformance.__file__
