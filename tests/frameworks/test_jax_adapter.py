from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapter_checks import EXPECTED, evaluate, faults, inputs, losses, subject

from conformance.frameworks.base import ExecutionMismatch
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

if TYPE_CHECKING:
    from conformance.frameworks.jax.adapter import JaxFramework


@pytest.fixture(scope="module")
def jax() -> Any:
    return pytest.importorskip("jax", reason="JAX is not installed: pip install 'mse-conformance[jax]'")


@pytest.fixture(scope="module")
def framework(jax: Any) -> JaxFramework:
    adapter: JaxFramework = importlib.import_module("conformance.frameworks.jax.adapter").JaxFramework()
    return adapter


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("mode", ["eager", "jit"])
def test_every_implementation(framework: JaxFramework, mode: str, dtype: str) -> None:
    for implementation in losses(framework):
        evaluation = evaluate(framework, implementation, mode, dtype)
        assert faults(evaluation, implementation.operation, mode) == [], implementation.name
        assert evaluation.executed_as.dtype == (
            "float64" if implementation.name == "written-out.by-batch" else dtype
        )  # which sums in float64


def test_optax_is_there_or_said_to_be_missing(framework: JaxFramework) -> None:
    listed = any(one.name.startswith("optax") for one in framework.implementations())
    assert listed == (framework.environment().flags["optax"] == "installed") == ("optax" in framework.environment().packages)


def test_jit_that_runs_op_by_op_is_not_attested(framework: JaxFramework, jax: Any) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", "jit", "float32")
    with jax.disable_jit(), pytest.raises(ExecutionMismatch, match="eager"):
        run(inputs("mse/mean", "float32"))


def test_a_second_size_is_compiled_again(framework: JaxFramework) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", "jit", "float32")
    for size in (4, 8, 4):
        ones = np.ones(size, np.float32)
        evaluation = run(Inputs(3 * ones, ones, None, np.ones((), np.float32)))
        assert evaluation.executed_as.mode == "jit"
        assert evaluation.value == 4


def test_weight_gets_a_gradient(framework: JaxFramework) -> None:
    given = inputs("mse/mean", "float32")
    weighted = Inputs(given.prediction, given.target, np.ones((2, 4), np.float32), given.upstream)
    evaluation = framework.prepare(subject(lambda p, t, w: (w * (p - t) ** 2).sum()), "cpu", "eager", "float32")(weighted)
    assert np.array_equal(evaluation.gradients["gradient/weight"], 0.5 * np.array(EXPECTED["mse/none"][0]))


def test_a_narrower_result_is_reported_as_it_is(framework: JaxFramework) -> None:
    evaluation = evaluate(framework, subject(lambda p, t: ((p - t) ** 2).astype("float32").mean()), "eager", "float64")
    assert evaluation.executed_as.dtype == "float32"
    assert evaluation.gradients["gradient/target"].dtype == np.float64


@pytest.mark.parametrize("mode", ["eager", "jit"])
def test_missing_gradients_have_a_reason(framework: JaxFramework, mode: str) -> None:
    misshapen = evaluate(framework, subject(lambda p, t: (p - t) ** 2), mode, "float32")
    assert misshapen.gradients == {}
    assert "shape" in misshapen.no_gradient
    counted = evaluate(framework, subject(lambda p, t: ((p - t) ** 2).sum().astype("int32")), mode, "float32")
    assert "int32" in counted.no_gradient


def test_what_is_not_an_array_is_an_error(framework: JaxFramework) -> None:
    with pytest.raises(TypeError, match="float"):
        evaluate(framework, subject(lambda *_: 2.25), "eager", "float32")


@pytest.mark.parametrize("mode", ["eager", "jit"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_cpu_flushes_exactly_what_it_declares(framework: JaxFramework, mode: str, dtype: str) -> None:
    small, zero = subnormal_square(dtype)
    run = framework.prepare(subject(lambda p, t: (p - t) ** 2, "mse/none"), "cpu", mode, dtype)
    flushed = bool((run(Inputs(small, zero, None, np.ones_like(small))).value == 0).all())
    assert flushed == (dtype in framework.devices()[0].flushes_subnormals)


def subnormal_square(dtype: str) -> tuple[Any, Any]:
    """Normal numbers whose square is subnormal, and zeros."""
    exponent = {"float16": -9, "bfloat16": -65, "float32": -65, "float64": -530}[dtype]
    small = np.full(8, 2.0**exponent, FORMATS[dtype].dtype)
    return small, np.zeros_like(small)


FALLBACK = """
import jax, numpy as np
from adapter_checks import evaluate, subject
from conformance.frameworks.jax.adapter import JaxFramework
jax_framework = JaxFramework()
assert [device.name for device in jax_framework.devices()] == ["cpu", "cpu:1"]
honest = evaluate(jax_framework, subject(lambda p, t: ((p - t) ** 2).mean()), "jit", "float32", "cpu:1")
assert honest.executed_as.device == "cpu:1", honest
elsewhere = lambda p, t: jax.device_put(((p - t) ** 2).mean(), jax.devices()[0])
try:
    print(evaluate(jax_framework, subject(elsewhere), "eager", "float32", "cpu:1").executed_as.device)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.usefixtures("jax")
def test_a_fallback_to_another_device_shows() -> None:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1])])
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": path}
    ran = subprocess.run([sys.executable, "-c", FALLBACK], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in {"cpu", "ExecutionMismatch"}
