"""The machine that a run is on, as far as it changes numbers: two processors may sum in another order."""

from __future__ import annotations

import threading
from functools import cache

import cpuinfo

_LOCK = threading.Lock()


def processor() -> str:
    """The model of the processor, as it calls itself; empty where nobody knows. The first answer takes about a second."""
    with _LOCK:
        return _asked()


@cache
def _asked() -> str:
    return str(cpuinfo.get_cpu_info().get("brand_raw", ""))
