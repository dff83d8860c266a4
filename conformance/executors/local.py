"""A worker as the engine sees it: a process that is asked one thing at a time, and that may die or hang."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

import conformance
from conformance.executors.protocol import Description, Reply, Request
from conformance.profiles import Profile

START_TIMEOUT = 300.0
"""Seconds a framework may take to import and to describe itself."""


class WorkerLost(Exception):
    """The worker died, hung or answered nonsense; the message says which, as the reason of the cells it was asked for."""


@dataclass(frozen=True)
class WorkerOptions:
    """What every worker of a run is started with."""

    profile: Profile
    specs: Path | None = None
    subjects: Sequence[Path] = ()


class Worker:
    """One process with one framework in it. Start it, ask it, close it; after :class:`WorkerLost` start another."""

    def __init__(self, framework: str, options: WorkerOptions) -> None:
        self.framework = framework
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log: IO[bytes] | None = None

    def start(self) -> Description:
        """Start the process and wait for what it has.

        Raises:
            WorkerLost: it died, hung or could not load its framework.
        """
        command = [sys.executable, "-m", "conformance.executors.worker", self.framework, "--profile", self._options.profile.name]
        if self._options.profile.seed is not None:
            command += ["--seed", str(self._options.profile.seed)]
        if self._options.specs is not None:
            command += ["--specs", str(self._options.specs)]
        for subject in self._options.subjects:
            command += ["--subject", str(subject)]
        package = str(Path(conformance.__file__).resolve().parent.parent)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close(): the process writes to it as long as it lives
        self._lines = queue.Queue()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()
        try:
            description = Description.model_validate_json(self._next(START_TIMEOUT, "starting"))
        except ValidationError:
            self.close()
            raise WorkerLost("the worker's first line was not a description of its framework") from None
        if description.failed:
            self.close()
            raise WorkerLost(f"it could not start: {description.failed}")
        return description

    @property
    def alive(self) -> bool:
        """Whether there is a process to ask."""
        return self._process is not None and self._process.poll() is None

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def _next(self, timeout: float, doing: str) -> str:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise WorkerLost(f"it hung: no answer in {timeout:.0f} s while {doing}; the process was ended") from None
        if line is None:
            raise WorkerLost(self._died(doing))
        return line

    def _died(self, doing: str) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = self._last_words()
        self.close()
        return f"the worker died with {how} while {doing}" + (f"; its last words: {last}" if last else "")

    def _last_words(self) -> str:
        if self._log is None or self._log.closed:
            return ""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 4000))
        lines = self._log.read().decode("utf-8", "replace").splitlines()
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")

    def ask(self, request: Request, timeout: float) -> Reply:
        """One check on one target.

        Raises:
            WorkerLost: no valid answer came in ``timeout`` seconds.
        """
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            raise WorkerLost("its worker could not be started again")
        doing = f"running {request.check}"
        try:
            self._process.stdin.write(request.model_dump_json() + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerLost(self._died(doing)) from None
        line = self._next(timeout, doing)
        try:
            return Reply.model_validate_json(line)
        except ValidationError as error:
            self.close()
            raise WorkerLost(f"it answered something that is not a list of cells ({error.errors(include_input=False)[0]['msg']})") from None

    def close(self) -> None:
        """End the process and everything it started."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdin if self._process else None, self._log):
            if stream is not None and not stream.closed:
                with suppress(OSError):
                    stream.close()
