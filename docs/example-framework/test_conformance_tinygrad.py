"""Run in this folder with pytest: the adapter against numbers computed by hand, exact in every dtype."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

pytest.importorskip("tinygrad", reason="tinygrad is not installed: pip install docs/example-framework")

from conformance_tinygrad import DTYPES, TinygradFramework

from conformance.numerics.definition import Inputs

FRAMEWORK = TinygradFramework()


@pytest.mark.parametrize("dtype", DTYPES)
def test_mean_and_its_gradients(dtype: str) -> None:
    if not FRAMEWORK.devices():
        pytest.skip("tinygrad finds no device: set DEV=PYTHON")
    numpy_dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    given = Inputs(np.array([1.0, 3.0], numpy_dtype), np.array([0.0, 1.0], numpy_dtype), None, np.array(2.0, numpy_dtype))
    evaluation = FRAMEWORK.prepare(FRAMEWORK.implementations()[0], "cpu", "eager", dtype)(given)
    assert evaluation.value == 2.5  # (1 + 4) / 2
    assert evaluation.executed_as.dtype == dtype
    assert evaluation.gradients["gradient/prediction"].tolist() == [2.0, 4.0]  # 2 · 2 · difference / 2
    assert evaluation.gradients["gradient/target"].tolist() == [-2.0, -4.0]
