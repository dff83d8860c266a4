"""What a process writes to stderr is kept within bounds: its beginning, its end, and how much lay between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from conformance.workers.stderr import KEPT, Log

PATIENCE = 60.0


def log_of(program: str) -> tuple[Log, subprocess.Popen[bytes]]:
    """The log of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", f"import os, sys\n{program}"], stderr=subprocess.PIPE, start_new_session=True)
    assert process.stderr is not None
    log = Log(process.stderr)
    process.wait(PATIENCE)
    return log, process


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("pass", ""),
        ("sys.stderr.write('first\\nlast\\n\\n  \\n')", "its last words: last"),
        ("os.write(2, b'no \\xff UTF-8')", "its last words: no \ufffd UTF-8"),
        (f"os.write(2, b'x' * {2 * KEPT})", f"its last words: {'x' * 200}"),
        (
            f"os.write(2, b'the cause\\n' + b'x' * {2 * KEPT} + b'\\nthe end\\n')",
            "its first words: the cause; 19 bytes that it wrote then were cut; its last words: the end",
        ),
    ],
)
def test_the_words_of_a_process_are_its_last_or_if_some_were_cut_its_first_and_last(program: str, words: str) -> None:
    assert log_of(program)[0].words(PATIENCE) == words


def test_a_process_that_floods_its_log_ends_and_leaves_no_more_than_is_kept() -> None:
    log, process = log_of("for _ in range(400): os.write(2, b'y' * 65535 + b'\\n')")
    assert process.returncode == 0
    assert f"{400 * 65536 - 2 * KEPT:,} bytes" in log.words(PATIENCE)
    assert len(log._first) == len(log._last) == KEPT


def test_others_that_hold_the_pipe_open_are_not_waited_for() -> None:
    log, process = log_of("import time; os.write(2, b'gone\\n')\nif os.fork() == 0: time.sleep(600)")
    try:
        assert log.words(0.5) == "its last words: gone"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
