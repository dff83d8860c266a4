"""The judge's process: starts the runner of one framework, then answers requests with cells until its pipe closes."""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from conformance.judges.harness import open_harness
from conformance.judges.protocol import Description, Request
from conformance.runner.frames import Broken, Message, Pipe
from conformance.runner.pipe_and_limits import end_with_the_judge, private_pipe
from conformance.runner.sandbox import hide_memory
from conformance.specs.load import load
from conformance.workers.child import NO_START, ProcessLost, Question
from conformance.workers.runner import Runner, RunnerOptions

TICK = 1.0
"""Seconds between two signs of life."""


class WatchedRunner(Runner):
    """A runner whose judge says that it lives, each time that it asks it something."""

    def __init__(self, framework: str, options: RunnerOptions, pipe: Pipe) -> None:
        super().__init__(framework, options)
        self.request = 0
        self._run = pipe
        self._told = time.monotonic()

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        """Say so, and ask."""
        if time.monotonic() - self._told > TICK:
            self._told = time.monotonic()
            self._run.send({"tick": self.request})
        return super().begin(message, doing, timeout, ticks)


def main() -> None:
    """Entry point: ``python -m conformance.judges FRAMEWORK``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("--specs", type=Path)
    parser.add_argument("--subject", type=Path, action="append", default=[])
    parser.add_argument("--memory", type=int)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--sandbox", action="store_true")
    options = parser.parse_args()
    end_with_the_judge()
    hide_memory()
    pipe = Pipe(*private_pipe())
    runner = WatchedRunner(options.framework, RunnerOptions(options.subject, options.memory, options.python, options.sandbox), pipe)
    try:
        harness = open_harness(runner, load(options.specs))
    except ProcessLost as lost:
        reason = str(lost).removeprefix(f"{NO_START}: ")  # the run says so of the judge
        pipe.send(Description(framework=options.framework, failed=reason).model_dump(mode="json"))
        raise SystemExit(1) from None
    pipe.send(harness.description.model_dump(mode="json"))
    known: deque[Message] = deque()

    def ahead() -> Request | None:
        """The request after the one that is answered, if it has come."""
        with suppress(Broken):
            if not known and pipe.has_more:
                known.append(pipe.receive())
        return Request.model_validate(known[0]["request"]) if known else None

    harness.ahead = ahead
    while True:
        try:
            message = known.popleft() if known else pipe.receive()
        except Broken:
            break
        runner.request = message["number"]
        reply = harness.answer(Request.model_validate(message["request"]))
        pipe.send({"number": message["number"], "reply": reply.model_dump(mode="json", exclude_defaults=True)})
    runner.shutdown()


if __name__ == "__main__":
    main()
