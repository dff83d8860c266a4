from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapter_checks import evaluate, faults, inputs

from conformance.frameworks.base import Implementation, Refused, Unsupported

if TYPE_CHECKING:
    from conformance.frameworks.sklearn.adapter import SklearnFramework


@pytest.fixture(scope="module")
def framework() -> SklearnFramework:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'mse-conformance[sklearn]'")
    adapter: SklearnFramework = importlib.import_module("conformance.frameworks.sklearn.adapter").SklearnFramework()
    return adapter


def named(framework: SklearnFramework, name: str) -> Implementation:
    return next(one for one in framework.implementations() if one.name == name)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_are_those_computed_by_hand(framework: SklearnFramework, dtype: str) -> None:
    for implementation in framework.implementations():
        evaluation = evaluate(framework, implementation, "eager", dtype)
        assert faults(evaluation, implementation.operation, "eager", gradients=False) == [], implementation.name
        assert evaluation.executed_as.dtype == (dtype if "raw_values" in implementation.entry else "float64"), implementation.name


def test_bfloat16_is_unsupported(framework: SklearnFramework) -> None:
    with pytest.raises(Unsupported, match="bfloat16"):
        framework.prepare(framework.implementations()[0], "cpu", "eager", "bfloat16")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_documented_as_not_taken_is_refused(framework: SklearnFramework, value: float) -> None:
    given = inputs("mse/mean", "float64")
    run = framework.prepare(named(framework, "mean_squared_error"), "cpu", "eager", "float64")
    with pytest.raises(Refused, match="ValueError: Input contains"):
        run(replace(given, prediction=np.full_like(given.prediction, value)))
    with pytest.raises(Refused, match="Found array with 0"):
        run(replace(given, prediction=given.prediction[:0], target=given.target[:0]))


@pytest.mark.parametrize(("weight", "said"), [([0.0, 0.0], "non-zero"), ([1.0, -1.0], "ZeroDivisionError")])
def test_weights_that_cannot_divide_are_refused(framework: SklearnFramework, weight: list[float], said: str) -> None:
    run = framework.prepare(named(framework, "mean_squared_error.sample-weighted-mean"), "cpu", "eager", "float64")
    with pytest.raises(Refused, match=said):
        run(replace(inputs("mse/sample-weighted-mean", "float64"), weight=np.array(weight)))


def test_another_error_is_no_refusal(framework: SklearnFramework) -> None:
    def call(values: Any) -> Any:
        return named(framework, "mean_squared_error").call(values, values[:-1])

    with pytest.raises(ValueError, match="inconsistent"):
        call(np.ones(3))


def test_environment(framework: SklearnFramework) -> None:
    environment = framework.environment()
    assert environment.version == importlib.import_module("sklearn").__version__
    assert environment.packages["numpy"] == np.__version__
