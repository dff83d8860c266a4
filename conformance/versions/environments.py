"""Environments of releases: made with uv from the pins of ``targets.toml``, the check run on each, its results kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

import conformance
from conformance.cluster import node
from conformance.results.reading import ResultsError, read
from conformance.results.records import Outcome
from conformance.specs.grammar import MatrixTable
from conformance.specs.model import Specs
from conformance.specs.targets import Targets
from conformance.versions.search import BisectError, Cells, EnvironmentUnavailable

SUITE = (sys.executable, "-m", "conformance")
"""Runs the suite: beside the environment, not in it."""
_PACKAGE = str(Path(conformance.__file__).resolve().parent.parent)
_RAN = {Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.DEVIATION, Outcome.UNSUPPORTED}


@dataclass(frozen=True)
class EnvironmentBuilder:
    """Makes the environment of a release, runs the selected checks on it, and keeps the results under ``cache``; the environment goes.

    ``extra`` are requirements beside those of the table, ``options`` those of ``conformance run``. ``log`` is told what is being done.
    """

    specs: Specs
    targets: Targets
    table: MatrixTable
    extra: tuple[str, ...]
    options: tuple[str, ...]
    cache: Path
    log: Callable[[str], None]

    def releases(self, good: str, bad: str) -> list[str]:
        """The releases from one to the other, both included, the earlier first; pre-releases are left out.

        Raises:
            BisectError: the index cannot be asked, or does not have one of the two.
        """
        known = self._listed()
        for version in (good, bad):
            if version not in known:
                near = ", ".join(known[-8:])
                raise BisectError(f"{self.table.distribution} {version}: found no such release, expected one such as {near}")
        low, high = sorted((known.index(good), known.index(bad)))
        if low == high:
            raise BisectError(f"found the release {good} twice, expected two that differ")
        return known[low : high + 1]

    def run_release(self, version: str) -> Cells:
        """The cells of a release.

        Raises:
            EnvironmentUnavailable: uv finds no such environment, or nothing ran in it.
        """
        environment = self.targets.environment(self.table, version)
        requirements = (*environment.requirements, *self.extra)
        key = json.dumps([requirements, self.options, self.specs.digest, conformance.__version__, environment.python])
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        kept = self.cache / self.table.framework / f"{self.table.distribution}-{version}-{digest}.jsonl"
        if not kept.exists():
            self._run(version, environment.python, requirements, kept)
        else:
            self.log(f"{version}: looked at before, {kept}")
        try:
            results = read(kept)
        except ResultsError as error:
            raise EnvironmentUnavailable(str(error)) from None
        cells = {cell.id: cell for cell in results.cells if cell.outcome in _RAN and cell.target.implementation != "*"}
        if not cells:
            raise EnvironmentUnavailable(results.cells[0].reason if results.cells else "no cell was selected")
        return cells

    def _run(self, version: str, python: str, requirements: Sequence[str], kept: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            self.log(f"{version}: installing {' '.join(requirements)}")
            try:
                executable = node.create_environment(Path(folder) / "environment", python, requirements)
            except node.JobFailed as error:
                raise EnvironmentUnavailable(f"it could not be installed: {error}") from None
            self.log(f"{version}: running")
            output = Path(folder) / "ran"
            framework = self.table.framework
            there = ["--framework", framework, "--python", f"{framework}={executable}"]
            done = subprocess.run(  # noqa: S603 - our own module
                [*SUITE, "run", *there, *self.options, "-o", str(output)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_PACKAGE, os.environ.get("PYTHONPATH")]))},
            )
            files = list(output.rglob("*.jsonl"))
            if not files:
                raise EnvironmentUnavailable(f"it did not run: {node.last_said(done.stderr)}")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[0], kept.with_suffix(".part"))
            kept.with_suffix(".part").replace(kept)

    def _listed(self) -> list[str]:
        """All releases for the Pythons of the table, the earliest first, as pip lists them: uv lists none itself."""
        found: set[str] = set()
        for python in self.targets.pythons(self.table):
            try:
                command = [node.uv(), "tool", "run", "--quiet", "--python", python, "pip", "index", "versions", self.table.distribution]
            except node.JobFailed as error:
                raise BisectError(str(error)) from None
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=node.uv_variables())  # noqa: S603 - pip
            line = re.search(r"^Available versions: (.*)$", done.stdout, re.MULTILINE)
            if line is None:
                raise BisectError(f"pip lists no versions of {self.table.distribution} for Python {python}: {node.last_said(done.stderr)}")
            found.update(filter(_is_version, line[1].split(", ")))
        return sorted(found, key=Version)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
