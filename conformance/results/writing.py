"""Writing a results file: record by record, each handed to the system at once; what is on the disk ends with a whole record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

from conformance.results.records import FORMAT, MAX_LINE, Cell, Footer, Header


class WriteError(Exception):
    """A record could not be written, as on a full disk; the file ends with the last record before it. The message says where and why."""


class Writer:
    """Appends records to a results file, each handed to the system at once, so that a crash loses nothing finished.

    ``kept`` are the cells that the file already holds, in its first ``size`` bytes; what follows them is cut off.
    """

    def __init__(self, path: Path, header: Header, kept: Sequence[Cell] = (), size: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("r+b" if size else "wb", buffering=0)  # a buffer would be written again when it is closed
        self._counts = Counter(cell.outcome for cell in kept)
        self._size = size
        self._written = blake2b()
        if size:
            self._written.update(self._file.read(size))
            self._file.truncate(size)
            self._file.seek(size)
        else:
            self._write([header])

    def _write(self, records: Sequence[Header | Cell | Footer]) -> None:
        lines = b"".join(_line(record) for record in records)
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):  # whoever reads the file drops half a record as well
                self._file.truncate(self._size)
            raise WriteError(f"{self.path}: {error.strerror}; expected room for another record") from None
        self._size += len(lines)
        self._written.update(lines)

    def append(self, *cells: Cell) -> None:
        """Write finished cells, all of them or, where that fails, none.

        Raises:
            WriteError: they could not be written.
        """
        self._write(cells)
        self._counts.update(cell.outcome for cell in cells)

    def close(self, seconds: float) -> None:
        """Write the footer: the run is complete.

        Raises:
            WriteError: it could not be written, or something else wrote into the file too: a subject may try.
        """
        if self._found().digest() != self._written.digest():
            self._file.close()
            raise WriteError(f"{self.path}: found other bytes than were written; expected a file into which nobody else writes")
        self._write([Footer(cells=self._counts.total(), counts=dict(self._counts), seconds=seconds)])
        self._file.close()

    def _found(self) -> blake2b:
        """A digest of what the file holds now."""
        found = blake2b()
        with self.path.open("rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def _line(record: Header | Cell | Footer) -> bytes:
    named = {"record": record.record} | ({"format": FORMAT} if isinstance(record, Header) else {})
    line = f"{json.dumps(named, separators=(',', ':'))[:-1]},{record.model_dump_json(exclude_defaults=True)[1:]}\n".encode()
    if len(line) > MAX_LINE:
        raise ValueError(f"a {record.record} of {len(line)} bytes, expected {MAX_LINE} at most: no reader would accept it")
    return line
