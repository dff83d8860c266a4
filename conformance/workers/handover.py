"""A runner in another interpreter, in which the suite is not installed: it is handed a folder with the modules that a runner needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import threadpoolctl

import conformance
from conformance.mistake import Mistake

OLDEST = (3, 9)
"""The oldest Python that a runner runs on."""
MODULES = (
    *("__init__.py", "mistake.py", "subject.py", "runner", "frameworks"),
    *(f"numerics/{name}.py" for name in ("__init__", "definition", "formats", "layout", "stack", "tasks")),
)
"""What of the package is handed over; a folder with everything in it."""
INTERPRETER, ANOTHER = "interpreter", "one of its own, without the suite"
"""The flag of an environment that says so, and what it says."""
_TIMEOUT = 60.0
_PLACES = ("", "bin/python", "bin/python3")
"""Where the interpreter is: it itself, or in the folder of an environment."""
_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
_LACKING = "import importlib.util as u, json, sys; print(json.dumps([m for m in sys.argv[1:] if u.find_spec(m) is None]))"
_MAIN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main()"
_remover: list[subprocess.Popen[bytes]] = []
_REMOVE = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"


def interpreter(place: Path) -> Path:
    """The interpreter at a place, which is its own path, or the folder of a virtual environment or of one of conda.

    Raises:
        Mistake: there is none, or it is too old for a runner.
    """
    found = next((path for more in _PLACES if (path := place / more).is_file()), None)
    if found is None:
        raise Mistake(f"found no Python at {place}, expected an interpreter, or the folder of an environment")
    python = found.absolute()  # links are not followed: by its own path an interpreter knows the environment that it belongs to
    wanted = f"expected an interpreter of Python {_dotted(OLDEST)} or later"
    try:
        version = _answer(python, _VERSION)
        old = tuple(int(part) for part in version.split(".")[:2]) < OLDEST
    except ValueError:
        raise Mistake(f"found {place}, which does not answer as one, {wanted}") from None
    if old:
        raise Mistake(f"found Python {version} at {place}, {wanted}")
    return python


def lacking(python: Path, modules: Sequence[str]) -> str:
    """Which of these top-level modules an interpreter does not have, in words; empty if it has all of them."""
    try:
        found: list[str] = json.loads(_answer(python, _LACKING, *modules))
    except ValueError:
        return "the interpreter that it was to run in does not answer"
    return (
        f"{' and '.join(found)} {'is' if len(found) == 1 else 'are'} not installed in the interpreter that it was to run in"
        if found
        else ""
    )


def command(python: Path, module: str) -> list[str]:
    """What starts ``main`` of a module that is handed over; its arguments follow.

    The interpreter is isolated: neither the working folder nor a variable puts anything else on its path.
    """
    return [str(python), "-I", "-c", _MAIN.format(module=module), str(folder())]


def variables(ours: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process there: ours, without what leads its own children to our packages."""
    return {name: value for name, value in ours.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"}}


@cache
def folder() -> Path:
    """The folder that is handed over, made once by a process.

    It is removed when this process ends, however it does: another process waits for that.
    """
    made = Path(tempfile.mkdtemp(prefix="conformance-"))
    _remover.append(
        subprocess.Popen(  # noqa: S603 - our own interpreter, with a program of a line
            [sys.executable, "-I", "-S", "-c", _REMOVE, str(made)],
            stdin=subprocess.PIPE,  # this process alone has the other end, and never closes it
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends this process does not end it
        )
    )
    package = Path(conformance.__file__).resolve().parent
    for name in MODULES:
        source, copy = package / name, made / "conformance" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, copy)
    shutil.copyfile(threadpoolctl.__file__, made / "threadpoolctl.py")  # a module of its own, which needs nothing else
    return made


def _answer(python: Path, program: str, *arguments: str) -> str:
    """What a program of a line prints there.

    Raises:
        ValueError: it prints nothing, or does not end well.
    """
    started = [str(python), "-I", "-c", program, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that was asked for
            started, capture_output=True, text=True, timeout=_TIMEOUT, check=True, stdin=subprocess.DEVNULL, env=variables(os.environ)
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(str(error)) from None
    return done.stdout.strip().rpartition("\n")[2]  # whatever else is said at its start


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
