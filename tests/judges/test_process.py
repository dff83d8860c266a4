"""A judge as a run sees it: it says what it has, answers with cells, and is started again if something ends it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import subjects
from one_target import request_of

from conformance.judges import process as module
from conformance.judges.lost import MAX_LOST
from conformance.judges.process import JudgeOptions, JudgeProcess, running
from conformance.judges.protocol import Reply
from conformance.results.records import Outcome
from conformance.workers.child import ProcessLost

THREE, OTHER = "mse/mean/case/mean-thirds", "mse/mean/case/mean-integers"
"""The first has three elements, and so has the subject's bad moment."""
PATIENCE = 60.0
Make = Callable[..., JudgeProcess]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Make]:
    """Starts judges of functions in a file; they are shut down with the test."""
    started: list[JudgeProcess] = []

    def one(*functions: str) -> JudgeProcess:
        started.append(JudgeProcess("numpy", JudgeOptions(subjects=[subjects.write(tmp_path, *functions)])))
        started[-1].describe()
        return started[-1]

    yield one
    for process in started:
        process.shutdown()


def asked(process: JudgeProcess, check: str, implementation: str = "misbehaving", timeout: float = 60.0) -> Reply:
    return process.run(request_of(check, implementation).model_copy(update={"timeout": timeout}))


def passes(process: JudgeProcess, check: str, implementation: str) -> bool:
    return next(cell for cell in asked(process, check, implementation).cells if cell.quantity == "value").outcome is Outcome.PASS


