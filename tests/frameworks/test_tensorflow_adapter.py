from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapter_checks import EXPECTED, FURTHER, evaluate, faults, inputs, losses, subject

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

if TYPE_CHECKING:
    from conformance.frameworks.tensorflow.adapter import TensorflowFramework

MODES = ["eager", "graph", "xla"]


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'mse-conformance[tensorflow]'")


@pytest.fixture(scope="module")
def framework(tf: Any) -> TensorflowFramework:
    adapter: TensorflowFramework = importlib.import_module("conformance.frameworks.tensorflow.adapter").TensorflowFramework()
    return adapter


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_implementation(framework: TensorflowFramework, mode: str, dtype: str) -> None:
    listed = losses(framework)
    keras_3 = any(one.name == "MeanSquaredError.dtype" for one in listed)
    for implementation in listed:
        if mode not in implementation.modes:
            continue
        metric = implementation.name.startswith("metrics.")
        evaluation = evaluate(framework, implementation, mode, dtype)
        assert faults(evaluation, implementation.operation, mode, gradients=not metric) == [], implementation.name
        casts = metric or implementation.name.startswith("v1.") or (keras_3 and implementation.name == "MeanSquaredError")
        sums = implementation.name == "written-out.by-batch"  # in float64
        assert evaluation.executed_as.dtype == ("float32" if casts else "float64" if sums else dtype), implementation.name


def test_every_operation_has_an_entry_point(framework: TensorflowFramework) -> None:
    assert {one.operation for one in losses(framework)} == EXPECTED.keys() | FURTHER.keys()


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_a_function_that_runs_eagerly_is_not_attested(framework: TensorflowFramework, tf: Any, mode: str) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", mode, "float32")
    tf.config.run_functions_eagerly(run_eagerly=True)
    try:
        with pytest.raises(ExecutionMismatch, match="eager"):
            run(inputs("mse/mean", "float32"))
    finally:
        tf.config.run_functions_eagerly(run_eagerly=False)


def test_xla_that_was_not_compiled_is_not_attested(framework: TensorflowFramework, tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tf.function
    monkeypatch.setattr(tf, "function", lambda body, **options: real(body, **{**options, "jit_compile": False}))
    with pytest.raises(ExecutionMismatch, match="graph"):
        evaluate(framework, framework.implementations()[0], "xla", "float32")


def test_one_trace_serves_every_size_of_a_rank(framework: TensorflowFramework, tf: Any) -> None:
    traces = []

    def loss(prediction: Any, target: Any) -> Any:
        traces.append(prediction.shape)
        return tf.reduce_mean(tf.square(prediction - target))

    run = framework.prepare(subject(loss, modes=MODES), "cpu", "graph", "float32")
    for size in (3, 5, 7):
        ones = np.ones(size, np.float32)
        assert run(Inputs(3 * ones, ones, None, np.ones((), np.float32))).value == 4
    assert len(traces) == 1


@pytest.mark.parametrize("mode", MODES)
def test_weight_gets_a_gradient(framework: TensorflowFramework, tf: Any, mode: str) -> None:
    def loss(prediction: Any, target: Any, weight: Any) -> Any:
        return tf.reduce_sum(weight * tf.square(prediction - target))

    given = inputs("mse/mean", "float32")
    weighted = Inputs(given.prediction, given.target, np.ones((2, 4), np.float32), given.upstream)
    evaluation = framework.prepare(subject(loss), "cpu", mode, "float32")(weighted)
    assert np.array_equal(evaluation.gradients["gradient/weight"], 0.5 * np.array(EXPECTED["mse/none"][0]))


@pytest.mark.parametrize("mode", MODES)
def test_missing_gradients_have_a_reason(framework: TensorflowFramework, tf: Any, mode: str) -> None:
    def stopped(prediction: Any, target: Any) -> Any:
        return tf.reduce_mean(tf.square(prediction - tf.stop_gradient(target)))

    def unreduced(prediction: Any, target: Any) -> Any:
        return tf.square(prediction - target)

    evaluation = evaluate(framework, subject(stopped), mode, "float32")
    assert set(evaluation.gradients) == {"gradient/prediction"}
    assert "gradient/target" in evaluation.no_gradient
    assert "shape" in evaluate(framework, subject(unreduced), mode, "float32").no_gradient


def test_what_tensorflow_lacks_is_unsupported(framework: TensorflowFramework, tf: Any) -> None:
    def no_kernel(prediction: Any, target: Any) -> Any:
        return tf.raw_ops.Cholesky(input=prediction - target)

    with pytest.raises(Unsupported, match="bfloat16"):
        evaluate(framework, subject(no_kernel, "mse/none"), "eager", "bfloat16")
    with pytest.raises(Unsupported, match="gpu:99"):
        evaluate(framework, subject(no_kernel), "eager", "float32", device="gpu:99")


def test_what_is_not_a_tensor_is_an_error(framework: TensorflowFramework) -> None:
    with pytest.raises(TypeError, match="float"):
        evaluate(framework, subject(lambda *_: 2.25), "eager", "float32")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", FORMATS)
def test_cpu_flushes_exactly_what_it_declares(framework: TensorflowFramework, mode: str, dtype: str) -> None:
    exponent = {"float16": -9, "bfloat16": -65, "float32": -65, "float64": -530}[dtype]
    small = np.full(8, 2.0**exponent, FORMATS[dtype].dtype)
    (unreduced,) = (one for one in framework.implementations() if one.name == "written-out.none")
    evaluation = framework.prepare(unreduced, "cpu", mode, dtype)(Inputs(small, np.zeros_like(small), None, np.ones_like(small)))
    flushed = bool((evaluation.value == 0).all())
    assert flushed == (dtype in framework.devices()[0].flushes_subnormals)
    assert np.count_nonzero(evaluation.gradients["gradient/prediction"]) == small.size  # 2 * small is normal


def test_float16_mean_overflows_in_eager_and_not_under_xla(framework: TensorflowFramework) -> None:
    mean = framework.implementations()[0]
    given = Inputs(np.full(4, 200, np.float16), np.zeros(4, np.float16), None, np.ones((), np.float16))
    assert framework.prepare(mean, "cpu", "xla", "float16")(given).value == 40000
    assert framework.prepare(mean, "cpu", "eager", "float16")(given).value in (np.inf, 40000)  # a later version may repair it
