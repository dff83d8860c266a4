"""Run the command line in a process of its own, and look at how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from conformance.cli import main


def conformance(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "conformance", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def options(command: str) -> set[str]:
    """The options of a command, ``--help`` aside, as they are written."""
    found = main.get_command(click.Context(main), command)
    assert found is not None
    return {
        name for parameter in found.params if isinstance(parameter, click.Option) for name in (*parameter.opts, *parameter.secondary_opts)
    }


def one_sentence(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Exit code 2, one line on stderr, no traceback, and these words in it."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0]
