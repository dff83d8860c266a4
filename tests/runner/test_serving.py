"""Calls are answered in the order in which they come, each with its number, until the pipe is closed; no reply ends the process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.runner import __main__ as module
from conformance.runner.__main__ import open_session, serve
from conformance.runner.frames import Message, Pipe
from conformance.runner.session import Session

PATIENCE = 60.0


@dataclass
class Scripted(Session):
    """Answers with whatever the test says."""

    reply: Callable[[Scripted], Any] = field(default=lambda _: {})

    def answer(self, call: Mapping[str, Any]) -> Message:  # noqa: ARG002 - it is always the same
        reply: Message = self.reply(self)
        return reply


@contextmanager
def served(reply: Callable[[Scripted], Any]) -> Iterator[Callable[..., Message]]:
    """Asks a session that is served in a thread of its own; it ends with its pipe."""
    (a, b), (c, d) = os.pipe(), os.pipe()
    plain = open_session("numpy", [])
    session = Scripted(NumpyFramework(), {}, plain.info, reply=reply)
    thread = threading.Thread(target=serve, args=(Pipe(a, d), session), daemon=True)
    thread.start()
    judge = Pipe(c, b)

    def ask(number: int | None = None) -> Message:
        if number is not None:
            judge.send({"number": number})
        return judge.receive(time.monotonic() + PATIENCE)

    yield ask
    os.close(b)
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the end of the pipe is not seen"
    for end in (a, c, d):
        os.close(end)


def test_each_reply_has_the_number_of_its_call() -> None:
    with served(lambda _: {"a": np.ones(2)}) as ask:
        for number in (3, 1, 4):
            found = ask(number)
            assert (found["number"], found["a"].tolist()) == (number, [1, 1])


def test_a_tick_has_the_number_of_the_call_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is sent only where the judge has heard nothing for a while."""
    monkeypatch.setattr(module, "TICK", 0.1)

    def reply(session: Scripted) -> Message:
        for _ in range(2):
            session.tick()
            time.sleep(0.2)
            session.tick()
        return {"a": 1}

    with served(reply) as ask:
        for number in (1, 2):
            assert [ask(number), ask(), ask()] == [{"tick": number}, {"tick": number}, {"number": number, "a": 1}]


def nested() -> list[Any]:
    """A list that holds itself."""
    made: list[Any] = []
    made.append(made)
    return made


NO_MESSAGES = {
    "an object": (object(), "TypeError"),
    "a function": ([len], "TypeError"),
    "a list in itself": (nested(), "RecursionError"),
    "a number of 5000 digits": (10**5000, "ValueError"),
}


@pytest.mark.parametrize(("value", "kind"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_no_message_can_hold_is_told_and_the_next_call_is_answered(value: object, kind: str) -> None:
    values = [{"a": [np.ones(3), value]}, {"a": 1}]
    with served(lambda _: values.pop(0)) as ask:
        found = ask(1)
        assert (found["number"], found["raised"]["kind"], found["raised"]["type"]) == (1, "raised", kind)
        assert ask(2) == {"number": 2, "a": 1}
