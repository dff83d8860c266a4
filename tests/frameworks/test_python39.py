"""What runs beside a framework runs in Python 3.9 too: old versions of frameworks exist for no later one."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = tuple(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["per-file-target-version"])
FILES = [file for place in PLACES for file in sorted(ROOT.glob(f"{place}/*.py" if place.endswith("**") else place))]


def test_the_linter_checks_the_runner_for_python_39() -> None:
    assert {"conformance/__init__.py", "conformance/subject.py", "conformance/frameworks/**", "conformance/runner/**"} <= set(PLACES)
    assert len(FILES) > 80


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_it_parses(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 9))


def test_it_uses_nothing_newer() -> None:
    pytest.importorskip("vermin", reason="vermin is not installed: pip install -e '.[test]'")
    command = [sys.executable, "-c", "import vermin; vermin.main()", "--target=3.9-", "--no-tips", "--violations", *map(str, FILES)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
