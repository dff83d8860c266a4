"""A runner that is no process of its own: implementations of this process, asked by the same messages. For code that is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.runner.frames import Message, decode, encode
from conformance.runner.session import Session
from conformance.workers.child import Question
from conformance.workers.runner import Runner


def _sent(message: Mapping[str, Any]) -> Message:
    """A message as it arrives elsewhere."""
    head, parts, size = encode(message)
    memory = np.zeros(size, np.uint8)
    for at, part in parts:
        memory[at : at + len(part)] = part
    return decode(head, memory)


class InProcess(Runner):
    """Asks a session of this process. What hangs cannot be timed out here, and what dies takes this process with it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.framework.name)
        self.session = session
        self.is_running = False

    def start(self) -> Message:
        """What the session has."""
        self.is_running = True
        return _sent(self.session.describe())

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        """Answer at once."""
        self._number += 1
        return Question(self._number, doing, timeout, ticks, answer=_sent(self.session.answer(_sent(message))))
