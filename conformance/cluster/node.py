"""A machine that works on jobs: it unpacks the suite once, makes each environment once, and runs a process for each job.

Nothing but the standard library is imported here, so that a machine needs Python and no more before the first job arrives.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path


class JobFailed(Exception):
    """The process of a job, or what was needed for it, failed; the message is one sentence."""


def run_job(
    suite: bytes,
    spec: str,
    requirements: Sequence[str] = (),
    python: str = "",
    needed: Sequence[str] = (),
    own_python: str = "",
) -> bytes:
    """Run one job: the bytes of its results file.

    ``suite``: what :func:`conformance.cluster.package.packed` made; ``spec``: a :class:`~conformance.cluster.job.JobSpec` as a line of
    JSON; ``requirements``: what is installed into the environment that the framework runs in, of this ``python``, or nothing to run all
    of it in the environment of this process; ``needed``: what is installed into another one, in which the suite then runs.

    Raises:
        JobFailed: the environment could not be made, or the process failed.
    """
    home = _home()
    unpacked = _once(home / f"suite-{_digest(suite)}", lambda folder: _unpack(suite, folder))
    executable, beside = sys.executable, []
    if requirements:
        executable, beside = str(environment(needed, own_python)), [str(environment(requirements, python))]
    with tempfile.TemporaryDirectory(dir=home) as folder:
        path = os.pathsep.join(filter(None, [str(unpacked), os.environ.get("PYTHONPATH", "")]))
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen(  # noqa: S603 - our own module
                [executable, "-m", "conformance.cluster.run_job", folder, *beside],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
            ) as process,
        ):
            assert process.stdin is not None
            process.stdin.write(spec.encode() + b"\n")
            process.stdin.flush()  # and stays open: the process ends with whoever holds the other end
            code = process.wait()
        made = sorted(Path(folder).glob("*.jsonl"))
        if code or not made:
            raise JobFailed(f"exit code {code}; its last words: {_last_words(Path(folder, 'log'))}")
        return made[0].read_bytes()


def environment(requirements: Sequence[str], python: str = "") -> Path:
    """The interpreter of an environment with these requirements, which uv makes if this machine does not have it yet.

    ``python``: the version of Python, by default that of this process.

    Raises:
        JobFailed: it could not be made.
    """
    version = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = "\n".join([version, *requirements])

    def make(folder: Path) -> None:
        try:
            create_environment(folder, version, requirements)
        except JobFailed as error:
            raise JobFailed(f"the environment of {', '.join(requirements[:4])} could not be made: {error}") from None

    return _once(_home() / f"environment-{_digest(wanted.encode())}", make) / "bin" / "python"


def create_environment(folder: Path, python: str, requirements: Sequence[str]) -> Path:
    """Make an environment with uv, of this version of Python and with these requirements; its interpreter.

    Raises:
        JobFailed: uv is not there, or could not make it; the message is the last that it said.
    """
    executable = folder / "bin" / "python"
    install = [uv(), "pip", "install", "-q", "--python", str(executable), *requirements]
    for command in ([uv(), "venv", "-q", "--python", python, str(folder)], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=uv_variables())  # noqa: S603 - the installer of this machine
        if done.returncode:
            raise JobFailed(last_said(done.stderr or done.stdout))
    return executable


def last_said(text: str) -> str:
    """The end of what a program said, in one line: uv breaks its sentences over several."""
    return " ".join(text.split())[-300:] or "nothing was said"


def uv() -> str:
    """The uv beside this Python, or the one on PATH.

    Raises:
        JobFailed: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise JobFailed("uv is not installed: pip install uv")
    return found


def uv_variables() -> dict[str, str]:
    """The variables of this process; where pip finds wheels, uv finds them too."""
    pip = os.environ.get("PIP_FIND_LINKS")
    return {**({} if pip is None else {"UV_FIND_LINKS": pip}), **os.environ}


def _home() -> Path:
    """A folder of this user's alone: what lies there is run."""
    folder = Path(tempfile.gettempdir()) / f"conformance-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise JobFailed(f"{folder}: found a folder that others can write to, expected one of this user's alone")
    return folder


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder unless it is there, whole or not at all, however many ask for it at the same time.

    An environment knows its own place, so it is made where it stays; what tells that it is whole is a file beside it.
    """
    whole = folder.with_suffix(".whole")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            whole.touch()
    return folder


def _unpack(suite: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(suite)) as archive:
        archive.extractall(folder)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _last_words(log: Path) -> str:
    lines = log.read_bytes()[-4000:].decode("utf-8", "replace").splitlines()
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "none")
