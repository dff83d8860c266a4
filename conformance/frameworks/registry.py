"""The frameworks the suite knows: its own, and those of other distributions, which are found through entry points. Imports none of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from conformance.frameworks.info import FrameworkInfo
from conformance.mistake import Mistake

if TYPE_CHECKING:
    from conformance.frameworks.base import Framework

GROUP = "conformance.frameworks"

FOLDERS = ("numpy", "tensorflow", "torch", "jax", "keras", "sklearn", "torchmetrics", "paddle", "mlx", "cupy")
"""The folders of the suite's own frameworks, in the order of the matrix."""


class UnknownFramework(Mistake):
    """A name that no registered framework has; the message is one sentence that lists those there are."""


class FrameworkMissing(Exception):
    """A known framework that is not installed; the message names what is missing and the command that installs it."""


KNOWN: dict[str, FrameworkInfo] = {
    info.name: info for folder in FOLDERS for info in importlib.import_module(f"conformance.frameworks.{folder}.info").INFOS
}
"""The suite's own frameworks, by name."""


def _entry_points() -> dict[str, EntryPoint]:
    found = entry_points(group=GROUP) if sys.version_info >= (3, 10) else entry_points().get(GROUP, ())
    return {entry.name: entry for entry in found}


def frameworks() -> dict[str, FrameworkInfo]:
    """Every framework by name: the suite's own in the order of the matrix, then those of other distributions."""
    elsewhere = sorted(_entry_points().keys() - KNOWN.keys())
    return KNOWN | {name: FrameworkInfo(name) for name in elsewhere}


@cache
def info_of(name: str) -> FrameworkInfo:
    """All that a framework says of itself: of one from elsewhere, what the class attribute ``info`` of its adapter says, which is imported.

    Only the name, where there is no such framework, its adapter has no ``info``, or it cannot be imported.
    """
    if name in KNOWN:
        return KNOWN[name]
    entry = _entry_points().get(name)
    info = None
    with suppress(Exception, SystemExit), redirect_stdout(sys.stderr):  # another distribution's module may do anything
        info = getattr(entry.load(), "info", None) if entry else None
    return replace(info, name=name) if isinstance(info, FrameworkInfo) else FrameworkInfo(name)


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
    place = known[name].adapter
    entry = EntryPoint(name, place, GROUP) if place else _entry_points()[name]
    adapter: Framework = entry.load()()
    return adapter
