"""The benchmarks run, and count what they say they count. No test holds them to a time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
HEADER = """\
import numpy as np
import conformance
"""
LOSS = """
@conformance.implementation("mse/none", framework="numpy", dtypes=("float64",), name="{name}")
def loss(prediction, target):
    "For a test of the comparison."
    return {value}
"""
MUTANTS = {
    "doubles": "2 * np.square(prediction - target)",
    "has-a-floor": "np.where(np.abs(prediction - target) < 1e-9, 0, np.square(prediction - target))",
}


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="one of the methods is PyTorch's")
def test_every_method_is_put_to_the_same_variants(tmp_path: Path) -> None:
    files = {"mutants_value.py": MUTANTS, "variants_plain.py": {"plain": "np.square(prediction - target)"}}
    for name, losses in files.items():
        text = HEADER + "".join(LOSS.format(name=loss, value=value) for loss, value in losses.items())
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, str(FOLDER / "power.py"), *files, "--seeds", "2", "--format", "json"]
    found = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    assert (found["mutants"], found["equivalent variants"], found["seeds"]) == (2, 1, [0, 1])
    suite = found["methods"].pop("conformance")
    assert suite["groups"]["value"] == "2/2"
    assert suite["accused"] == []
    assert {name: method["killed"] for name, method in found["methods"].items()} == dict.fromkeys(found["methods"], 1)
    assert found["killed by none of the others"] == ["has-a-floor"]
    assert min(method["time"] for method in [suite, *found["methods"].values()]) == 1


def answer(benchmark: str, *arguments: str) -> Any:
    command = [sys.executable, str(FOLDER / benchmark), *arguments, "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_suite_beside_a_naive_test_and_its_floor() -> None:
    found = answer("speed.py", "--framework", "numpy", "--inputs", "256", "--naive", "3", "--growth")
    for way in ("one by one", "batched"):
        (numpy,) = found[way]["frameworks"]
        assert numpy["mode"] == "eager", "NumPy has no automatic batching"
        assert numpy["inputs"] == 256, "as many as were asked for, whatever a profile puts to a framework"
        assert 0 < numpy["floor"] < numpy["suite"]
        assert numpy["suite"] == found[way]["suite"]
        assert set(numpy["parts"]) == {"drawing", "messages", "framework", "exact value", "judging", "recording", "searching"}
        assert all(part > 0 for part in numpy["parts"].values())
        assert sum(numpy["parts"].values()) == pytest.approx(1)
        for drawn, cost in found["naive"].items():
            assert found[way]["naive / suite"][drawn] == pytest.approx(cost / numpy["suite"])
    assert [line["inputs"] for line in found["growth"]] == [16, 256, 2560], "whole stacks of 16"


def test_batches_of_a_framework_have_a_floor_of_their_own() -> None:
    pytest.importorskip("torch")
    found = answer("speed.py", "--framework", "torch", "--inputs", "256", "--naive", "1")
    (eager,), (batched,) = (found[way]["frameworks"] for way in ("one by one", "batched"))
    assert (eager["mode"], batched["mode"]) == ("eager", "vmap")
    assert batched["floor"] < eager["floor"]


def test_the_oracle_beside_numpy() -> None:
    for one in answer("oracle.py", "--elements", "300000"):
        assert one["one by one"] == "equal"
        assert one["ratio"] > 0
        assert one["mean"] == pytest.approx(2, rel=0.1)  # of the squared difference of two normal numbers
