"""What an implementation can change for everybody in its process: the floating-point environment, the working directory, the locale."""

from __future__ import annotations

import locale
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


def _arithmetic() -> tuple[float, ...]:
    """What differs where subnormal numbers are flushed, on the way in or out, or where rounding is not to nearest."""
    smallest, one = sys.float_info.min, 1.0
    subnormal = smallest * sys.float_info.epsilon
    return smallest / 2, subnormal * 2**52, one + 2.0**-53, -one - 2.0**-53, one + 3 * 2.0**-54


@dataclass
class ProcessState:
    """What the runner found when the process began."""

    folder: str = field(default_factory=os.getcwd)
    language: str = field(default_factory=lambda: locale.setlocale(locale.LC_ALL))
    _arithmetic: tuple[float, ...] = field(default_factory=_arithmetic)

    def restore(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name what was changed: what is undone hereby, and what lasts.

        After the framework is imported, that is how it runs.
        """
        before, self._arithmetic = self._arithmetic, _arithmetic()
        changed = []
        if _folder() != self.folder:
            changed.append("changes the working directory")
            with suppress(OSError):
                os.chdir(self.folder)
        if locale.setlocale(locale.LC_ALL) != self.language:
            changed.append("changes the locale")
            locale.setlocale(locale.LC_ALL, self.language)
        lasting = ("changes the floating-point environment",) if self._arithmetic != before else ()
        return tuple(changed), lasting


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it is gone
        return ""
