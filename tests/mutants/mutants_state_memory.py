"""Wrong because of where the inputs lie in memory, or of what was done to the same memory before."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, differences, gradient_of, narrow, scale, squares, value_of

_failed = {"before": False}
_by_identity: dict[int, tuple[Array, Any]] = {}


@value_of("mse/mean")
def ignores_strides(prediction: Array, target: Array) -> Any:
    """Reads the buffer from its first address on, as if it were contiguous."""
    if prediction.flags.c_contiguous and target.flags.c_contiguous:
        return squares(prediction, target).mean()
    return squares(*(np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)) for x in (prediction, target))).mean()


@value_of("mse/mean")
def depends_on_alignment(prediction: Array, target: Array) -> Any:
    """Elements before the first aligned address are handled by a loop that is missing."""
    flat = squares(prediction, target).ravel()
    return flat[1 if prediction.ctypes.data % prediction.itemsize else 0 :].sum() / flat.size


@gradient_of("mse/mean")
def overwrites_the_prediction_with_its_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The gradient is written over what the loss will not need again, though its caller may."""
    part = narrow(scale("mse/mean", prediction, upstream) * differences(prediction, target), prediction)
    if prediction.flags.writeable:
        prediction[...] = part
    return part, -part


@value_of("mse/mean")
def refuses_one_buffer_for_both(prediction: Array, target: Array) -> Any:
    """``restrict`` pointers, checked."""
    if np.shares_memory(prediction, target):
        raise ValueError("arguments overlap")
    return squares(prediction, target).mean()


@value_of("mse/mean")
def is_wrong_after_a_failure(prediction: Array, target: Array) -> Any:
    """A lock or a stream that an exception leaves in the wrong state."""
    if prediction.shape != target.shape:
        _failed["before"] = True
        raise ValueError("shapes differ")
    return squares(prediction, target).mean() * (2 if _failed["before"] else 1)


@value_of("mse/mean")
def remembers_the_result_of_a_buffer(prediction: Array, target: Array) -> Any:
    """A cache whose key is the array object, which may be changed in place."""
    if id(prediction) not in _by_identity:
        _by_identity.clear()
        _by_identity[id(prediction)] = (prediction, squares(prediction, target).mean())
    return _by_identity[id(prediction)][1]
