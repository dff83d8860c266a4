"""The simulated schedule: everything is done once, nothing is done twice at a time, and no cluster beats its longest slot."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "schedule.py"


@pytest.fixture(scope="module")
def schedule() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schedule", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["schedule"] = module
    spec.loader.exec_module(module)
    return module


def test_one_core_does_everything_one_after_the_other(schedule: ModuleType) -> None:
    plan = schedule.scheduled([[10.0, 20.0], [5.0, 0.0]], 1, 1.0, 60.0)
    assert plan.slots == 3  # an empty shard is no slot
    assert plan.work == 35
    assert plan.overhead == 3 * 1 + 2 * 60  # one machine makes each of two environments once
    assert plan.makespan == plan.work + plan.overhead


def test_more_cores_never_beat_the_longest_slot(schedule: ModuleType) -> None:
    environments = [[float(n), 3.0] for n in range(1, 40)]
    spans = [schedule.scheduled(environments, cores, 0.0, 0.0).makespan for cores in (1, 2, 8, 1000)]
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] == 39
    assert spans[1] >= spans[0] / 2


def test_the_command_prints_a_plan_for_each_size(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "conformance",
            "run",
            "--framework",
            "numpy",
            "--operation",
            "mse/none",
            "--check",
            "*/case/*",
            "-o",
            str(tmp_path),
        ],
        capture_output=True,
        check=True,
    )
    command = [
        sys.executable,
        str(BENCHMARK),
        str(tmp_path),
        "--environments",
        "10",
        "--evaluations",
        "1e6",
        "--cores",
        "1,4",
        "--format",
        "json",
    ]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["evaluations"] == 1_000_000
    assert [plan["cores"] for plan in found["plans"]] == [1, 4]
    one, four = found["plans"]
    assert one["hours"] > four["hours"] >= one["hours"] / 4
