"""Tells what a subject file registers, so that nobody else imports its framework: ``python -m conformance.runner.registered FILE``.

A subject file is code and is run as the user who names it.
"""

from __future__ import annotations

import json
import sys

from conformance.subject import SubjectError, load_subjects


def main() -> None:
    """Entry point: the answer is the last line of what is printed."""
    try:
        answer: dict[str, object] = {"found": [(s.adapter, s.operation) for s in load_subjects(sys.argv[1])]}
    except SubjectError as error:
        answer = {"error": str(error)}
    print("\n" + json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
