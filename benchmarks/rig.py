"""A folder in which runs are disturbed, and what is asked of each afterwards: the bench of ``faults.py``."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

from conformance.frameworks.registry import frameworks
from conformance.results.reading import Results, ResultsError, read
from conformance.results.records import Cell
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES
from conformance.specs.load import load

CHECKS = ("mse/mean/case/mean-*s", "mse/mean/law/swap")
RUNNER, JUDGE = "conformance.runner", "conformance.judges"
"""The modules of the two processes that a framework has."""
SEED = str(PROFILES["quick"].budget.seed)
"""The same of all runs, as one is gone on with by another."""
PATIENCE = 120.0
"""Seconds after which whatever should have happened is taken to happen no more."""

HEAD = """\
import ctypes, locale, os, random, signal, subprocess, sys, threading, time
import numpy as np
import conformance

def flush_to_zero():
    library, held = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    library.fegetenv(held)
    held[28:32] = (int.from_bytes(held[28:32], "little") | 0x8040).to_bytes(4, "little")
    library.fesetenv(held)

def exhaust():
    held = []
    while True:
        held.append(np.ones(2**24))
"""
LOSS = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def {name}(prediction, target):
    if prediction.shape == (3,):
        {fault}
    return np.mean(np.square(prediction - target))

@{name}.gradient
def _(prediction, target, upstream):
    gradient = (prediction - target) * (np.float32(2) * upstream / np.float32(max(prediction.size, 1)))
    return gradient, -gradient
"""
LOSS_OF_TORCH = """
import torch

@conformance.implementation("mse/mean", framework="torch", dtypes=("float32",))
def {name}(prediction, target):
    if prediction.shape == (3,):
        {fault}
    return torch.square(prediction - target).sum() * (torch.ones(()) / prediction.numel()).to(prediction.dtype)
"""
LOSSES = {"numpy": LOSS, "torch": LOSS_OF_TORCH}

NOBODYS: Callable[[Cell], bool] = lambda cell: False  # noqa: E731, ARG005 - no cell is the fault's own


@dataclass
class Injection:
    """One fault that was injected: what is wrong with what came of it, and how many cells it lost."""

    problems: list[str] = field(default_factory=list)
    lost: int = 0

    def require(self, holds: object, sentence: str) -> None:
        """Keep the sentence unless it holds."""
        if not holds:
            self.problems.append(sentence)


@dataclass
class Rig:
    """A folder, the subject files in it, and runs of them, in this process or as a command."""

    folder: Path
    moments: int
    chance: random.Random
    framework: str = "numpy"

    def subject(self, fault: str = "pass", head: str = "", loss: str = LOSS) -> Path:
        """A subject file of a loss that does something terrible when it sees three elements, and of one that does not."""
        path = self.folder / "my_loss.py"
        path.write_text(HEAD + head + loss.format(name="bad", fault=fault) + loss.format(name="right", fault="pass"), encoding="utf-8")
        return path

    def fresh(self) -> Path:
        """A folder for the results of a run."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def file(self, results: Path) -> Path:
        """The one results file there."""
        return results / f"{self.framework}.jsonl"

    def run(self, results: Path, subject: Path, *, resume: bool = False, timeout: float = 60.0, memory: int | None = None) -> Path:
        """Run the engine here."""
        selection = Selection(subjects=(subject,), checks=CHECKS)
        profile = replace(PROFILES["quick"], timeout=timeout)
        task = Run(load(), profile, selection, results, resume=resume, memory=memory)
        (path,) = task.execute([frameworks()[self.framework]], jobs=1)
        return path

    def command(self, results: Path, subject: Path, *options: str, before: str = "pass") -> subprocess.Popen[str]:
        """Start the command, after a statement."""
        program = (
            f"import resource, runpy, sys; {before}; sys.argv[0] = 'conformance'; runpy.run_module('conformance', run_name='__main__')"
        )
        options = (*options, "--seed", SEED)
        checks = [word for check in CHECKS for word in ("--check", check)]
        words = [sys.executable, "-c", program, "run", "--subject", str(subject), *checks, "-o", str(results.parent), *options]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own module

    @cached_property
    def reference(self) -> dict[str, Cell]:
        """The cells of an undisturbed run, by id."""
        return undisturbed(self.framework)[0]

    def moment(self) -> float:
        """A random one within such a run."""
        return self.chance.uniform(0, undisturbed(self.framework)[1])

    def begun(self, process: subprocess.Popen[str], results: Path) -> bool:
        """Whether a command has begun its results file, at last."""
        wait_until(lambda: self.file(results).exists() or process.poll() is not None)
        return self.file(results).exists()

    def judged(self, path: Path, *, happened: str = "", own: Callable[[Cell], bool] = NOBODYS, timeout: float = 60.0) -> Injection:
        """What came of a run that may have been interrupted: it is resumed, and compared with the undisturbed one.

        ``happened`` must stand in the reason or a flag of a cell; ``own`` are the cells whose outcome the fault may change.
        """
        found = Injection()
        before = self._resumed(path, found, timeout) if path.exists() else Injection()
        if before is None:
            return found
        try:
            results = read(path)
        except (ResultsError, OSError) as error:
            found.require(holds=False, sentence=f"cannot be read after it was resumed: {error}")
            return found
        cells = {cell.id: cell for cell in results.cells}
        found.lost = len(self.reference.keys() - cells.keys())
        found.require(results.complete, "is not complete")
        found.require(not found.lost, f"{found.lost} cells are lost")
        found.require(not cells.keys() - self.reference.keys(), "cells were added")
        told = [cell for cell in results.cells if happened in cell.reason or any(happened in flag for flag in cell.flags)]
        found.require(told, f"no cell says {happened!r}")
        differing = [c.id for c in results.cells if not own(c) and c.id in self.reference and c.outcome is not self.reference[c.id].outcome]
        found.require(not differing, f"another outcome: {', '.join(differing[:3])}")
        return found

    def _resumed(self, path: Path, found: Injection, timeout: float) -> Results | None:
        """Go on with the run, if it is not complete; what had finished must stay as it is."""
        try:
            before = read(path)
        except ResultsError as error:
            found.require(holds=False, sentence=f"cannot be read: {error}")
            return None
        ran = bool(before.header.environment.version)
        if before.complete and ran:
            return before
        lines = path.read_bytes().splitlines(keepends=True)[: 1 + len(before.cells)] if ran else []
        self.run(path.parent, self.folder / "my_loss.py", resume=True, timeout=timeout)
        found.require(path.read_bytes().startswith(b"".join(lines)), "what had finished was run again")
        return before


@lru_cache
def undisturbed(framework: str) -> tuple[dict[str, Cell], float]:
    """The cells of a run in which nothing goes wrong, by id, and the seconds that it takes."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        rig = Rig(Path(folder), 0, random.Random(0), framework)  # noqa: S311 - moments, no secrets
        started = time.monotonic()
        path = rig.run(rig.fresh(), rig.subject(loss=LOSSES[framework]))
        return {cell.id: cell for cell in read(path).cells}, time.monotonic() - started


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether it holds at last."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(containing: str) -> list[int]:
    """The ids of processes whose command line has these words."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and containing in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.append(int(entry.name))
    return found


def children(rig: Rig, *modules: str) -> list[int]:
    """The processes of the rig's runs that run one of these modules, runners and judges by default."""
    return [pid for pid in processes(str(rig.folder)) if any(module in _command_line(pid) for module in modules or (RUNNER, JUDGE))]


def _command_line(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
