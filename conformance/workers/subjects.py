"""Looks into a subject file without importing its framework here: a process of its own runs it and tells what it registers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from conformance.subject import SubjectError
from conformance.workers import handover

TIMEOUT = 300.0
_Found = TypeAdapter(list[tuple[str, str]])
_MODULE = "conformance.runner.registered"
_LACKS = "ModuleNotFoundError"


def inspect(path: Path, pythons: Iterable[Path] = ()) -> list[tuple[str, str]]:
    """The (framework, operation) pairs that a subject file registers.

    What lacks a module in our interpreter is run in the others, as far as it takes.

    Raises:
        SubjectError: one sentence about what is wrong with the file.
    """
    lacking: SubjectError | None = None
    for python in (None, *dict.fromkeys(pythons)):
        try:
            return _registered(path, python)
        except SubjectError as error:
            if _LACKS not in str(error):
                raise
            lacking = lacking or error
    assert lacking is not None
    raise lacking


def _registered(path: Path, python: Path | None) -> list[tuple[str, str]]:
    """As an interpreter runs the file, ours by default."""
    command = [sys.executable, "-m", _MODULE] if python is None else handover.command(python, _MODULE)
    variables = None if python is None else handover.variables(os.environ)
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [*command, str(path)], capture_output=True, text=True, timeout=TIMEOUT, check=False, env=variables
        )
    except subprocess.TimeoutExpired:
        raise SubjectError(f"{path}: it ran for {TIMEOUT:.0f} s without an end, expected a file that only defines its functions") from None
    last = done.stdout.splitlines()[-1] if done.stdout.strip() else ""
    try:
        answer = json.loads(last)
        if "error" in answer:
            raise SubjectError(str(answer["error"]))
        return _Found.validate_python(answer["found"])
    except (ValueError, KeyError, TypeError, ValidationError):
        raise SubjectError(
            f"{path}: the process that ran it ended with exit code {done.returncode} and no answer, expected a file that runs"
        ) from None
