"""A few checks of one target at a time: while the runner computes for some of them, another one is judged.

Each has a thread of its own, so that checks are written as if each were alone; but one thread computes at a time, and the next has its
turn where that one would wait for the runner. Nothing that checks share changes under their hands but while they wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from conformance.judges.harness import Harness, LostTogether
from conformance.judges.protocol import Reply, Request
from conformance.runner.frames import Broken, Message, Pipe
from conformance.workers.child import ProcessLost, Question
from conformance.workers.runner import Runner, RunnerOptions, Turn

AT_A_TIME = 4
TICK = 1.0
"""Seconds between two signs of life."""


@dataclass
class RunPipe:
    """The judge's line to the run: requests and replies in their order, and between them signs of life."""

    pipe: Pipe
    answering: int = 0
    """The number of the request whose reply is sent next."""
    _told: float = field(default_factory=time.monotonic)
    _known: deque[Message] = field(default_factory=deque)

    def next(self, *, wait: bool) -> Message | None:
        """The next request, which is not taken; None where there is none, or none yet that need not be waited for."""
        with suppress(Broken):
            if not self._known and (wait or self.pipe.has_more):
                self._known.append(self.pipe.receive())
        return self._known[0] if self._known else None

    def take(self) -> None:
        """The next request is being answered."""
        self._known.popleft()

    def tick(self) -> None:
        """Say that the answer will come."""
        if self.answering and time.monotonic() - self._told > TICK:
            self._told = time.monotonic()
            self.pipe.send({"tick": self.answering})

    def reply(self, reply: Reply) -> None:
        """Send the answer."""
        self.pipe.send({"number": self.answering, "reply": reply.model_dump(mode="json", exclude_defaults=True)})
        self.answering = 0


@dataclass(eq=False)
class Work:
    """A check that is at work, or waits for its turn."""

    request: Request
    number: int
    mostly_computes: bool
    """Whether it computes much and asks little: its turn comes when nobody has anything to ask."""
    future: Future[Reply | None] = field(default_factory=Future)
    begins: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waits_for: Question | None = None

    @property
    def can_go_on(self) -> bool:
        """Whether it has something to compute."""
        return not self.future.done() and (self.waits_for is None or self.waits_for.answer is not None or bool(self.waits_for.lost))


class SharedRunner(Runner):
    """A runner that several checks ask at a time; its judge says that it lives whenever it asks something."""

    def __init__(self, framework: str, options: RunnerOptions, run: RunPipe) -> None:
        self._threads = threading.local()
        super().__init__(framework, options)
        self._run = run
        self.at_work: deque[Work] = deque()

    @property
    def turn(self) -> Turn:
        """That of the thread that asks."""
        found: Turn = self._threads.turn
        return found

    @turn.setter
    def turn(self, turn: Turn) -> None:
        self._threads.turn = turn

    def belongs_to(self, work: Work) -> None:
        """What this thread asks from now on."""
        self._threads.work = work

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        """Ask, and say so."""
        self._run.tick()
        return super().begin(message, doing, timeout, ticks)

    def _next(self, deadline: float, timeout: float, doing: str) -> Message:
        self._run.tick()
        return super()._next(deadline, timeout, doing)

    def finish(self, question: Question) -> Message:
        """The answer to a question; others have their turn until it is there.

        Raises:
            ProcessLost: as of any process.
        """
        work: Work | None = getattr(self._threads, "work", None)
        if work is not None:
            work.waits_for = question
            if (following := self.next_at_work()) is not work:
                following.begins.release()
                work.begins.acquire()
            work.waits_for = None
        return super().finish(question)

    def next_at_work(self) -> Work:
        """Whose turn it is; somebody must be at work. Waits until one of them can go on."""
        while True:
            with suppress(ProcessLost):  # whoever asked finds that his question is lost
                while self._pending and self._pipe is not None and self._pipe.has_more:
                    self._receive()
            able = [work for work in self.at_work if work.can_go_on]
            if able:
                return min(able, key=lambda work: work.mostly_computes)
            assert self._pending, "everybody waits, and nobody was asked"
            with suppress(ProcessLost):
                self._receive()


@dataclass
class Turns:
    """Answers the requests of a run until its pipe is closed."""

    harness: Harness
    runner: SharedRunner
    run: RunPipe
    _ends: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _lost: int = 0
    """How often the runner was lost while several checks were at work."""

    def serve(self) -> None:
        """Answer one after the other; the next ones are begun where they can be."""
        at_work = self.runner.at_work
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            while True:
                while len(at_work) < AT_A_TIME and (message := self.run.next(wait=not at_work)) is not None:
                    request = Request.model_validate(message["request"])
                    if not all(self.harness.go_together(request, work.request) for work in at_work):
                        break
                    self.run.take()
                    self._begin(pool, Work(request, message["number"], self.harness.mostly_computes(request)))
                if not at_work:
                    return
                self.run.answering = at_work[0].number
                while not at_work[0].future.done():
                    self._go_on()
                self.run.reply(at_work[0].future.result() or self._alone(pool))
                at_work.popleft()

    def _begin(self, pool: ThreadPoolExecutor, work: Work, *, alone: bool = False) -> None:
        self.runner.at_work.append(work)
        pool.submit(self._answer, work, alone=alone)

    def _go_on(self) -> None:
        """Until one of those at work has ended."""
        self.runner.next_at_work().begins.release()
        self._ends.acquire()

    def _alone(self, pool: ThreadPoolExecutor) -> Reply:
        """The answer of the first one, which was not alone when the runner was lost, and may not be to blame."""
        at_work = self.runner.at_work
        while not all(work.future.done() for work in at_work):
            self._go_on()
        others = [at_work.pop() for _ in range(len(at_work) - 1)]
        again = Work(at_work[0].request, at_work[0].number, mostly_computes=False)
        self._begin(pool, again, alone=True)
        while not again.future.done():
            self._go_on()
        at_work.pop()
        at_work.extend(reversed(others))
        reply = again.future.result()
        assert reply is not None, "a check that is alone has an answer"
        return reply

    def _answer(self, work: Work, *, alone: bool) -> None:
        """Answer a request in its turn; with None where the runner was lost to this one or to another."""
        work.begins.acquire()
        self.runner.belongs_to(work)
        losses = self._lost

        def together() -> bool:
            if alone or not (len(self.runner.at_work) > 1 or self._lost > losses):
                return False
            self._lost += 1
            return True

        try:
            work.future.set_result(self.harness.answer(work.request, together))
        except LostTogether:
            work.future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is wanted
            work.future.set_exception(error)
        finally:
            self._ends.release()
