from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest
from adapter_checks import evaluate, faults

if TYPE_CHECKING:
    from conformance.frameworks.torchmetrics.adapter import TorchmetricsFramework


@pytest.fixture(scope="module")
def framework() -> TorchmetricsFramework:
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: pip install 'mse-conformance[torchmetrics,torch]'")
    adapter: TorchmetricsFramework = importlib.import_module("conformance.frameworks.torchmetrics.adapter").TorchmetricsFramework()
    return adapter


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_implementation(framework: TorchmetricsFramework, dtype: str) -> None:
    for implementation in framework.implementations():
        evaluation = evaluate(framework, implementation, "eager", dtype)
        assert faults(evaluation, implementation.operation, "eager") == [], implementation.name
        state = implementation.name.startswith("MeanSquaredError")  # which is float32
        assert evaluation.executed_as.dtype == ("float32" if state else dtype), implementation.name


def test_a_call_leaves_no_state_behind(framework: TorchmetricsFramework) -> None:
    (metric,) = (one for one in framework.implementations() if one.name == "MeanSquaredError")
    first, second = (evaluate(framework, metric, "eager", "float32").value for _ in range(2))
    assert first == second


def test_environment(framework: TorchmetricsFramework) -> None:
    environment = framework.environment()
    assert environment.version == importlib.import_module("torchmetrics").__version__
    assert environment.packages["torch"] == importlib.import_module("torch").__version__
