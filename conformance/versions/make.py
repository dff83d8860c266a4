"""Makes the environment of a version of the matrix, unless it is there: ``python -m conformance.versions.make NAME FOLDER``.

It holds the framework alone, in the Python that ``targets.toml`` says: ``conformance run --python F=FOLDER`` runs it there.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from conformance.cluster import node
from conformance.specs.load import specs_root
from conformance.specs.targets import VersionEnvironment, read_targets

CONSTRAINTS = ("UV_CONSTRAINT", "PIP_CONSTRAINT")
"""What tox pins with these is the suite."""


def make(environment: VersionEnvironment, folder: Path) -> bool:
    """Make it; False if it is there, made of the same.

    Raises:
        JobFailed: it could not be made.
    """
    of = "\n".join([environment.python, *environment.requirements])
    whole = folder / "made-of.txt"
    if whole.exists() and whole.read_text("utf-8") == of:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    node.create_environment(folder, environment.python, environment.requirements)
    whole.write_text(of, "utf-8")
    return True


def main() -> None:
    """Entry point."""
    name, folder = sys.argv[1:]
    known = {one.name: one for one in read_targets(specs_root()).environments()}
    if name not in known:
        sys.exit(f"conformance: found {name!r}, expected one of {', '.join(known)}")
    for variable in CONSTRAINTS:
        os.environ.pop(variable, None)
    try:
        make(known[name], Path(folder))
    except node.JobFailed as error:
        sys.exit(f"conformance: the environment {name} could not be made: {error}")


if __name__ == "__main__":
    main()
