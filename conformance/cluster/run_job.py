"""Runs one job: ``python -m conformance.cluster.run_job FOLDER [PYTHON]``, with its specification as the first line of its standard input.

PYTHON is the interpreter in which its framework runs, where that is another one.

The results file is in the folder when the process has ended with exit code 0. It ends at once when its standard input is closed: whoever
asked is gone then, and somebody else may have been asked already.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import conformance
from conformance.cluster.job import JobSpec
from conformance.frameworks.registry import frameworks
from conformance.run.engine import Run, default_memory
from conformance.run.profiles import profile_of
from conformance.specs.load import load


def _end_with_whoever_asked() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Entry point."""
    spec = JobSpec.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_whoever_asked, daemon=True).start()
    specs = load(Path(conformance.__file__).resolve().parent.parent / "specs")  # as ``suite`` packs them
    memory = spec.memory or default_memory()  # of the machine that this is
    profile = profile_of(spec.profile, spec.seed, spec.timeout)
    pythons = dict.fromkeys([spec.framework], Path(sys.argv[2])) if sys.argv[2:] else {}
    run = Run(specs, profile, spec.selection, Path(sys.argv[1]), spec.shard, memory=memory, pythons=pythons)
    run.execute([frameworks()[spec.framework]], 1)
    os._exit(0)  # its thread waits for input: an ordinary end would wait for it


if __name__ == "__main__":
    main()
