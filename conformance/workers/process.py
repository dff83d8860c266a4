"""A worker as the engine sees it: a process that is asked one thing at a time, and that may die or hang."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import conformance
from conformance.workers.protocol import Description, Reply, Request
from conformance.workers.stderr import Log

START_TIMEOUT = 300.0
"""Seconds a framework may take to import and to describe itself."""
MAX_STARTS = 3
"""So many times in a row a worker may fail to start before it is given up."""
DISMISSAL_TIMEOUT = 5.0
"""Seconds an idle worker has to end by itself: frameworks delete their temporary files at exit."""
WORDS_TIMEOUT = 1.0
"""Seconds that are waited for the rest of what a dead worker wrote."""


class WorkerDied(Exception):
    """The worker died, hung or answered nonsense; the message says which, as the reason of the cells it was asked for."""


@dataclass(frozen=True)
class WorkerOptions:
    """What every worker of a run is started with."""

    specs: Path | None = None
    subjects: Sequence[Path] = ()
    memory: int | None = None
    """Bytes of its own that it may use."""


class Worker:
    """One process with one framework in it. Start it, ask it, close it; after :class:`WorkerDied` the next question starts it again.

    The process ends with the thread that started it, where the system can see to that.
    """

    def __init__(self, framework: str, options: WorkerOptions | None = None) -> None:
        self.framework = framework
        self._options = options or WorkerOptions()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log: Log | None = None
        self._spoiled_by = ""
        self._failed_starts = 0
        self._closed = threading.Event()

    def start(self) -> Description:
        """Start the process and wait for what it has.

        Raises:
            WorkerDied: it died, hung or could not load its framework, or did so several times in a row and is not started any more.
        """
        self._end()
        if self._closed.is_set():
            raise WorkerDied("its worker was ended")
        if self._failed_starts == MAX_STARTS:
            raise WorkerDied(f"its worker could not be started, {MAX_STARTS} times in a row")
        self._failed_starts += 1
        try:
            description = self._start()
        except WorkerDied:
            self._end()
            raise
        self._failed_starts = 0
        return description

    def _start(self) -> Description:
        command = [sys.executable, "-m", "conformance.workers.worker", self.framework]
        if self._options.specs is not None:
            command += ["--specs", str(self._options.specs)]
        for subject in self._options.subjects:
            command += ["--subject", str(subject)]
        package = str(Path(conformance.__file__).resolve().parent.parent)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}
        if self._options.memory is not None:
            command += ["--memory", str(self._options.memory)]
        self._lines, self._spoiled_by = queue.Queue(), ""
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=environment,
                start_new_session=True,
            )
        except OSError as error:  # no memory, no room, too many processes
            raise WorkerDied(f"the system could not start it: {error.strerror or error}") from None
        assert process.stderr is not None
        self._log = Log(process.stderr)
        threading.Thread(target=self._read, args=(process, self._lines), daemon=True).start()
        if self._closed.is_set():  # since this began
            raise WorkerDied("its worker was ended")
        try:
            description = Description.model_validate_json(self._next(START_TIMEOUT, "starting"))
        except ValidationError:
            raise WorkerDied("the worker's first line was not a description of its framework") from None
        if description.failed:
            raise WorkerDied(f"it could not start: {description.failed}")
        return description

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        with suppress(ValueError, OSError):  # closed in between, or not UTF-8: either way there is no more to read
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    def _next(self, timeout: float, doing: str) -> str:
        """The next line. A process that died may have left others behind, which hold its pipe open: it is looked at every second."""
        deadline = time.monotonic() + timeout
        line = None
        while (left := deadline - time.monotonic()) > 0:
            process = self._process
            ended = process is None or process.poll() is not None
            with suppress(queue.Empty):
                line = self._lines.get(timeout=min(left, 1.0))
                break
            if ended:
                break
        else:
            self._end()
            raise WorkerDied(f"it hung: no answer in {timeout:.0f} s while {doing}; the process was ended")
        if line is None:
            raise WorkerDied(self._died(doing))
        return line

    def _died(self, doing: str) -> str:
        process = self._process
        if process is None:
            return f"its worker was ended while {doing}"
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        words = self._log.words(WORDS_TIMEOUT) if self._log else ""
        self._end()
        return "; ".join(filter(None, (f"the worker died with {how} while {doing}", words)))

    def run(self, request: Request, timeout: float) -> Reply:
        """One check on one target, by a new process where there is none.

        Raises:
            WorkerDied: no valid answer came in ``timeout`` seconds.
        """
        if self._process is None or self._spoiled_by not in ("", request.implementation):
            self.start()  # again: after a death, or as what one implementation changed is none of another's business
        process = self._process
        if process is None or process.stdin is None:
            raise WorkerDied("its worker was ended")
        doing = f"running {request.check}"
        try:
            process.stdin.write(request.model_dump_json() + "\n")
            process.stdin.flush()
        except (OSError, ValueError):  # it is gone, or was ended in between
            raise WorkerDied(self._died(doing)) from None
        line = self._next(timeout, doing)
        try:
            reply = Reply.model_validate_json(line)
        except ValidationError as error:
            self._end()
            raise WorkerDied(f"it answered something that is not a list of cells ({error.errors(include_input=False)[0]['msg']})") from None
        if reply.tainted:
            self._spoiled_by = request.implementation
        return reply

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
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):  # the group outlives a process that died and left others behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()


@contextmanager
def running(framework: str, options: WorkerOptions | None = None) -> Iterator[tuple[Worker, Description]]:
    """A worker that was started, and what it has; it is shut down at the end.

    Raises:
        WorkerDied: it could not be started.
    """
    worker = Worker(framework, options)
    try:
        yield worker, worker.start()
    finally:
        worker.shutdown()
