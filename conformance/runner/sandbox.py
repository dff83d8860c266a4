"""What a runner gives up before it loads anybody's code: the right to look into other processes, and with ``--sandbox`` to write files.

Linux only. The structures and numbers are those of ``capabilities(7)``, ``prctl(2)`` and ``landlock(7)``.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE = 1 << 1
_WRITES = _WRITE_FILE | sum(1 << bit for bit in (4, 5, 6, 7, 8, 9, 10, 11, 12))  # to remove and to make files of every kind
_BY_VERSION = ((2, 1 << 13), (3, 1 << 14))  # to move files between folders, to truncate them
_TCP = 0b11  # to bind, to connect
_SCOPES = 0b11  # abstract sockets, signals
_NO_NEW_PRIVILEGES, _DUMPABLE = 38, 4
_CAPABILITIES = 0x20080522
_SYS_PTRACE = 19


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def hide_memory() -> None:
    """Let no process of the same user read or write this one's memory: a judge is not to be patched."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)


def give_up_tracing() -> None:
    """Give up the right of an administrator to look into processes all the same."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 of each
    if library.capget(ctypes.byref(header), ctypes.byref(sets)) == 0:
        for place in range(3):
            sets[place] &= ~(1 << _SYS_PTRACE)
        library.capset(ctypes.byref(header), ctypes.byref(sets))


def version() -> int:
    """The version of Landlock that the system offers; 0 where it has none."""
    if sys.platform != "linux":
        return 0
    return max(int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, 1)), 0)


def confine(folder: str) -> None:
    """From now on this process and its children write files beneath a folder only, open no connections and signal nobody outside.

    Raises:
        OSError: the system does not offer it.
    """
    library, offered = ctypes.CDLL(None, use_errno=True), version()
    if not offered:
        raise OSError("the system offers no Landlock")
    writes = _WRITES | sum(right for least, right in _BY_VERSION if offered >= least)
    rules = _Ruleset(writes, _TCP if offered >= 4 else 0, _SCOPES if offered >= 6 else 0)
    size = 24 if offered >= 6 else 16 if offered >= 4 else 8
    ruleset = library.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    _check(ruleset)
    for path, allowed in ((folder, writes), ("/dev", _WRITE_FILE)):
        opened = os.open(path, os.O_PATH)
        beneath = _Beneath(allowed, opened)
        _check(library.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(beneath), 0))
        os.close(opened)
    _check(library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check(library.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
