"""What a framework can change for everybody in its process: the floating-point environment, the working directory, the locale.

The oracle works in the same process. Under flush-to-zero it would compute something else, so that each side has an environment of its own.
"""

from __future__ import annotations

import ctypes
import locale
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

_SIZE = 256
"""More bytes than a ``fenv_t`` has anywhere: 32 on x86-64, 8 on AArch64."""

_Returned = TypeVar("_Returned")


class FloatingPoint:
    """How this thread rounds and flushes: the environment in force, and another that can be put in its place.

    Where the C library has no ``fegetenv``, both are one.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._get, self._set = getattr(library, "fegetenv", None), getattr(library, "fesetenv", None)
        self._other = self._now()

    def swap(self) -> None:
        """Put the other environment in force."""
        if self._set is not None:
            now = self._now()
            self._set(self._other)
            self._other = now

    def _now(self) -> Any:
        held = ctypes.create_string_buffer(_SIZE)
        if self._get is not None:
            self._get(held)
        return held


def _arithmetic() -> tuple[float, ...]:
    """What differs where subnormal numbers are flushed, on the way in or out, or where rounding is not to nearest."""
    smallest, one = sys.float_info.min, 1.0
    subnormal = smallest * sys.float_info.epsilon
    return smallest / 2, subnormal * 2**52, one + 2.0**-53, -one - 2.0**-53, one + 3 * 2.0**-54


@dataclass
class ProcessState:
    """What the suite found when the process began. What runs in ``framework_state`` has a floating-point environment of its own."""

    floating_point: FloatingPoint = field(default_factory=FloatingPoint)
    folder: str = field(default_factory=os.getcwd)
    language: str = field(default_factory=lambda: locale.setlocale(locale.LC_ALL))
    _fp_fingerprint: tuple[float, ...] = field(default_factory=_arithmetic)

    @contextmanager
    def framework_state(self) -> Iterator[None]:
        """Inside, the floating-point environment is the framework's."""
        self.floating_point.swap()
        try:
            yield
        finally:
            self.floating_point.swap()

    def called(self, function: Callable[..., _Returned]) -> Callable[..., _Returned]:
        """The function, to be called in the framework's floating-point environment."""

        def inside(*arguments: Any) -> _Returned:
            with self.framework_state():
                return function(*arguments)

        return inside

    def restore(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name what was changed: what is undone hereby, and what lasts.

        After the framework is imported, that is how it runs.
        """
        with self.framework_state():
            before, self._fp_fingerprint = self._fp_fingerprint, _arithmetic()
        changed = []
        if _folder() != self.folder:
            changed.append("changes the working directory")
            with suppress(OSError):
                os.chdir(self.folder)
        if locale.setlocale(locale.LC_ALL) != self.language:
            changed.append("changes the locale")
            locale.setlocale(locale.LC_ALL, self.language)
        lasting = ("changes the floating-point environment",) if self._fp_fingerprint != before else ()
        return tuple(changed), lasting


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it is gone
        return ""
