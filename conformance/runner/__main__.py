"""The process under test: loads one framework, then answers calls until nobody asks any more.

A framework may print on stdout, read from stdin, change the working directory or die: the pipe is a private copy of stdout, and
stdout itself is sent to stderr before the framework is imported. A process that uses more memory than it may is refused it by the
system, and one whose judge is gone is ended, by the system too, since a framework that hangs would not notice.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from pathlib import Path

from conformance.frameworks import registry
from conformance.frameworks.messages import one_line
from conformance.runner.frames import VERSION, Broken, Pipe, Shared
from conformance.runner.messages import described
from conformance.runner.pipe_and_limits import end_with_the_judge, limit_memory, private_pipe
from conformance.runner.process_state import ProcessState
from conformance.runner.sandbox import confine, give_up_tracing
from conformance.runner.session import Session
from conformance.subject import load_subjects

TICK = 1.0
"""Seconds after which, in a message of several evaluations, the judge is told that the next one begins."""


def open_session(name: str, subjects: list[Path]) -> Session:
    """Load a framework and what is to be asked on it: its own entry points, or those of the subject files."""
    process_state = ProcessState()
    framework = registry.load(name)
    own = () if subjects else framework.implementations()
    mine = [s.implementation() for path in subjects for s in load_subjects(path) if s.adapter == name]
    process_state.restore()
    return Session(framework, {i.name: i for i in (*own, *mine)}, registry.info_of(name), process_state, watched=bool(subjects))


def serve(pipe: Pipe, session: Session) -> None:
    """Answer each call with one message of its number, until the pipe is closed."""
    told = 0.0

    def tick() -> None:
        nonlocal told
        if time.monotonic() - told > TICK:
            told = time.monotonic()
            pipe.send({"tick": call["number"]})

    session.tick = tick
    while True:
        try:
            call = pipe.receive()
        except Broken:
            return
        told = time.monotonic()
        reply = session.answer(call)
        try:
            pipe.send({"number": call["number"], **reply})
        except (TypeError, ValueError, RecursionError) as error:  # it holds what no message can; nothing of it was written
            pipe.send({"number": call["number"], "raised": described(error)})


def main() -> None:
    """Entry point: ``python -m conformance.runner FRAMEWORK``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("--subject", type=Path, action="append", default=[])
    parser.add_argument("--memory", type=int)
    parser.add_argument("--map", type=Path)
    parser.add_argument("--confined-to")
    options = parser.parse_args()
    end_with_the_judge()
    pipe = Pipe(*private_pipe())
    if options.map:
        descriptor = os.open(options.map, os.O_RDWR)
        pipe.shared = Shared(descriptor, os.fstat(descriptor).st_size, first_half=False)
        os.close(descriptor)
    if options.memory:
        limit_memory(options.memory)
    if options.subject:
        give_up_tracing()
    try:
        if options.confined_to:
            tempfile.tempdir = os.environ["TMPDIR"] = options.confined_to
            confine(options.confined_to)
    except OSError as error:
        pipe.send({"protocol": VERSION, "framework": options.framework, "failed": f"no sandbox could be made: {error}"})
        raise SystemExit(1) from None
    try:
        session = open_session(options.framework, options.subject)
        description = session.describe()
    except Exception as error:  # noqa: BLE001 - an import may fail in any way; the judge shows the reason
        pipe.send({"protocol": VERSION, "framework": options.framework, "failed": one_line(error)})
        raise SystemExit(1) from None
    gc.freeze()  # what a framework made when it was imported lives to the end
    pipe.send(description)
    serve(pipe, session)


if __name__ == "__main__":
    main()
