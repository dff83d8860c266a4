from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODES = {"tensorflow": {"eager", "graph", "xla", "vmap"}, "torch": {"eager", "compile", "vmap"}, "jax": {"eager", "jit", "vmap"}}


@pytest.mark.parametrize("backend", MODES)
def test_every_implementation_on_its_backend(backend: str) -> None:
    for module in ("keras", backend):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'mse-conformance[keras,{backend}]'")
    here = Path(__file__).parent
    other = {"KERAS_BACKEND": "jax" if backend == "torch" else "torch"}  # the adapter chooses, not the environment
    environment = {**os.environ, **other, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    command = [sys.executable, str(here / "keras_backend.py"), backend]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["flags"]["KERAS_BACKEND"] == backend
    assert backend in found["packages"]
    rows = found["rows"]
    assert {row["mode"] for row in rows} == MODES[backend]
    assert len({row["name"] for row in rows}) == 14
    for row in rows:
        assert row.get("faults", []) == [], row
    default = {row["attested"] for row in rows if row["name"] in {"MeanSquaredError", "metrics.MeanSquaredError"} and "attested" in row}
    assert default == {"float32"}  # constructed without a dtype, the classes cast to floatx
