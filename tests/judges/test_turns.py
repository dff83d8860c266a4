"""Checks that are at work together: their answers come in order, a lost runner is blamed on the right one, and nothing else changes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from one_target import request_of

from conformance.judges import turns as module
from conformance.judges.harness import Harness, LostTogether
from conformance.judges.process import JudgeOptions, JudgeProcess
from conformance.judges.protocol import Reply, Request
from conformance.judges.turns import AT_A_TIME, RunPipe, SharedRunner, Turns
from conformance.results.records import Outcome
from conformance.runner.frames import Message, Pipe
from conformance.workers.child import Child, ProcessLost
from conformance.workers.runner import RunnerOptions, Turn

PATIENCE = 60.0
SERVES = """\
import os, time
from conformance.runner.frames import Broken, Pipe

pipe = Pipe(0, 1)
pipe.send({})
while True:
    try:
        call = pipe.receive()
    except Broken:
        break
    if call["call"] == "die":
        os._exit(7)
    time.sleep(call.get("seconds", 0))
    pipe.send({"number": call["number"], "pid": os.getpid()})
"""


class Serving(SharedRunner):
    """A runner that waits, or dies, as it is told."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", SERVES]

    def _start(self) -> Message:
        return Child._start(self)


Check = Callable[["Asking", Request], None]


@dataclass
class Asking:
    """In the place of a harness: each check is a function."""

    runner: Serving
    checks: dict[str, Check]
    log: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    computing: threading.Lock = field(default_factory=threading.Lock)

    def go_together(self, request: Request, other: Request) -> bool:
        return "alone" not in (request.check, other.check)

    def mostly_computes(self, request: Request) -> bool:
        return request.check.startswith("patient")

    def answer(self, request: Request, together: Callable[[], bool]) -> Reply:
        self.runner.turn = Turn(f"running {request.check}", PATIENCE)
        self.log.append(f"begins {request.check}")
        try:
            if not self.runner.is_running:
                self.runner.start()
            self.checks[request.check](self, request)
        except ProcessLost as lost:
            if together():
                raise LostTogether from None
            self.lost.append(str(lost))
            return Reply(cells=(), lost=True)
        finally:
            self.log.append(f"ends {request.check}")
        return Reply(cells=())

    def asks(self, name: str = "wait", **arguments: Any) -> Message:
        """What no two may do at a time is done before; the others could run meanwhile."""
        assert self.computing.acquire(blocking=False), "two compute at a time"
        time.sleep(0.001)
        self.computing.release()
        return self.runner.call(name, **arguments)


@dataclass
class Run:
    """The other end of the line to a judge."""

    pipe: Pipe
    thread: threading.Thread
    harness: Asking

    def replies(self, *checks: str) -> list[tuple[int, bool]]:
        """Of these checks: their numbers in the order of the replies, and whether the runner was lost."""
        for number, check in enumerate(checks, start=1):
            self.pipe.send({"number": number, "request": request_of(check, "mine").model_dump(mode="json")})
        found: list[tuple[int, bool]] = []
        while len(found) < len(checks):
            message = self.pipe.receive(time.monotonic() + PATIENCE)
            if "reply" in message:
                found.append((message["number"], message["reply"].get("lost", False)))
        return found


@pytest.fixture
def judged() -> Any:
    """Answers requests by functions in a thread of its own, until the test ends."""
    ended: list[Callable[[], None]] = []

    def begin(**checks: Check) -> Run:
        (a, b), (c, d) = os.pipe(), os.pipe()
        pipe = RunPipe(Pipe(a, d))
        runner = Serving("numpy", RunnerOptions(), pipe)
        harness = Asking(runner, checks)
        thread = threading.Thread(target=Turns(cast("Harness", harness), runner, pipe).serve, daemon=True)

        def end() -> None:
            os.close(b)
            thread.join(PATIENCE)
            runner.close()
            for descriptor in (a, c, d):
                os.close(descriptor)
            assert not thread.is_alive()

        ended.append(end)
        thread.start()
        return Run(Pipe(c, b), thread, harness)

    yield begin
    for end in ended:
        end()


