"""Environments of releases: made with uv from the pins of ``targets.toml``, the check run in each, its results kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution as installed
from pathlib import Path

from packaging.version import InvalidVersion, Version

from conformance.cluster import node
from conformance.results.reading import ResultsError, read
from conformance.results.records import Outcome
from conformance.specs.grammar import MatrixTable
from conformance.specs.model import Specs
from conformance.specs.targets import OVERRIDES, Targets
from conformance.versions.search import BisectError, Cells, EnvironmentUnavailable

DISTRIBUTION = "mse-conformance"
_RAN = {Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.DEVIATION, Outcome.UNSUPPORTED}


@dataclass(frozen=True)
class EnvironmentBuilder:
    """Makes the environment of a release, runs the selected checks in it, and keeps the results under ``cache``; the environment goes.

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
        key = json.dumps([requirements, self.options, self.specs.digest, _suite(), environment.python])
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
            overrides = (self.specs.root / OVERRIDES).read_text("utf-8")
            try:
                executable = node.create_environment(Path(folder) / "environment", python, [*_suite(), *requirements], overrides)
            except node.JobFailed as error:
                raise EnvironmentUnavailable(f"it could not be installed: {error}") from None
            self.log(f"{version}: running")
            output = Path(folder) / "ran"
            command = [str(executable), "-m", "conformance", "run", "--framework", self.table.framework, *self.options, "-o", str(output)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env={**node.uv_variables(), "PYTHONPATH": ""})  # noqa: S603 - our own module, in the environment just made
            files = list(output.rglob("*.jsonl"))
            if not files:
                raise EnvironmentUnavailable(f"it did not run: {node.last_said(done.stderr)}")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[0], kept.with_suffix(".part"))
            kept.with_suffix(".part").replace(kept)

    def _listed(self) -> list[str]:
        """All releases for the Python of the table, the earliest first, as pip lists them: uv lists none itself."""
        python = self.table.python or self.targets.python
        try:
            command = [node.uv(), "tool", "run", "--quiet", "--python", python, "pip", "index", "versions", self.table.distribution]
        except node.JobFailed as error:
            raise BisectError(str(error)) from None
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=node.uv_variables())  # noqa: S603 - pip
        line = re.search(r"^Available versions: (.*)$", done.stdout, re.MULTILINE)
        if line is None:
            raise BisectError(f"pip lists no versions of {self.table.distribution}: {node.last_said(done.stderr)}")
        return sorted(filter(_is_version, line[1].split(", ")), key=Version)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _suite() -> list[str]:
    """What installs this suite once more: the folder it was installed from, or its own release."""
    one = installed(DISTRIBUTION)
    url = json.loads(one.read_text("direct_url.json") or "{}")
    if not url.get("url", "").startswith("file://"):
        return [f"{DISTRIBUTION}=={one.version}"]
    editable = ["--editable"] if url.get("dir_info", {}).get("editable") else []
    return [*editable, url["url"].removeprefix("file://")]
