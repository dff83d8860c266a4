from __future__ import annotations

import warnings

import numpy as np
import pytest
from adapter_checks import EXPECTED, FURTHER, evaluate, faults, inputs, subject

from conformance.frameworks.base import Implementation, Unsupported
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.numpy.implementations import IMPLEMENTATIONS
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda one: one.name)
def test_values_are_those_computed_by_hand(implementation: Implementation, dtype: str) -> None:
    evaluation = evaluate(NumpyFramework(), implementation, "eager", dtype)
    assert faults(evaluation, implementation.operation, "eager", gradients=False) == []
    in_double = "np.float64" in implementation.entry or "count_nonzero" in implementation.entry  # said, or by an int64
    assert evaluation.executed_as.dtype == ("float64" if in_double else dtype)
    assert "automatic differentiation" in evaluation.no_gradient


def test_a_gradient_that_comes_with_the_implementation_is_used() -> None:
    def gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
        one = upstream * 2 * (prediction - target) / prediction.size
        return one, -one

    implementation = Implementation("mine", "", "mse/mean", lambda p, t: np.mean((p - t) ** 2), ("eager",), ("float32",), gradient)
    assert faults(evaluate(NumpyFramework(), implementation, "eager", "float32"), "mse/mean", "eager") == []


def test_weights_follow_the_target() -> None:
    implementation = subject(lambda p, t, w: np.sum(w * (p - t) ** 2))
    given = inputs("mse/mean", "float64")
    weighted = Inputs(given.prediction, given.target, 2 * np.ones((2, 4)), given.upstream)
    assert NumpyFramework().prepare(implementation, "cpu", "eager", "float64")(weighted).value == 36


def test_an_implementation_cannot_reach_the_inputs() -> None:
    def greedy(prediction: Array, target: Array) -> Array:
        prediction -= target
        return np.asarray(np.mean(prediction**2))

    given = inputs("mse/mean", "float32")
    NumpyFramework().prepare(subject(greedy), "cpu", "eager", "float32")(given)
    assert np.array_equal(given.prediction, inputs("mse/mean", "float32").prediction)


def test_overflow_and_empty_means_are_results_not_warnings() -> None:
    mean = IMPLEMENTATIONS[0]
    empty = np.zeros((0,), np.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation = NumpyFramework().prepare(mean, "cpu", "eager", "float16")(Inputs(empty, empty, None, np.ones((), np.float16)))
    assert np.isnan(evaluation.value)


def test_a_python_float_is_float64_and_said_so() -> None:
    evaluation = evaluate(NumpyFramework(), subject(lambda p, t: float(np.mean((p - t) ** 2))), "eager", "float32")
    assert evaluation.executed_as.dtype == "float64"


@pytest.mark.parametrize(("device", "mode", "dtype"), [("cuda:0", "eager", "float32"), ("cpu", "jit", "float32"), ("cpu", "eager", "int8")])
def test_what_numpy_lacks_is_unsupported(device: str, mode: str, dtype: str) -> None:
    with pytest.raises(Unsupported):
        NumpyFramework().prepare(IMPLEMENTATIONS[0], device, mode, dtype)


def test_environment_and_devices() -> None:
    environment = NumpyFramework().environment()
    assert environment.version == np.__version__
    assert "ml_dtypes" in environment.packages
    assert [device.name for device in NumpyFramework().devices()] == ["cpu"]
    assert {one.operation for one in IMPLEMENTATIONS} == EXPECTED.keys() | FURTHER.keys()
