from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapter_checks import faults, inputs, losses

from conformance.frameworks.base import Unsupported
from conformance.frameworks.registry import KNOWN

if TYPE_CHECKING:
    from conformance.frameworks.cupy.adapter import CupyFramework


@pytest.fixture(scope="module")
def cupy() -> Any:
    return pytest.importorskip("cupy", reason="CuPy is not installed: pip install 'mse-conformance[cupy]'")


@pytest.fixture(scope="module")
def framework(cupy: Any) -> CupyFramework:
    adapter: CupyFramework = importlib.import_module("conformance.frameworks.cupy.adapter").CupyFramework()
    return adapter


def test_without_a_gpu_every_cell_is_not_run_with_one_reason(tmp_path: Path) -> None:
    """Whether or not CuPy is installed: the run ends as one in which nothing ran, and says why."""
    if not KNOWN["cupy"].why_missing() and importlib.import_module("cupy").cuda.is_available():
        pytest.skip("this machine has a GPU that CuPy sees")
    command = [sys.executable, "-m", "conformance", "run", "--framework", "cupy", "--operation", "mse/mean", "-o", str(tmp_path)]
    ran = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 3, ran.stderr
    cells = [json.loads(line) for line in (tmp_path / "results" / "cupy.jsonl").read_text().splitlines()]
    found = {(cell["outcome"], cell["reason"]) for cell in cells if cell["record"] == "cell"}
    assert len(found) == 1
    ((outcome, reason),) = found
    assert outcome == "not-run"
    assert reason in {KNOWN["cupy"].why_missing(), "cupy sees no such device on this machine"} - {""}


def test_it_is_imported_and_described_without_a_gpu(framework: CupyFramework, cupy: Any) -> None:
    assert framework.environment().version == cupy.__version__
    assert len(framework.implementations()) > 10
    if not cupy.cuda.is_available():
        assert framework.devices() == ()
        with pytest.raises(Unsupported, match="no device 'cuda:0'"):
            framework.prepare(framework.implementations()[0], "cuda:0", "eager", "float32")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_are_those_computed_by_hand(framework: CupyFramework, cupy: Any, dtype: str) -> None:
    if not cupy.cuda.is_available():
        pytest.skip("CuPy sees no GPU")
    for implementation in losses(framework):
        run = framework.prepare(implementation, "cuda:0", "eager", dtype)
        evaluation = run(inputs(implementation.operation, dtype))
        wrong = [fault for fault in faults(evaluation, implementation.operation, "eager", gradients=False) if "attested" not in fault]
        assert wrong == [], implementation.name
        assert evaluation.executed_as.device == "cuda:0"
        assert isinstance(evaluation.value, np.ndarray)
