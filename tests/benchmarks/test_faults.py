"""Nothing is lost: the faults of ``benchmarks/faults.py``, at few moments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"
OPTIONS = ("--moments", "1", "--fuzzed", "40", "--format", "json")
FAULTS = (
    "a runner is killed",
    "a judge is killed",
    "the engine is killed",
    "the engine is killed in a hang",
    "an interrupt",
    "a full disk",
    "two runs at once",
    "a segfault in a call",
    "a hang",
    "memory exhausted",
    "it dies and leaves a process",
    "a failing import",
    "it prints on stdout",
    "it reads stdin",
    "it leaves the folder",
    "it sets the locale",
    "it seeds random numbers",
    "it flushes to zero",
    "it sets the default dtype",
    "it leaves threads behind",
    "fuzzed spec files",
    "fuzzed results files",
)
OF_PYTORCH_OR_THE_PROCESSOR = {"it sets the default dtype", "it flushes to zero"}

pytestmark = pytest.mark.xdist_group("faults")  # they are injected once, which takes minutes


@pytest.fixture(scope="module")
def injected() -> dict[str, Any]:
    done = subprocess.run([sys.executable, str(PROGRAM), *OPTIONS], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == any(row["problems"] for row in found.values())
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_no_cell_is_lost(injected: dict[str, Any], fault: str) -> None:
    row = injected[fault]
    assert row["problems"] == []
    assert row["survived"] == row["injected"]
    assert row["lost"] == 0
    assert row["injected"] or fault in OF_PYTORCH_OR_THE_PROCESSOR


def test_every_fault_of_the_program_is_listed_here(injected: dict[str, Any]) -> None:
    assert tuple(injected) == FAULTS
