"""What the adapters do about interfaces that old versions lack, shown on stand-ins: the versions themselves are in the matrix."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.frameworks.base import Unsupported
from conformance.frameworks.keras import implementations as entries


class OldLoss:
    """As the class was before Keras 3.4: no dtype, but the floatx of the moment it is made."""

    floatx = "float32"

    def __init__(self, reduction: str | None = "sum_over_batch_size") -> None:
        self.reduction = reduction
        self.dtype = OldLoss.floatx


class NewLoss:
    def __init__(self, reduction: str | None = "sum_over_batch_size", dtype: str | None = None) -> None:
        self.reduction = reduction
        self.dtype = dtype or "float32"


def keras_with(loss: type[Any]) -> Any:
    config = SimpleNamespace(floatx=lambda: OldLoss.floatx, set_floatx=lambda name: setattr(OldLoss, "floatx", name))
    return SimpleNamespace(losses=SimpleNamespace(MeanSquaredError=loss), config=config)


@pytest.mark.parametrize("loss", [OldLoss, NewLoss])
def test_a_loss_has_the_dtype_it_is_tested_in_whatever_the_version_calls_it(loss: type[Any]) -> None:
    made = entries._of_dtype(keras_with(loss), "float16", reduction="sum")
    assert (made.dtype, made.reduction) == ("float16", "sum")
    assert OldLoss.floatx == "float32", "floatx is the user's again"


def test_floatx_is_put_back_where_the_loss_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        entries._of_dtype(keras_with(OldLoss), "float16", no_such_argument=1)
    assert OldLoss.floatx == "float32"


def test_the_entry_point_is_written_as_the_version_understands_it() -> None:
    old, new = (entries._said(keras_with(loss), "keras")("reduction=None", "target, prediction") for loss in (OldLoss, NewLoss))
    assert new == "keras.losses.MeanSquaredError(reduction=None, dtype=dtype)(target, prediction)"
    assert old == "(keras.config.set_floatx(dtype), keras.losses.MeanSquaredError(reduction=None)(target, prediction))[1]"


def test_bfloat16_crosses_to_tensorflow_and_back_with_its_bits() -> None:
    pytest.importorskip("tensorflow")
    import ml_dtypes
    import numpy as np

    from conformance.frameworks.tensorflow.tensors import constant, host

    array = np.array([[1.5, -0.0], [np.inf, 2**-130]], ml_dtypes.bfloat16)
    back = host(constant(array))
    assert back.dtype == ml_dtypes.bfloat16
    assert back.tobytes() == array.tobytes()


WITHOUT_ML_DTYPES = """
import sys
sys.modules["ml_dtypes"] = None
import numpy as np
from conformance.numerics.formats import BFLOAT16, name_of
del sys.modules["ml_dtypes"]  # later TensorFlow imports it
bits = np.array([0x3FC0, 0x8000, 0xFF80], np.uint16)
array = bits.view(BFLOAT16)
assert name_of(array) == "bfloat16", name_of(array)
"""
"""1.5, −0 and −∞ in bfloat16, of which only the bits are known."""


def python(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_ML_DTYPES + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_ml_dtypes_numpy_has_three_dtypes() -> None:
    python(
        "from conformance.frameworks.numpy.adapter import NumpyFramework\n"
        "assert {i.dtypes for i in NumpyFramework().implementations()} == {('float16', 'float32', 'float64')}\n"
    )


@pytest.mark.parametrize(
    ("name", "made", "back"),
    [
        ("torch", "to_tensor(array, 'cpu')", "to_array"),
        ("tensorflow", "constant(array)", "host"),
        ("paddle", "to_tensor(array)", "to_array"),
        ("mlx", "to_mlx(array)", "to_array"),
    ],
)
def test_without_ml_dtypes_bfloat16_crosses_with_its_bits(name: str, made: str, back: str) -> None:
    pytest.importorskip(f"{name}.core" if name == "mlx" else name)
    python(
        f"from conformance.frameworks.{name}.tensors import *\n"
        f"tensor = {made}\n"
        "assert 'bfloat16' in str(tensor.dtype)\n"
        f"assert {back}(tensor).tobytes() == bits.tobytes() and name_of({back}(tensor)) == 'bfloat16'\n"
    )


def test_what_a_pytorch_has_no_part_for_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from conformance.frameworks.torch import probe

    probe._require("func")
    monkeypatch.delattr(torch, "func")
    with pytest.raises(Unsupported, match=r"^PyTorch .* has no torch\.func$"):
        probe._require("func")


def test_what_pytorch_has_no_kernel_for_is_unsupported_and_other_errors_are_not() -> None:
    pytest.importorskip("torch")
    from conformance.frameworks.torch.tensors import refusing_what_lacks_a_kernel

    @refusing_what_lacks_a_kernel()
    def train(words: str) -> None:
        raise RuntimeError(words)

    with pytest.raises(Unsupported, match=r"^\"addmm_impl_cpu_\" not implemented for 'Half'$"):
        train("\"addmm_impl_cpu_\" not implemented for 'Half'\nand more")
    with pytest.raises(RuntimeError, match="sizes do not match"):
        train("sizes do not match")
