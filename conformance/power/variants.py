"""Variants: small implementations that are wrong in one way (mutants), or right in an unusual one (equivalent variants).

A file's name says what it holds: ``mutants_<group>.py``, or ``mutants_<group>_torch.py`` where it needs that framework; ``variants….py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance.frameworks.registry import frameworks
from conformance.mistake import Mistake
from conformance.workers.subjects import inspect

GROUPS = ("cheats", "value", "dtype", "range", "shape", "weights", "gradient", "domain", "state", "stream", "mode", "training", "replicas")
"""What a mutant gets wrong. ``domain``: what it declares, or need not have. ``mode``: right when it is run plainly, wrong when compiled,
traced or batched."""

CHEATS = "cheats"
"""The group of those that wish not to be found: a folder of files with one each."""
EQUIVALENT = "equivalent"
"""What equivalent variants have instead of a group."""


@dataclass(frozen=True)
class VariantFile:
    """One file: its group, or ``EQUIVALENT``; the frameworks its functions need; why it cannot be run here, if it cannot."""

    path: Path
    group: str
    frameworks: tuple[str, ...] = ()
    not_run: str = ""

    @property
    def is_alone(self) -> bool:
        """Whether its functions must have a runner for themselves: what they do to it is none of the others' business."""
        return self.group == CHEATS


@dataclass(frozen=True, order=True)
class Variant:
    """One implementation in such a file."""

    framework: str
    operation: str
    name: str
    group: str
    file: str

    @property
    def is_mutant(self) -> bool:
        """Whether some check has to reject it; if not, none may."""
        return self.group != EQUIVALENT


def own_folder(name: str) -> Path:
    """The folder ``mutants`` or ``variants`` of the suite: inside the installed package, or among the tests of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / "tests" / name


def own_files() -> list[Path]:
    """The files that came with the suite."""
    mutants = own_folder("mutants")
    return [*sorted(mutants.glob("mutants_*.py")), *sorted(mutants.glob(f"{CHEATS}/*.py")), *_variants()]


def _variants() -> list[Path]:
    return sorted(own_folder("variants").glob("variants*.py"))


def group_of(path: Path) -> str:
    """The group that a file's name tells.

    Raises:
        Mistake: it tells none.
    """
    if path.parent.name == CHEATS:
        return CHEATS
    first, _, rest = path.stem.partition("_")
    if first == "variants":
        return EQUIVALENT
    group = rest.partition("_")[0]
    if first != "mutants" or group not in GROUPS:
        expected = f"variants….py or mutants_<group>….py with one of the groups {', '.join(GROUPS)}"
        raise Mistake(f"{path}: found a name that does not say what the file holds, expected {expected}")
    return group


def examine(paths: Sequence[Path], groups: Sequence[str], jobs: int) -> list[VariantFile]:
    """What the files hold: each is run once, in a process of its own. ``groups``: only mutants of these, and all equivalent variants.

    Raises:
        Mistake: a name that tells no group, or a file that does not run.
    """
    wanted = [path for path in paths if group_of(path) in {EQUIVALENT, *(groups or GROUPS)}]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(_examine, wanted))


def _examine(path: Path) -> VariantFile:
    group = group_of(path)
    needed = path.stem.rpartition("_")[2]  # a framework that the name tells need not be there
    if (info := frameworks().get(needed)) and (reason := info.why_missing()):
        return VariantFile(path, group, (needed,), reason)
    return VariantFile(path, group, tuple(dict.fromkeys(framework for framework, _ in inspect(path))))
