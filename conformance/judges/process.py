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
from conformance.workers.child import Child, ProcessLost, Question
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
        self._reason: dict[str, str] = {}
        self._sent: deque[tuple[Request, Question | ProcessLost]] = deque()
        """What was asked and not yet waited for, and why some of it will get no answer."""

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
        """Ask for one check on one target, of a new process where there is none; :meth:`run` gives the answers in their order.

        What waits for its answer is not asked again.
        """
        if any(asked is request for asked, _ in self._sent):
            return
        sent: Question | ProcessLost
        try:
            if self._is_given_up(request):
                raise ProcessLost(
                    f"given up after {MAX_LOST} deaths of its judge in a row; the last: {self._reason[request.implementation]}"
                )
            if not self.is_running:
                self.start()
            timeout = SILENCE + max(FIRST_TIMEOUT, request.timeout)
            sent = self.begin({"request": request.model_dump(mode="json")}, f"running {request.check}", timeout, ticks=sys.maxsize)
        except ProcessLost as lost:
            sent = lost
        self._sent.append((request, sent))

    def run(self, request: Request) -> Reply:
        """The answer to a request, which is sent where it has not been, or was lost with the one before it.

        Raises:
            ProcessLost: no valid answer came.
        """
        if not self._sent or self._sent[0][0] is not request:
            self._sent.clear()
            self.send(request)
        _, sent = self._sent.popleft()
        try:
            if isinstance(sent, ProcessLost):
                raise sent
            reply = Reply.model_validate(self.finish(sent).get("reply"))
        except ValidationError as error:
            self._end()
            self._sent.clear()
            said = error.errors(include_input=False)[0]["msg"]
            raise ProcessLost(f"it answered something that is not a list of cells ({said})") from None
        except ProcessLost as error:
            if not self._is_given_up(request):
                self._sent.clear()
                self._lost[request.implementation] += 1
                self._reason[request.implementation] = str(error)
            raise
        self._lost[request.implementation] = 0
        return reply

    def _is_given_up(self, request: Request) -> bool:
        """Whether an implementation is beyond its judge, who would be started again and again."""
        return self._lost[request.implementation] >= MAX_LOST


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
