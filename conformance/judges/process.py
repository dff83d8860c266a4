"""A judge as a run sees it: a process that is asked one check at a time."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from conformance.judges.lost import MAX_LOST
from conformance.judges.protocol import Description, Reply, Request
from conformance.workers.child import Child, ProcessLost
from conformance.workers.runner import FIRST_TIMEOUT, RunnerOptions

SILENCE = 900.0
"""Seconds that a judge may compute between two questions to its runner; it is ours, and one that is silent for longer was stopped."""


@dataclass(frozen=True)
class JudgeOptions(RunnerOptions):
    """What every judge of a run is started with, and starts its runner with."""

    specs: Path | None = None


class JudgeProcess(Child):
    """The judge of one framework. Start it, ask it, close it; after :class:`ProcessLost` the next question starts it again."""

    role = "judge"

    def __init__(self, framework: str, options: JudgeOptions | None = None) -> None:
        super().__init__()
        self.framework = framework
        self._options = options or JudgeOptions()
        self._lost: Counter[str] = Counter()
        self._reason = ""
        self._sent: deque[tuple[Request, ProcessLost | None]] = deque()

    def command(self) -> Sequence[str]:
        """Our own interpreter, with the judge's module."""
        options = self._options
        command = [sys.executable, "-m", "conformance.judges", self.framework]
        if options.specs is not None:
            command += ["--specs", str(options.specs)]
        for subject in options.subjects:
            command += ["--subject", str(subject)]
        if options.memory is not None:
            command += ["--memory", str(options.memory)]
        if options.python is not None:
            command += ["--python", str(options.python)]
        return [*command, "--sandbox"] if options.sandbox else command

    def describe(self) -> Description:
        """Start it; what its runner has.

        Raises:
            ProcessLost: it died, hung or could not load its framework, or did so several times in a row and is not started any more.
        """
        try:
            return Description.model_validate(self.start())
        except ValidationError:
            self._end()
            raise ProcessLost("the judge's first message was not a description of its framework") from None

    def send(self, request: Request) -> None:
        """Ask for one check on one target, of a new process where there is none; :meth:`run` gives the answers in their order."""
        lost = None
        try:
            if self._lost[request.implementation] >= MAX_LOST:  # it is beyond the judge, who would be started again and again
                raise ProcessLost(f"given up after {MAX_LOST} deaths of its judge in a row; the last: {self._reason}")
            if not self.is_running:
                self.start()
            self.begin({"request": request.model_dump(mode="json")}, f"running {request.check}", ticks=sys.maxsize)
        except ProcessLost as error:
            lost = error
        self._sent.append((request, lost))

    def run(self, request: Request) -> Reply:
        """The answer to a request, which is sent where it has not been, or was lost with the one before it.

        Raises:
            ProcessLost: no valid answer came.
        """
        if not self._sent or self._sent[0][0] is not request:
            self._sent.clear()
            self.send(request)
        _, lost = self._sent.popleft()
        try:
            if lost is not None:
                raise lost
            answer = self.finish(SILENCE + max(FIRST_TIMEOUT, request.timeout), f"running {request.check}")
            reply = Reply.model_validate(answer.get("reply"))
        except ValidationError as error:
            self._end()
            self._sent.clear()
            said = error.errors(include_input=False)[0]["msg"]
            raise ProcessLost(f"it answered something that is not a list of cells ({said})") from None
        except ProcessLost as error:
            self._sent.clear()
            self._lost[request.implementation] += 1
            self._reason = str(error)
            raise
        self._lost[request.implementation] = 0
        return reply


@contextmanager
def running(framework: str, options: JudgeOptions | None = None) -> Iterator[tuple[JudgeProcess, Description]]:
    """A judge that was started, and what its runner has; it is shut down at the end.

    Raises:
        ProcessLost: it could not be started.
    """
    judge = JudgeProcess(framework, options)
    try:
        yield judge, judge.describe()
    finally:
        judge.shutdown()
