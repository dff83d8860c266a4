"""The machine that a run is on, as far as it changes numbers: two processors may sum in another order."""

from __future__ import annotations

from functools import cache

import cpuinfo


@cache
def processor() -> str:
    """The model of the processor, as it calls itself; empty where nobody knows."""
    return str(cpuinfo.get_cpu_info().get("brand_raw", ""))