def pids(folder: Path, count: int) -> list[int]:
    """What the subject wrote into a file."""
    deadline, path = time.monotonic() + PATIENCE, folder / "pids"
    while not path.exists() or len(path.read_text("utf-8").split()) < count:
        assert time.monotonic() < deadline, "the subject was not asked"
        time.sleep(0.02)
    return [int(word) for word in path.read_text("utf-8").split()]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int) -> bool:
    """Whether it ends at last."""
    deadline = time.monotonic() + 10
    while lives(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_describes_what_its_runner_has_and_answers_with_cells(tmp_path: Path) -> None:
    path = subjects.write(tmp_path, subjects.RIGHT)
    with running("numpy", JudgeOptions(subjects=[path])) as (process, description):
        assert (description.framework, [one.name for one in description.implementations]) == ("numpy", ["right"])
        assert description.devices[0].name == "cpu"
        reply = asked(process, THREE, "right")
        assert [cell.outcome for cell in reply.cells] == [Outcome.PASS] * 3
        assert not reply.uses_random_inputs
        assert not reply.lost
        assert asked(process, "mse/mean/law/swap", "right").uses_random_inputs
        pid = process._process.pid if process._process else 0
    assert end(pid)


def test_a_runner_that_dies_costs_its_judge_nothing(judge: Make) -> None:
    process = judge(subjects.misbehaving("os._exit(7)"))
    before = process._process
    reply = asked(process, THREE)
    assert reply.lost
    assert {cell.reason for cell in reply.cells} == {f"the runner died with exit code 7 while running {THREE}"}
    assert passes(process, OTHER, "misbehaving")
    assert process._process is before


KILLS = subjects.misbehaving("os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)")


def given_up_by(process: JudgeProcess) -> str:
    """Kills the judge as often as that is borne, and asks it something else in between; what is said of one more try."""
    for _ in range(MAX_LOST):
        with pytest.raises(ProcessLost) as lost:
            asked(process, THREE)
        assert str(lost.value) == KILLED
        assert passes(process, THREE, "right")
    with pytest.raises(ProcessLost) as lost:
        asked(process, OTHER)
    return str(lost.value)


KILLED = f"the judge died with signal SIGKILL while running {THREE}"


def test_one_that_kills_its_judge_is_given_up_and_others_are_not(judge: Make) -> None:
    process = judge(KILLS, subjects.RIGHT)
    assert given_up_by(process) == f"given up after {MAX_LOST} deaths of its judge in a row; the last: {KILLED}"
    before = process._process
    with pytest.raises(ProcessLost, match=r"^given up"):
        asked(process, THREE)
    assert process._process is before
    assert passes(process, THREE, "right")


def test_the_last_death_is_said_each_time(judge: Make) -> None:
    process = judge(KILLS, subjects.RIGHT)
    said = given_up_by(process)
    for check in (THREE, OTHER):
        with pytest.raises(ProcessLost) as lost:
            asked(process, check)
        assert str(lost.value) == said


def test_whatever_it_answers_between_begins_the_count_anew(judge: Make) -> None:
    process = judge(KILLS)
    for _ in range(MAX_LOST + 1):
        with pytest.raises(ProcessLost, match=r"^the judge died"):
            asked(process, THREE)
        assert passes(process, OTHER, "misbehaving")


def test_what_was_sent_before_is_answered_in_its_order(judge: Make) -> None:
    process = judge(subjects.RIGHT)
    requests = [request_of(check, "right") for check in (THREE, OTHER, THREE)]
    for request in requests:
        process.send(request)
    for request in (*requests, requests[0]):  # the last is sent again
        assert {cell.check for cell in process.run(request).cells} == {request.check}


def test_what_was_lost_with_the_one_before_is_sent_again(judge: Make) -> None:
    process = judge(KILLS.replace("misbehaving", "late").replace("os.kill", "time.sleep(1); os.kill"), subjects.RIGHT)
    requests = [request_of(THREE, "late"), request_of(THREE, "right"), request_of(OTHER, "right")]
    for request in requests:
        process.send(request)
    with pytest.raises(ProcessLost) as lost:
        process.run(requests[0])
    assert str(lost.value) == KILLED
    for request in requests[1:]:
        assert {cell.check for cell in process.run(request).cells} == {request.check}


def test_a_death_that_is_noticed_by_the_next_request_is_that_of_the_one_before(judge: Make) -> None:
    process = judge(KILLS, subjects.RIGHT)
    first, second = request_of(THREE, "misbehaving"), request_of(OTHER, "right")
    process.send(first)
    assert process._process is not None
    process._process.wait(PATIENCE)
    process.send(second)
    with pytest.raises(ProcessLost) as lost:
        process.run(first)
    assert str(lost.value) == KILLED
    assert {cell.check for cell in process.run(second).cells} == {OTHER}


def test_one_who_is_given_up_takes_nobody_along(judge: Make) -> None:
    process = judge(KILLS, subjects.RIGHT)
    given_up_by(process)
    first, second = request_of(THREE, "right"), request_of(THREE, "misbehaving")
    process.send(first)
    process.send(second)
    assert {cell.check for cell in process.run(first).cells} == {THREE}
    with pytest.raises(ProcessLost, match=r"^given up"):
        process.run(second)


def test_what_was_sent_and_is_not_asked_for_answers_nothing_else(judge: Make) -> None:
    process = judge(subjects.RIGHT)
    process.send(request_of(THREE, "right"))
    assert {cell.check for cell in process.run(request_of(OTHER, "right")).cells} == {OTHER}


def test_what_cannot_be_sent_is_said_when_it_is_asked_for(judge: Make) -> None:
    process = judge(KILLS)
    request = request_of(THREE, "misbehaving")
    process.send(request)
    with pytest.raises(ProcessLost) as lost:
        process.run(request)
    assert str(lost.value) == KILLED
    process.close()
    process.send(request)
    with pytest.raises(ProcessLost, match=r"^its judge was ended$"):
        process.run(request)


def test_a_judge_that_is_stopped_is_ended(judge: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    process = judge(subjects.misbehaving("os.kill(os.getppid(), signal.SIGSTOP); time.sleep(600)"))
    monkeypatch.setattr(module, "SILENCE", 2.0)
    monkeypatch.setattr(module, "FIRST_TIMEOUT", 1.0)
    with pytest.raises(ProcessLost, match=rf"^it hung: no answer in 3 s while running {THREE}; the process was ended$"):
        asked(process, THREE, timeout=1)
    monkeypatch.undo()
    assert passes(process, OTHER, "misbehaving")


def test_a_judge_says_that_it_lives_for_as_long_as_it_asks(judge: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check may take longer than a judge may be silent."""
    process = judge(subjects.RIGHT.replace("    return np.mean", "    time.sleep(0.2)\n    return np.mean"))
    monkeypatch.setattr(module, "SILENCE", 1.0)
    monkeypatch.setattr(module, "FIRST_TIMEOUT", 1.0)
    started = time.monotonic()
    reply = asked(process, "mse/mean/law/swap", "right", timeout=2)
    assert time.monotonic() - started > 3
    assert {cell.outcome for cell in reply.cells} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("raise ImportError('no libsomething.so')", "no libsomething.so"),
        ("import os; os._exit(9)", "the runner died with exit code 9 while starting"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(judge: Make, function: str, sentence: str) -> None:
    with pytest.raises(ProcessLost) as lost:
        judge(function)
    assert str(lost.value).startswith("it could not start: ")
    assert sentence in str(lost.value)
    assert str(lost.value).count("could not start") == 1


@pytest.mark.parametrize("first", ["{}", '{"framework": 3}', '{"protocol": 1, "more": 1}'])
def test_a_first_message_that_describes_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    message = json.dumps({"message": json.loads(first)}).encode()
    program = f"import os, struct, time; os.write(1, struct.pack('<QQB', {len(message)}, 0, 0) + {message!r}); time.sleep(600)"

    def command(_: JudgeProcess) -> Sequence[str]:
        return [sys.executable, "-c", program]

    monkeypatch.setattr(JudgeProcess, "command", command)
    process = JudgeProcess("numpy")
    if first == "{}":  # all of it has a default
        assert process.describe().implementations == ()
    else:
        with pytest.raises(ProcessLost, match=r"^the judge's first message was not a description of its framework$"):
            process.describe()
        assert not process.is_running
    process.close()


@pytest.mark.parametrize("reply", ["None", "{'cells': 7}", "{'cells': [{'check': 'a'}]}", "[]"])
def test_an_answer_that_is_no_list_of_cells_is_a_sentence(monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    program = f"""\
from conformance.runner.frames import Pipe
pipe = Pipe(0, 1)
pipe.send({{}})
while True:
    pipe.send({{"number": pipe.receive()["number"], "reply": {reply}}})
"""

    def command(_: JudgeProcess) -> Sequence[str]:
        return [sys.executable, "-c", program]

    monkeypatch.setattr(JudgeProcess, "command", command)
    process = JudgeProcess("numpy")
    with pytest.raises(ProcessLost, match=r"^it answered something that is not a list of cells \(.+\)$"):
        asked(process, THREE)
    assert not process.is_running
    process.close()


def tells(folder: Path, *more: str) -> str:
    """Writes the number of its process into a file, does more, and hangs."""
    path = str(folder / "pids")
    return subjects.misbehaving(
        f"file = open({path!r}, 'a'); print(os.getpid(), os.getppid(), file=file, flush=True); {'; '.join((*more, 'time.sleep(600)'))}"
    )


def closed_while_it_asks(process: JudgeProcess, folder: Path, count: int) -> list[int]:
    """The processes that there were, after the judge was closed in the middle of a check, as an interrupt does."""
    said: list[str] = []

    def ask() -> None:
        try:
            asked(process, THREE, timeout=600)
        except ProcessLost as lost:
            said.append(str(lost))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    found = pids(folder, count)
    process.close()
    asking.join(PATIENCE)
    assert len(said) == 1
    return found


def test_what_is_closed_ends_with_its_runner(judge: Make, tmp_path: Path) -> None:
    found = closed_while_it_asks(judge(tells(tmp_path)), tmp_path, 2)
    assert [end(pid) for pid in found] == [True, True]


def test_what_is_closed_ends_with_whatever_its_runner_started(judge: Make, tmp_path: Path) -> None:
    starts = "import subprocess", "print(subprocess.Popen(['sleep', '60']).pid, file=file, flush=True)"
    found = closed_while_it_asks(judge(tells(tmp_path, *starts)), tmp_path, 3)
    assert [end(pid) for pid in found] == [True, True, True]


def test_it_is_started_with_what_it_starts_its_runner_with() -> None:
    options = JudgeOptions(subjects=[Path("a.py"), Path("b.py")], memory=5, specs=Path("specs"))
    command = list(JudgeProcess("numpy", options).command())
    assert command[:4] == [sys.executable, "-m", "conformance.judges", "numpy"]
    assert command[4:] == ["--specs", "specs", "--subject", "a.py", "--subject", "b.py", "--memory", "5"]
