"""What a framework changes for its process does not reach the suite, and is named."""

from __future__ import annotations

import ctypes
import locale
import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.runner.process_state import ProcessState

X86 = pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="the bits of another processor")


def flush_to_zero() -> None:
    library, held = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    library.fegetenv(held)
    control = (int.from_bytes(held.raw[28:32], "little") | 0x8040).to_bytes(4, "little")
    held.raw = held.raw[:28] + control + held.raw[32:]
    library.fesetenv(held)


def halved() -> float:
    """A subnormal number, or zero where that is flushed."""
    return float(np.float64(sys.float_info.min) / np.float64(2))


@X86
def test_flush_to_zero_stays_on_the_other_side_and_lasts_there() -> None:
    process_state = ProcessState()
    process_state.called(flush_to_zero)()
    assert halved() > 0
    assert process_state.called(halved)() == 0
    assert halved() > 0
    assert process_state.restore() == ((), ("changes the floating-point environment",))
    assert process_state.restore() == ((), ())
    assert ProcessState().called(halved)() > 0


@X86
def test_an_exception_leaves_the_side_too() -> None:
    process_state = ProcessState()

    def fails() -> None:
        flush_to_zero()
        raise ValueError("no kernel today")

    with pytest.raises(ValueError, match="no kernel"):
        process_state.called(fails)()
    assert halved() > 0


@X86
def test_what_was_set_during_the_import_is_no_change() -> None:
    process_state = ProcessState()
    process_state.called(flush_to_zero)()
    process_state.restore()
    assert process_state.restore() == ((), ())
    assert process_state.called(halved)() == 0


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
