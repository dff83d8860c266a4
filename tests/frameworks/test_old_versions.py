"""What the adapters do about interfaces that old versions lack, shown on stand-ins: the versions themselves are in the matrix."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

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
