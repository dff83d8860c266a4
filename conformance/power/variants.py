"""Which miniatures there are: small implementations that are wrong in one way, or right in an unusual one.

A file's name says what it holds: ``wrong_<group>.py``, or ``wrong_<group>_torch.py`` where it needs that framework; ``right….py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance.frameworks.registry import frameworks
from conformance.subject import SubjectError
from conformance.workers.subjects import inspect

GROUPS = ("value", "dtype", "range", "shape", "weights", "gradient", "state", "stream", "mode", "training", "replicas")
"""What a wrong miniature gets wrong. ``mode``: right when it is run plainly, wrong when compiled, traced or batched."""

RIGHT = "right"


class MiniatureError(Exception):
    """A file that holds no miniatures; the message is one sentence."""


@dataclass(frozen=True)
class MiniatureFile:
    """One file: its group, or ``right``; the frameworks its functions need; why it cannot be run here, if it cannot."""

    path: Path
    group: str
    frameworks: tuple[str, ...] = ()
    not_run: str = ""


@dataclass(frozen=True, order=True)
class Miniature:
    """One implementation in such a file."""

    framework: str
    operation: str
    name: str
    group: str
    file: str

    @property
    def wrong(self) -> bool:
        """Whether some check has to reject it; if not, none may."""
        return self.group != RIGHT


def miniatures_root() -> Path:
    """The folder of the suite's own miniatures: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_miniatures"
    return installed if installed.is_dir() else package.parent / "tests" / "miniatures"


def group_of(path: Path) -> str:
    """The group that a file's name tells.

    Raises:
        MiniatureError: it tells none.
    """
    first, _, rest = path.stem.partition("_")
    if first == RIGHT:
        return RIGHT
    group = rest.partition("_")[0]
    if first != "wrong" or group not in GROUPS:
        expected = f"right….py or wrong_<group>….py with one of the groups {', '.join(GROUPS)}"
        raise MiniatureError(f"{path}: found a name that does not say what the file holds, expected {expected}")
    return group


def own_files() -> list[Path]:
    """The files that came with the suite."""
    root = miniatures_root()
    return sorted([*root.glob("wrong_*.py"), *root.glob("right*.py")])


def examine(paths: Sequence[Path], groups: Sequence[str], jobs: int) -> list[MiniatureFile]:
    """What the files hold: each is run once, in a process of its own. ``groups``: only these of the wrong ones, and all right ones.

    Raises:
        MiniatureError: a name that tells no group, or a file that does not run.
    """
    wanted = [path for path in paths if group_of(path) in {RIGHT, *(groups or GROUPS)}]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(_examine, wanted))


def _examine(path: Path) -> MiniatureFile:
    group = group_of(path)
    needed = path.stem.rpartition("_")[2]  # a framework that the name tells need not be there
    if (info := frameworks().get(needed)) and (reason := info.why_missing()):
        return MiniatureFile(path, group, (needed,), reason)
    try:
        found = inspect(path)
    except SubjectError as error:
        raise MiniatureError(str(error)) from None
    return MiniatureFile(path, group, tuple(dict.fromkeys(framework for framework, _ in found)))
