"""The committed results of the versions, and the list of what changed between them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.results.reading import Results, read
from conformance.results.records import Outcome
from conformance.specs.load import specs_root
from conformance.specs.targets import read_targets

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "reports" / "versions").glob("*.jsonl.gz"))


@pytest.fixture(scope="module")
def versions() -> dict[str, Results]:
    return {path.name.removesuffix(".jsonl.gz"): read(path) for path in FILES}


def test_every_file_is_of_an_environment_of_the_matrix_and_ran_to_its_end(versions: dict[str, Results]) -> None:
    environments = {environment.name: environment for environment in read_targets(specs_root()).environments()}
    for name, results in versions.items():
        assert name in environments
        assert results.complete, name
        assert results.header.environment.framework == environments[name].framework
        assert {cell.outcome for cell in results.cells} > {Outcome.PASS}, name


def test_every_file_names_the_packages_of_its_environment(versions: dict[str, Results]) -> None:
    environments = {environment.name: environment for environment in read_targets(specs_root()).environments()}
    for name, results in versions.items():
        found = results.header.environment
        packages = {package.lower().replace("_", "-"): version for package, version in found.packages.items()}
        distribution, _, version = environments[name].requirements[0].partition("==")
        assert packages[distribution].partition("+")[0] == version, name


def test_all_were_judged_by_the_same_specs(versions: dict[str, Results]) -> None:
    assert len({results.header.specs_digest for results in versions.values()}) == 1


def test_the_list_of_changes_is_that_of_the_files() -> None:
    done = subprocess.run([sys.executable, "docs/version_changes.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
