"""What can be said of a framework without importing it; each folder says it in its ``info.py``. Imports the standard library only."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Program:
    """How a standalone program is written in a framework: templates of Python source, filled by :mod:`conformance.reports.reproduce`.

    Without ``gradient`` and ``spread`` no program of a gradient is written.
    """

    tensor: str
    """An array: of ``{floats}`` (a list), ``{dtype}`` (NumPy's), ``{name}`` (the name of the dtype) and ``{shape}``."""
    imports: str = ""
    """Lines after ``import numpy as np``."""
    preamble: str = ""
    """Lines before it."""
    calls: Mapping[str, str] = field(default_factory=dict)
    """For a mode in which it is not called as it is: what is called, of ``{call}``."""
    gradient: str = ""
    """What makes ``gradients`` of ``loss`` and ``upstream``; of the arguments' ``{names}``."""
    spread: str = ""
    """What makes ``upstream``, one number, one for every element of ``{value}``."""
    shown: str = "{value}"
    """What is printed of a ``{value}`` or gradient, where that itself does not show its numbers."""
    imports_where: Mapping[str, str] = field(default_factory=dict)
    """A further import, for entry points in which a word stands."""
    eager_only: tuple[str, ...] = ()
    """Words of entry points that make variables: no program traces them."""


@dataclass(frozen=True)
class FrameworkInfo:
    """What can be said of a framework without importing it; all but the name has a default that holds for one from elsewhere."""

    name: str
    adapter: str = ""
    """Where the class of its adapter is, as in an entry point, which is where one from elsewhere says it: ``package.module:Class``."""
    requires: tuple[str, ...] = ()
    """Import names of what it needs."""
    extras: tuple[str, ...] = ()
    """Those of this distribution that install it."""
    device_kinds: tuple[str, ...] = ("cpu",)
    """The kinds of device that exist for it, whether or not this machine has one."""
    usual_mode: str = "eager"
    """The mode in which it is mostly used."""
    compiled_modes: tuple[str, ...] = ("compile", "jit", "xla")
    """The modes in which a new shape costs a compilation; ``*`` stands for every one."""
    program: Program | None = field(default=None, compare=False, repr=False)
    """How a program is written in it; without one there are no reproducers of its failures."""
    start_rank: int = 0
    """Its place in the order in which work starts: what takes longest comes first, and what nobody has measured before that."""
    subject_name: str = ""
    """What ``@conformance.implementation`` calls it. Several backends of one framework share it."""
    backend_variable: str = ""
    """The environment variable that chooses among those; where it is not set it is the first."""
    quick_to_install: bool = False
    """Whether its newest version is installed quickly from any index: then it is in tox's ``smoke``."""
    tox_requirement: str = ""
    """The distribution that tox installs instead of its extra."""

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

    def compiles_each_shape(self, mode: str) -> bool:
        """Whether a new shape costs a compilation in a mode."""
        return mode in self.compiled_modes or "*" in self.compiled_modes
