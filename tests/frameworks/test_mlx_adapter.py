from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import probe_checks
import pytest
from adapter_checks import EXPECTED, FURTHER, evaluate, faults, inputs, losses, subject

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

if TYPE_CHECKING:
    from conformance.frameworks.mlx.adapter import MlxFramework

MODES = ["eager", "compile"]


@pytest.fixture(scope="module")
def mx() -> Any:
    return pytest.importorskip("mlx.core", reason="MLX is not installed: pip install 'mse-conformance[mlx]'")


@pytest.fixture(scope="module")
def framework(mx: Any) -> MlxFramework:
    adapter: MlxFramework = importlib.import_module("conformance.frameworks.mlx.adapter").MlxFramework()
    return adapter


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_implementation(framework: MlxFramework, mode: str, dtype: str) -> None:
    for implementation in losses(framework):
        if dtype not in implementation.dtypes:
            continue
        evaluation = evaluate(framework, implementation, mode, dtype)
        assert faults(evaluation, implementation.operation, mode) == [], implementation.name
        assert evaluation.executed_as.dtype == (
            "float32" if implementation.name == "written-out.by-batch" else dtype
        )  # which sums in float32


def test_every_operation_has_an_entry_point(framework: MlxFramework) -> None:
    assert {one.operation for one in losses(framework)} == EXPECTED.keys() | FURTHER.keys()


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("mode", MODES)
def test_every_question_to_every_implementation(framework: MlxFramework, mode: str, dtype: str) -> None:
    for implementation in losses(framework):
        if implementation.operation in EXPECTED and dtype in implementation.dtypes:
            assert probe_checks.faults(framework, implementation, mode, dtype) == ([], {}), implementation.name


@pytest.mark.parametrize("mode", MODES)
def test_every_stream_gives_the_value_of_the_whole(framework: MlxFramework, mode: str) -> None:
    streams = [implementation for implementation in framework.implementations() if implementation.stream is not None]
    assert {implementation.operation for implementation in streams} == {"mse/mean", "mse/sum"}
    for implementation in streams:
        probe = framework.probe(implementation, "cpu", mode, "float32")
        for lengths in ([2], [1, 1], [0, 2]):
            assert probe.accumulate(inputs("mse/mean", "float32"), lengths) == EXPECTED[implementation.operation][0]


def test_what_is_compiled_and_runs_op_by_op_is_not_attested(framework: MlxFramework, mx: Any) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", "compile", "float32")
    probe = framework.probe(framework.implementations()[0], "cpu", "compile", "float32")
    given = inputs("mse/mean", "float32")
    mx.disable_compile()
    try:
        with pytest.raises(ExecutionMismatch, match="eager"):
            run(given)
        with pytest.raises(ExecutionMismatch, match="eager"):
            probe.call(given.prediction, given.target)
    finally:
        mx.enable_compile()


def test_a_second_size_is_compiled_again(framework: MlxFramework) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", "compile", "float32")
    for size in (4, 8, 4):
        ones = np.ones(size, np.float32)
        evaluation = run(Inputs(3 * ones, ones, None, np.ones((), np.float32)))
        assert evaluation.executed_as.mode == "compile"
        assert evaluation.value == 4


@pytest.mark.parametrize("mode", MODES)
def test_missing_gradients_have_a_reason(framework: MlxFramework, mx: Any, mode: str) -> None:
    misshapen = evaluate(framework, subject(lambda p, t: (p - t) ** 2), mode, "float32")
    assert misshapen.gradients == {}
    assert "shape" in misshapen.no_gradient
    counted = evaluate(framework, subject(lambda p, t: ((p - t) ** 2).sum().astype(mx.int32)), mode, "float32")
    assert "int32" in counted.no_gradient


def test_what_is_not_an_array_is_an_error(framework: MlxFramework) -> None:
    with pytest.raises(TypeError, match="float"):
        evaluate(framework, subject(lambda *_: 2.25), "eager", "float32")


def test_a_narrower_result_is_reported_as_it_is(framework: MlxFramework, mx: Any) -> None:
    evaluation = evaluate(framework, subject(lambda p, t: ((p - t) ** 2).astype(mx.float32).mean()), "eager", "float64")
    assert evaluation.executed_as.dtype == "float32"
    assert evaluation.gradients["gradient/target"].dtype == np.float64


def test_an_argument_that_is_written_to_is_named(framework: MlxFramework) -> None:
    def loss(prediction: Any, target: Any) -> Any:
        value = ((prediction - target) ** 2).mean()
        target[...] = prediction
        return value

    assert evaluate(framework, subject(loss), "eager", "float32").changed == ("target",)


def test_a_negative_stride_and_an_unknown_device_are_unsupported(framework: MlxFramework) -> None:
    ones = np.ones(4, np.float32)
    run = framework.prepare(framework.implementations()[0], "cpu", "eager", "float32")
    with pytest.raises(Unsupported, match="negative strides"):
        run(Inputs(ones[::-1], ones, None, np.ones((), np.float32)))
    with pytest.raises(Unsupported, match="no device 'tpu'"):
        framework.prepare(framework.implementations()[0], "tpu", "eager", "float32")


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_cpu_keeps_subnormals_as_it_declares(framework: MlxFramework, dtype: str) -> None:
    exponent = {"float16": -9, "bfloat16": -65, "float32": -65, "float64": -530}[dtype]
    small = np.full(8, 2.0**exponent, FORMATS[dtype].dtype)
    run = framework.prepare(subject(lambda p, t: (p - t) ** 2, "mse/none"), "cpu", "eager", dtype)
    assert (run(Inputs(small, np.zeros_like(small), None, np.ones_like(small))).value > 0).all()
    assert framework.devices()[0].flushes_subnormals == frozenset()


def test_the_environment_names_the_kernels(framework: MlxFramework) -> None:
    environment = framework.environment()
    assert environment.framework == "mlx"
    assert {"numpy", "ml_dtypes"} < environment.packages.keys()
