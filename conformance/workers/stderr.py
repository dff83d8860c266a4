"""What a process writes to stderr, of bounded size: its beginning and its end are kept, what lies between them is counted."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import IO

KEPT = 64 * 1024
"""Bytes that are kept of the beginning, and of the end."""
_CHUNK = 64 * 1024
_SHOWN = 200
"""Most characters of a line that is shown."""


class Log:
    """Reads a pipe until its last writer is gone, so that no process ever waits for room in it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._first, self._last = bytearray(), bytearray()
        self._size = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def words(self, timeout: float) -> str:
        """The last line that says something; if anything was cut, the first line too and how much is missing between them.

        Of a process that died there may still be something in the pipe: for that it waits, but not longer than the timeout, since
        others that it left behind may hold the pipe open.
        """
        self._reader.join(timeout)
        with self._lock:
            first, last, cut = bytes(self._first), bytes(self._last), self._size - len(self._first) - len(self._last)
        if not cut:
            said = _lines(first + last)
            return f"its last words: {said[-1]}" if said else ""
        begun, ended = _lines(first) or [""], _lines(last) or [""]
        return f"its first words: {begun[0]}; {cut:,} bytes that it wrote then were cut; its last words: {ended[-1]}"

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe, suppress(OSError, ValueError):
            while chunk := os.read(pipe.fileno(), _CHUNK):
                self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        with self._lock:
            room = KEPT - len(self._first)
            self._first += chunk[:room]
            self._last += chunk[room:]
            del self._last[:-KEPT]
            self._size += len(chunk)


def _lines(written: bytes) -> list[str]:
    """The lines that say something, shortened."""
    return [line.strip()[:_SHOWN] for line in written.decode("utf-8", "replace").splitlines() if line.strip()]
