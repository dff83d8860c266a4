"""What a worker process sets up before it imports a framework: its private pipe, its end with the judge, its memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys


def private_pipe() -> tuple[int, int]:
    """The pipe to the judge, its end to read from and its end to write to, where no framework can print into it or read from it."""
    reading, writing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return reading, writing


def end_with_the_judge() -> None:
    """Have the system end this process with the thread that started it, where it can: a framework that hangs would not notice."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def limit_memory(size: int) -> None:
    """Refuse more private memory. What is only mapped does not count, of which frameworks map much more than they use."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
