"""``torch.compile``: its limits, its graphs, and what it needs."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

from conformance.frameworks.base import Unsupported
from conformance.frameworks.torch.implementations import COMPILES

if COMPILES:
    from torch import _dynamo as dynamo

# After its recompile limit torch.compile runs eager with only a log line. A target meets more shapes than a training
# loop does, so the limits are raised, and reaching one is an error. Neither changes what is compiled.
_LIMITS = {  # by their names of torch 2.6 and those before
    ("recompile_limit", "cache_size_limit"): 256,
    ("accumulated_recompile_limit", "accumulated_cache_size_limit"): 4096,
    ("fail_on_recompile_limit_hit", "fail_on_cache_limit_hit"): True,
}


class _NeverRaised(Exception):
    """Stands for an exception that this version does not have."""


LimitReached: Any = _NeverRaised
if COMPILES:
    LimitReached = getattr(dynamo.exc, "FailOnRecompileLimitHit", None) or getattr(dynamo.exc, "FailOnCacheLimitHit", _NeverRaised)
    for _names, _setting in _LIMITS.items():
        for _name in _names:
            if hasattr(dynamo.config, _name):
                setattr(dynamo.config, _name, _setting)
                break
    if hasattr(dynamo.config, "capture_dynamic_output_shape_ops"):
        dynamo.config.capture_dynamic_output_shape_ops = True  # without it no graph holds a choice by a mask, as by prediction[mask]


def fresh_compiler() -> int:
    """Empty the compiler, which would otherwise run into its limits; how many graphs it has captured so far.

    Raises:
        Unsupported: it cannot work here.
    """
    _require_compiler()
    dynamo.reset()
    return graphs()


def graphs() -> int:
    """How many graphs the compiler has captured in this process."""
    return int(dynamo.utils.counters["stats"]["unique_graphs"])


def _require_compiler() -> None:
    """Refuse ``torch.compile`` where it cannot work: it calls a C++ compiler, and builds against Python's headers."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # a second to import, for compiled targets only
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise Unsupported("torch.compile needs a C++ compiler (g++ or clang++), and none was found") from error
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        raise Unsupported(f"torch.compile needs the headers of Python, and {header} does not exist")