def asking(times: int, **arguments: Any) -> Check:
    def check(harness: Asking, _: Request) -> None:
        for _number in range(times):
            harness.asks(**arguments)

    return check


def test_replies_come_in_the_order_of_the_requests(judged: Any) -> None:
    run = judged(slow=asking(20, seconds=0.01), quick=asking(1), patient=asking(3), nothing=lambda *_: None)
    checks = ["slow", "quick", "nothing", "patient", "slow", "quick", "nothing"]
    assert run.replies(*checks) == [(number, False) for number in range(1, len(checks) + 1)]


def test_several_are_at_work_and_no_two_compute(judged: Any) -> None:
    run = judged(slow=asking(30, seconds=0.002))
    run.replies(*["slow"] * 8)
    most = at_work = 0
    for line in run.harness.log:
        at_work += 1 if line.startswith("begins") else -1
        most = max(most, at_work)
    assert most == AT_A_TIME


def test_what_does_not_go_with_others_is_alone(judged: Any) -> None:
    run = judged(slow=asking(5, seconds=0.01), alone=asking(2))
    run.replies("slow", "alone", "slow")
    place = run.harness.log.index("begins alone")
    assert run.harness.log[:place].count("begins slow") == run.harness.log[:place].count("ends slow") == 1
    assert run.harness.log[place + 1] == "ends alone"


def test_whoever_computes_much_waits_for_those_who_ask(judged: Any) -> None:
    run = judged(patient=asking(3), quick=asking(3))
    run.replies("patient", "quick", "quick", "quick")
    assert run.harness.log[-1] == "ends patient"


def dies(harness: Asking, _: Request) -> None:
    harness.asks()
    harness.asks("die")


@pytest.mark.parametrize("place", range(4))
def test_a_death_is_that_of_whoever_dies_alone_too(judged: Any, place: int) -> None:
    run = judged(dies=dies, slow=asking(20, seconds=0.005))
    checks = ["slow"] * 6
    checks[place] = "dies"
    assert run.replies(*checks) == [(number, check == "dies") for number, check in enumerate(checks, start=1)]
    assert run.harness.lost == ["the runner died with exit code 7 while running dies"]


def test_each_that_dies_is_told_its_own_death(judged: Any) -> None:
    run = judged(dies=dies, slow=asking(5))
    checks = ["dies", "dies", "slow", "dies", "slow"]
    assert [lost for _, lost in run.replies(*checks)] == [check == "dies" for check in checks]
    assert len(run.harness.lost) == 3


CHECKS = ["swap", "linearity", "equality", "special-pairs", "every-length", "after-other-shapes", "repetition", "layouts"]


def test_together_they_find_what_each_finds_alone() -> None:
    """On entry points of NumPy, in bfloat16, where some of them fail."""
    found = []
    ids = [f"mse/mean/law/{name}" for name in CHECKS] + [f"mse/mean/bound/{name}" for name in ("ordinary", "constant-residual", "growth")]
    requests = [request_of(check, "written-out.mean", dtype=dtype) for dtype in ("bfloat16", "float32") for check in ids]
    for ahead in (1, len(requests)):
        process = JudgeProcess("numpy", JudgeOptions())
        process.describe()
        for request in requests[:ahead] if ahead > 1 else ():
            process.send(request)
        found.append([cell.model_copy(update={"seconds": 0.0}) for request in requests for cell in process.run(request).cells])
        process.shutdown()
    assert found[0] == found[1]
    assert any(cell.outcome is Outcome.FAIL for cell in found[0])


def test_a_mistake_of_a_check_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("mine")

    (a, b), (c, d) = os.pipe(), os.pipe()
    pipe = RunPipe(Pipe(a, d))
    runner = Serving("numpy", RunnerOptions(), pipe)
    Pipe(c, b).send({"number": 1, "request": request_of("broken", "mine").model_dump(mode="json")})
    monkeypatch.setattr(module, "AT_A_TIME", 1)
    with pytest.raises(ZeroDivisionError, match=r"^mine$"):
        Turns(cast("Harness", Asking(runner, {"broken": broken})), runner, pipe).serve()
    runner.close()
    for descriptor in (a, b, c, d):
        os.close(descriptor)
