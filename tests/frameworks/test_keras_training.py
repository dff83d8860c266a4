from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np, keras

def loss(y_true, y_pred, sample_weight):
    return keras.ops.mean(sample_weight * keras.ops.mean(keras.ops.square(y_pred - y_true), axis=-1))

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
model.compile(optimizer="sgd", loss=loss, run_eagerly=True)
ones = np.ones((4, 2), "float32")
try:
    model.fit(ones, ones, sample_weight=np.ones(4, "float32"), verbose=0)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_loss_of_ones_own_is_not_given_the_weights_of_samples() -> None:
    """Keras calls a loss with two arguments, and multiplies what it returns by the weights itself."""
    backend = next((name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)), None)
    if backend is None or importlib.util.find_spec("keras") is None:
        pytest.skip("Keras or a backend of it is not installed: pip install 'mse-conformance[keras,torch]'")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ran.stdout.strip() == "TypeError loss() missing 1 required positional argument: 'sample_weight'", ran.stderr
