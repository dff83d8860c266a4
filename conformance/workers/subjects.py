"""Looks into a subject file without importing its framework here: a process of its own runs it and tells what it registers.

A subject file is code and is run as the user who names it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from conformance.subject import SubjectError, load_subjects

TIMEOUT = 300.0
_Found = TypeAdapter(list[tuple[str, str]])


def inspect(path: Path) -> list[tuple[str, str]]:
    """The (framework, operation) pairs that a subject file registers.

    Raises:
        SubjectError: one sentence about what is wrong with the file.
    """
    command = [sys.executable, "-m", "conformance.workers.subjects", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603 - our own module
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


def main() -> None:
    """Entry point of that process: the answer is the last line of its output."""
    try:
        answer: dict[str, object] = {"found": [(s.adapter, s.operation) for s in load_subjects(sys.argv[1])]}
    except SubjectError as error:
        answer = {"error": str(error)}
    print("\n" + json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
