"""Beside a framework there runs nothing that judges: no check, no exact value, no bound, and none of the libraries of those who do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from conformance.frameworks.registry import frameworks

PROGRAM = """\
import builtins, json, sys

found, imported = builtins.__import__, set()


def noting(name, globals=None, *rest, **more):
    if globals and str(globals.get("__name__")).partition(".")[0] == "conformance":
        imported.add(name)
    return found(name, globals, *rest, **more)


builtins.__import__ = noting
import conformance.runner.__main__
from conformance.frameworks.registry import load

load({name!r})
print("\\n" + json.dumps([sorted(sys.modules), sorted(imported)]))
"""
JUDGES = {f"conformance.{room}" for room in ("checks", "specs", "results", "reports", "inputs", "judges", "workers", "run", "cli", "power")}
DEFINITIONS = {"conformance.numerics"} | {f"conformance.numerics.{name}" for name in ("definition", "formats", "layout", "stack", "tasks")}
LIBRARIES = {"pydantic", "pydantic_core", "hypothesis", "click", "rich", "jinja2", "packaging"}
"""What the suite needs elsewhere. Some frameworks import one or the other of them: Keras and scikit-learn ``rich``, for example."""
HERE = sorted(name for name, info in frameworks().items() if not info.why_missing())


def belonging(modules: set[str], packages: set[str]) -> set[str]:
    """Those of the modules that are in one of the packages, or are one."""
    return {module for module in modules if any(f"{module}.".startswith(f"{package}.") for package in packages)}


@pytest.mark.parametrize("name", HERE)
def test_a_runner_holds_nothing_of_the_judge(name: str) -> None:
    """Of the libraries nothing that a framework does not import itself: NumPy imports none of them."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, imported_by_us = map(set, json.loads(done.stdout.splitlines()[-1]))
    assert "conformance.runner.session" in loaded
    assert "numpy" in imported_by_us
    assert belonging(loaded, JUDGES) == set()
    assert belonging(loaded, {"conformance.numerics"}) <= DEFINITIONS
    assert belonging(imported_by_us, LIBRARIES) == set()
    if name == "numpy":
        assert belonging(loaded, LIBRARIES) == set()
