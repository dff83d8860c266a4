"""The frameworks the suite knows, found through entry points; nothing here imports a framework."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.frameworks.base import Framework

GROUP = "conformance.frameworks"


class UnknownFramework(Exception):
    """A name that no registered framework has; the message is one sentence that lists those there are."""


class FrameworkMissing(Exception):
    """A known framework that is not installed; the message names what is missing and the command that installs it."""


@dataclass(frozen=True)
class FrameworkInfo:
    """What can be said of a framework without importing it.

    ``requires`` are import names, ``extras`` those of this distribution that install them, ``device_kinds`` the kinds
    that exist for it whether or not this machine has one. All are empty for a framework from elsewhere.
    """

    name: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    device_kinds: tuple[str, ...] = ("cpu",)

    @property
    def install(self) -> str:
        """The command that installs it; empty where only the framework's own distribution knows."""
        return f"pip install 'mse-conformance[{','.join(self.extras)}]'" if self.extras else ""

    def missing(self) -> tuple[str, ...]:
        """The modules it needs that are not installed."""
        return tuple(module for module in self.requires if importlib.util.find_spec(module) is None)

    def why_missing(self) -> str:
        """Why it cannot run here, with the command that changes that; empty if it can."""
        if not (missing := self.missing()):
            return ""
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: {self.install}"


_ACCELERATORS = {"tensorflow": ("gpu", "tpu"), "torch": ("cuda",), "jax": ("cuda", "tpu")}

KNOWN = {
    info.name: info
    for info in (
        FrameworkInfo("numpy", ("numpy", "ml_dtypes")),
        *(FrameworkInfo(name, (name,), (name,), ("cpu", *kinds)) for name, kinds in _ACCELERATORS.items()),
        *(FrameworkInfo(f"keras-{name}", ("keras", name), ("keras", name), ("cpu", *kinds)) for name, kinds in _ACCELERATORS.items()),
        FrameworkInfo("sklearn", ("sklearn",), ("sklearn",)),
        FrameworkInfo("torchmetrics", ("torchmetrics", "torch"), ("torchmetrics", "torch"), ("cpu", "cuda")),
        FrameworkInfo("paddle", ("paddle",), ("paddle",)),
        FrameworkInfo("mlx", ("mlx",), ("mlx",), ("cpu", "metal")),
        FrameworkInfo("cupy", ("cupy",), ("cupy",), ("cuda",)),
    )
}


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def frameworks() -> dict[str, FrameworkInfo]:
    """Every framework by name: the suite's own in the order of the matrix, then those of other distributions."""
    elsewhere = sorted(_entry_points().keys() - KNOWN.keys())
    return KNOWN | {name: FrameworkInfo(name) for name in elsewhere}


def select(names: Iterable[str]) -> tuple[str, ...]:
    """The frameworks that the names stand for, in the order of the matrix: ``keras`` stands for every ``keras-…``.

    No names select every framework.

    Raises:
        UnknownFramework: a name that stands for none.
    """
    known = frameworks()
    wanted: set[str] = set()
    for name in names:
        meant = {name} & known.keys() or {other for other in known if other.startswith(f"{name}-")}
        if not meant:
            raise UnknownFramework(f"unknown framework {name!r}: expected one of {', '.join(known)}, or keras for all of its backends")
        wanted |= meant
    return tuple(name for name in known if name in wanted or not wanted)


def load(name: str) -> Framework:
    """Import the adapter of a framework, and with it the framework.

    Raises:
        UnknownFramework: no framework has the name.
        FrameworkMissing: it is known but not installed.
    """
    known = frameworks()
    if name not in known:
        raise UnknownFramework(f"unknown framework {name!r}: expected one of {', '.join(known)}")
    if reason := known[name].why_missing():
        raise FrameworkMissing(f"{name} cannot run: {reason}")
    entry = _entry_points().get(name)
    if entry is None:
        raise UnknownFramework(f"no entry point {name!r} in the group {GROUP!r}: install the suite with pip, so that it is registered")
    adapter: Framework = entry.load()()
    return adapter
