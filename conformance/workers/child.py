"""A process that is asked one thing at a time, and that may die or hang: a judge, as a run sees it, or a runner, as its judge does."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import conformance
from conformance.runner.frames import Broken, Late, Message, Pipe
from conformance.workers.stderr import Log

START_TIMEOUT = 300.0
"""Seconds a framework may take to import and to describe itself."""
MAX_STARTS = 3
"""So many times in a row a process may fail to start before it is given up."""
NO_START = "it could not start"
DISMISSAL_TIMEOUT = 5.0
"""Seconds an idle process has to end by itself: frameworks delete their temporary files at exit."""
WORDS_TIMEOUT = 1.0
"""Seconds that are waited for the rest of what a dead process wrote."""
_ROOM = 1 << 19
"""Bytes that a pipe to a process should hold."""


class ProcessLost(Exception):
    """The process died, hung or answered nonsense; the message says which, as the reason of the cells it was asked for."""


@dataclass(eq=False)
class Question:
    """What was asked, and the answer once it has come."""

    number: int
    doing: str
    timeout: float
    """Seconds that its answer may take, once those before it have come."""
    ticks: int
    """So many times the process may say that it needs as long again."""
    size: int = 0
    answer: Message | None = None
    lost: str = ""
    """Why there will be none."""


class Child:
    """Start it, ask it, close it; after :class:`ProcessLost` it can be started again.

    The process ends with the thread that started it, where the system can see to that.
    """

    role = "process"
    """What it is called in sentences."""

    def __init__(self) -> None:
        self.is_running = False
        """Whether it was started, and has not been lost since."""
        self.starts = 0
        """How many processes there have been."""
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._log: Log | None = None
        self._failed_starts = 0
        self._closed = threading.Event()
        self._number = 0
        self._pending: deque[Question] = deque()
        self._in_flight = 0
        """Bytes of all questions that may wait for answers: they fit into the pipe, so that nobody waits for room who should be reading."""

    def command(self) -> Sequence[str]:
        """The command that starts it."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Its environment variables: those of this process, and the package can be imported."""
        package = str(Path(conformance.__file__).resolve().parent.parent)
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}

    def start(self) -> Message:
        """Start the process and wait for its first message: what it has.

        Raises:
            ProcessLost: it died, hung or says that it ``failed``, or did so several times in a row and is not started any more.
        """
        self._end()
        if self._closed.is_set():
            raise ProcessLost(f"its {self.role} was ended")
        if self._failed_starts == MAX_STARTS:
            raise ProcessLost(f"its {self.role} could not be started, {MAX_STARTS} times in a row")
        self._failed_starts += 1
        try:
            first = self._start()
        except ProcessLost:
            self._end()
            raise
        self._failed_starts = 0
        self.starts += 1
        self.is_running = True
        return first

    def _start(self) -> Message:
        self._pending.clear()
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 - our own module
                self.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=self.environment(),
                start_new_session=True,
            )
        except OSError as error:  # no memory, no room, too many processes, no such interpreter
            raise ProcessLost(f"the system could not start its {self.role}: {error.strerror or error}") from None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._log = Log(process.stderr)
        self._pipe = Pipe(process.stdout.fileno(), process.stdin.fileno(), lambda: process.poll() is not None)
        self._in_flight = _make_room(process.stdin.fileno()) // 2
        if self._closed.is_set():  # since this began
            raise ProcessLost(f"its {self.role} was ended")
        first = self._next(time.monotonic() + START_TIMEOUT, START_TIMEOUT, "starting")
        if reason := first.get("failed"):
            raise ProcessLost(f"{NO_START}: {str(reason)[:300]}")
        return first

    def ask(self, message: Mapping[str, object], timeout: float, doing: str) -> Message:
        """One question and its answer.

        Raises:
            ProcessLost: no valid answer came in ``timeout`` seconds.
        """
        return self.finish(self.begin(message, doing, timeout))

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        """Ask, without waiting for the answer; what is asked before that was answered waits its turn.

        Raises:
            ProcessLost: it is gone.
        """
        pipe = self._pipe
        if pipe is None:
            raise ProcessLost(f"its {self.role} was ended")
        self._number += 1
        question = Question(self._number, doing, timeout, ticks)
        try:
            parcel = pipe.parcel({"number": question.number, **message})
            question.size = parcel.size
            while (ahead := list(self._pending)) and question.size + sum(one.size for one in ahead) > self._in_flight:
                self.finish(ahead[0])
            self._pending.append(question)
            pipe.post(parcel)
        except (OSError, ValueError):  # it is gone, or was ended in between
            raise self._died((self._pending or [question])[0].doing) from None
        return question

    def finish(self, question: Question) -> Message:
        """The answer to a question. Those that come before it are kept by their questions.

        Raises:
            ProcessLost: no valid answer came in time, or the process that was asked is gone.
        """
        while question.answer is None:
            if question.lost:
                raise ProcessLost(question.lost)
            self._receive()
        return question.answer

    def _receive(self) -> None:
        """The answer to what was asked first of what waits for one."""
        try:
            question = self._pending[0]
        except IndexError:  # ended by another thread
            raise ProcessLost(f"its {self.role} was ended") from None
        while question.answer is None:
            answer = self._next(time.monotonic() + question.timeout, question.timeout, question.doing)
            if answer.get("tick") == question.number and question.ticks:
                question.ticks -= 1
            elif answer.get("number") == question.number:
                question.answer = answer
            else:
                raise self._ended_as(f"the {self.role} answered what it had not been asked while {question.doing}; the process was ended")
        with suppress(IndexError):
            self._pending.popleft()

    def _next(self, deadline: float, timeout: float, doing: str) -> Message:
        pipe = self._pipe
        if pipe is None:
            raise ProcessLost(f"its {self.role} was ended while {doing}")
        try:
            return pipe.receive(deadline)
        except Late:
            raise self._ended_as(f"it hung: no answer in {timeout:.0f} s while {doing}; the process was ended") from None
        except Broken as error:
            if not str(error):
                raise self._died(doing) from None
            raise self._ended_as(f"the {self.role} answered nonsense while {doing}: {error}") from None

    def _ended_as(self, reason: str) -> ProcessLost:
        """What is raised for a reason, which is that of all questions without an answer; the process is ended."""
        for question in self._pending:
            question.lost = reason
        self._end()
        return ProcessLost(reason)

    def _died(self, doing: str) -> ProcessLost:
        process = self._process
        if process is None:
            return self._ended_as(f"its {self.role} was ended while {doing}")
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        words = self._log.words(WORDS_TIMEOUT) if self._log else ""
        return self._ended_as("; ".join(filter(None, (f"the {self.role} died with {how} while {doing}", words))))

    def shutdown(self) -> None:
        """Let the process, which must be idle, end by itself, as it may have files to delete; then end whatever is left of it."""
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()  # there will be no further requests
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=DISMISSAL_TIMEOUT)
        self.close()

    def close(self) -> None:
        """End the process and everything it started, for good."""
        self._closed.set()
        self._end()

    def _end(self) -> None:
        process, self._process, self._pipe = self._process, None, None
        for question in self._pending:
            question.lost = question.lost or f"its {self.role} was ended while {question.doing}"
        self._pending.clear()
        self.is_running = False
        if process is not None:
            below = _groups_below(process.pid) if process.poll() is None else ()  # of one that has ended the number may be another's
            for group in (process.pid, *below):
                with suppress(ProcessLookupError, PermissionError):  # the group outlives a process that died and left others behind
                    os.killpg(group, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _make_room(descriptor: int) -> int:
    """How many bytes a pipe holds, after it was asked to hold more."""
    if not hasattr(fcntl, "F_SETPIPE_SZ"):  # what POSIX promises at least of every system that we know
        return 1 << 14
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
    return int(fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ))


def _groups_below(pid: int) -> set[int]:
    """The groups of what a process started, and of what that started, where the system tells; ours is none of them."""
    children: dict[int, list[tuple[int, int]]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            _, parent, group = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            children.setdefault(int(parent), []).append((int(path.parent.name), int(group)))
    found, known = [pid], set[int]()
    while found:
        below = children.pop(found.pop(), [])
        found += [child for child, _ in below]
        known |= {group for _, group in below}
    return known - {os.getpgrp()}
