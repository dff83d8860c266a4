"""The example of a framework in a distribution of its own: its entry point is all that the suite needs to list and to run it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "example-framework"
GROUP = "conformance.frameworks"


@pytest.fixture
def process_state(tmp_path: Path) -> dict[str, str]:
    """An environment in which the example is installed: what pip would write of its pyproject.toml, on the path."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    written = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    written.mkdir()
    (written / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"][GROUP]
    (written / "entry_points.txt").write_text(f"[{GROUP}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()))
    path = os.pathsep.join([str(ROOT), str(tmp_path), str(EXAMPLE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "DEV": "PYTHON"}  # a device of tinygrad that needs no compiler


def conformance(process_state: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, env=process_state, capture_output=True, text=True, check=False, timeout=300)


def needs_tinygrad() -> None:
    if importlib.util.find_spec("tinygrad") is None:
        pytest.skip("tinygrad is not installed: pip install docs/example-framework")


def test_the_suite_knows_nothing_of_it() -> None:
    modules = [*(ROOT / "conformance").rglob("*.py"), ROOT / "pyproject.toml"]
    named = [path for path in modules if "tinygrad" in path.read_text() and path.name != "pyproject.toml"]
    assert named == []


def test_it_is_a_framework_once_its_entry_point_is_there(process_state: dict[str, str]) -> None:
    unknown = conformance({**os.environ, "PYTHONPATH": str(ROOT)}, "list", "targets", "--framework", "tinygrad")
    if importlib.util.find_spec("conformance_tinygrad") is None:
        assert unknown.returncode == 2
        assert "unknown framework 'tinygrad'" in unknown.stderr
    listed = conformance(process_state, "list", "targets", "--framework", "tinygrad", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    rows = json.loads(listed.stdout)
    assert rows
    assert {row["id"].partition("/")[0] for row in rows} == {"tinygrad"}


def test_a_few_checks_run(process_state: dict[str, str], tmp_path: Path) -> None:
    needs_tinygrad()
    chosen = ["--operation", "mse/sum", "--dtype", "float32", "--check", "*/case/sum-rank-*", "--check", "*/law/swap"]
    ran = conformance(process_state, "run", "--framework", "tinygrad", *chosen, "-o", str(tmp_path / "out"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = (tmp_path / "out" / "results" / "tinygrad.jsonl").read_text().splitlines()
    cells = [record for record in map(json.loads, lines) if record["record"] == "cell"]
    assert {cell["outcome"] for cell in cells} == {"pass"}
    assert {"value", "gradient/prediction", "gradient/target"} <= {cell["quantity"] for cell in cells}


PROGRAM = """
from conformance.reports.reproduce import reproducer
from conformance.results.records import Cell, Outcome, Target, Witness

target = Target(framework="tinygrad", version="1", implementation="i", device="cpu", mode="eager", dtype="bfloat16")
witness = Witness(shape=(2,), prediction=("0x1p+0", "0x1.8p+1"), target=("0x0p+0", "0x1p+0"), upstream=("0x1p+1",), element=0, expected="2")
cell = {"check": "c", "kind": "case", "operation": "mse/mean", "target": target, "outcome": Outcome.FAIL, "witness": witness}
for quantity in ("value", "gradient/target"):
    exec(reproducer(Cell(quantity=quantity, **cell), "(prediction - target).square().mean()"))
"""


def test_its_failures_come_with_programs(process_state: dict[str, str]) -> None:
    needs_tinygrad()
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=process_state, capture_output=True, text=True, check=False, timeout=300)
    found = [line.split(maxsplit=1)[1] for line in ran.stdout.splitlines() if line.startswith("found")]
    assert found == ["2.5", "[-2. -4.]"], ran.stderr


def test_its_own_test_passes(process_state: dict[str, str]) -> None:
    needs_tinygrad()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)]
    ran = subprocess.run(command, env=process_state, cwd=EXAMPLE, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout
