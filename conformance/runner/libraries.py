"""The libraries that compute for a framework, and their threads: another BLAS, or another number of threads, may give other bits."""

from __future__ import annotations

import importlib
from contextlib import suppress


def thread_pools() -> dict[str, str]:
    """Each pool that is loaded, with its version, the processor that it was made for and its threads; nothing without threadpoolctl."""
    with suppress(ImportError):
        pools = importlib.import_module("threadpoolctl").threadpool_info()
        named = sorted(
            " ".join(str(pool[key]) for key in ("internal_api", "version", "architecture") if pool.get(key)) + f": {pool['num_threads']}"
            for pool in pools
        )
        return {"thread pools": ", ".join(dict.fromkeys(named))} if named else {}
    return {}
