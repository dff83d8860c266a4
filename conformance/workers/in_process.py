"""A runner that is no process of its own: implementations of this process, asked by the same messages. For code that is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.runner.frames import Message, decode, encode
from conformance.runner.session import Session
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
        self._call: Mapping[str, object] | None = None
        self.is_running = False

    def start(self) -> Message:
        """What the session has."""
        self.is_running = True
        return _sent(self.session.describe())

    def begin(self, message: Mapping[str, object], doing: str, ticks: int = 0) -> None:  # noqa: ARG002 - as of a process
        """Keep the question: it is answered when the answer is wanted."""
        self._call = message
        self._number += 1
        self._pending.append((self._number, ticks))

    def finish(self, timeout: float, doing: str) -> Message:  # noqa: ARG002 - likewise
        """The answer."""
        assert self._call is not None, "nothing was asked"
        call, self._call = self._call, None
        self._pending.clear()
        return _sent(self.session.answer(_sent(call)))
