"""What an implementation changes for its process is named, and undone where that is possible."""

from __future__ import annotations

import ctypes
import locale
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.runner.process_state import ProcessState

X86 = pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="the bits of another processor")
FLUSHED, ROUNDED_DOWN = 0x8040, 0x2000
"""Bits of the word that rules the arithmetic of this processor: subnormal numbers are zero, rounding is downward."""


@pytest.fixture
def arithmetic() -> Iterator[ctypes.CDLL]:
    """The C library; how this thread computes is put back at the end of the test."""
    library, before = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    library.fegetenv(before)
    yield library
    library.fesetenv(before)


def compute(library: ctypes.CDLL, bits: int) -> None:
    held = ctypes.create_string_buffer(256)
    library.fegetenv(held)
    control = (int.from_bytes(held.raw[28:32], "little") | bits).to_bytes(4, "little")
    held.raw = held.raw[:28] + control + held.raw[32:]
    library.fesetenv(held)


def halved() -> float:
    """A subnormal number, or zero where that is flushed."""
    return sys.float_info.min / float("2")


@X86
@pytest.mark.parametrize("bits", [FLUSHED, ROUNDED_DOWN])
def test_another_arithmetic_is_named_once_and_lasts(arithmetic: ctypes.CDLL, bits: int) -> None:
    process_state = ProcessState()
    assert process_state.restore() == ((), ())
    compute(arithmetic, bits)
    flushes = halved() == 0
    assert process_state.restore() == ((), ("changes the floating-point environment",))
    assert process_state.restore() == ((), ())
    assert (halved() == 0) is flushes is (bits == FLUSHED)


@X86
def test_what_was_set_during_the_import_is_no_change(arithmetic: ctypes.CDLL) -> None:
    process_state = ProcessState()
    compute(arithmetic, FLUSHED)
    process_state.restore()
    assert process_state.restore() == ((), ())
    assert halved() == 0


@X86
def test_who_puts_it_back_changes_it_again(arithmetic: ctypes.CDLL) -> None:
    before = ctypes.create_string_buffer(256)
    arithmetic.fegetenv(before)
    process_state = ProcessState()
    compute(arithmetic, FLUSHED)
    process_state.restore()
    arithmetic.fesetenv(before)
    assert halved() > 0
    assert process_state.restore() == ((), ("changes the floating-point environment",))


def test_folder_and_locale_are_restored_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())
    before = Path.cwd(), locale.setlocale(locale.LC_ALL)
    other = next(name for name in ("C.UTF-8", "C") if locale.setlocale(locale.LC_ALL, name) != before[1])
    locale.setlocale(locale.LC_ALL, before[1])
    process_state = ProcessState()
    assert process_state.restore() == ((), ())
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    locale.setlocale(locale.LC_ALL, other)
    assert process_state.restore() == (("changes the working directory", "changes the locale"), ())
    assert (Path.cwd(), locale.setlocale(locale.LC_ALL)) == before
