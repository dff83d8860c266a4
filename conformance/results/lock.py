"""A folder of results belongs to one run at a time: whoever comes second is told so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from conformance.mistake import Mistake

LOCK = ".lock"


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made if it is not there. The system frees it with the process that held it, however that ended.

    Raises:
        Mistake: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise Mistake(f"{folder}: found another run that writes into this folder, expected a folder of its own: -o DIR") from None
    except NotImplementedError:
        raise Mistake(f"{folder}: found a file system without locks, expected one on which no two runs can mix: -o DIR") from None
    try:
        yield
    finally:
        lock.release()
