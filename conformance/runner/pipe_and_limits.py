"""What a worker process sets up before it imports a framework: its private pipe, its end with the engine, its memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import TextIO


def private_pipe() -> tuple[TextIO, TextIO]:
    """The pipe to the engine and the requests from it, where no framework can print into them or read them away."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe, requests


def end_with_the_engine() -> None:
    """Have the system end this process with the thread that started it, where it can: a framework that hangs would not notice."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def limit_memory(size: int) -> None:
    """Refuse more private memory. What is only mapped does not count, of which frameworks map much more than they use."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
