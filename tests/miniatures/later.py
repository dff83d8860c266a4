"""Wrong in ways that no check of today sees, each with what will see it. Not among the miniatures that are put to the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import ml_dtypes
import numpy as np
from parts import Array, differences, gradient_of, narrow, right_gradient, scale, squares, value_of, wide

import conformance

LATER: dict[str, str] = {}
"""Name of the miniature → the check that will kill it."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def needs(check: str) -> Callable[[_Function], _Function]:
    """Say what a miniature is waiting for."""

    def note(function: _Function) -> _Function:
        LATER[function.__name__.replace("_", "-")] = check
        return function

    return note


# ---- lengths, ranks and places that nothing generated has ----


@needs("bound: exact data of every length from 1 to 130")
@value_of("mse/mean")
def drops_an_element_where_one_remains_of_sixteen(prediction: Array, target: Array) -> Any:
    """The tail of a vector of 16 is masked from a table, and one mask in it is wrong."""
    flat = squares(prediction, target).ravel()
    return flat[: flat.size - 1 if flat.size % 16 == 1 and flat.size > 16 else flat.size].sum() / flat.size


@needs("bound: exact data of every length from 1 to 130")
@value_of("mse/mean")
def drops_an_element_where_three_remain_of_eight(prediction: Array, target: Array) -> Any:
    """The unrolled tail of a loop of width 8 has one case wrong; inputs shorter than 16 take another path."""
    flat = squares(prediction, target).ravel()
    return flat[: flat.size - 1 if flat.size % 8 == 3 and flat.size > 16 else flat.size].sum() / flat.size


@needs("bound: exact data of every length from 1 to 130")
@gradient_of("mse/mean")
def zeroes_a_gradient_where_three_remain_of_eight(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The same tail in the backward pass."""
    part = np.array(scale("mse/mean", prediction, upstream) * differences(prediction, target))
    if part.size % 8 == 3 and part.size > 16:
        part.reshape(-1)[-1] = 0
    return part, -part


@needs("case: 2^18 squares of 1/256 with the exact mean 1/256")
@value_of("mse/mean")
def takes_one_element_of_70000_twice(prediction: Array, target: Array) -> Any:
    """Two blocks of 65536 meet at one element, and both add it: less than the interval of a long float32 sum."""
    flat = squares(prediction, target).ravel()
    return (flat.sum() + (flat[65535:65536].sum() if prediction.dtype == np.float32 else 0)) / flat.size


@needs("case: none and its gradients at n = 2^20")
@value_of("mse/none")
def none_leaves_elements_beyond_131071(prediction: Array, target: Array) -> Any:
    """A grid of 65535 blocks of two."""
    result = squares(prediction, target)
    result.reshape(-1)[2 * 65535 :] = 0
    return result


@needs("case: the gradients of the mean at n = 2^20")
@gradient_of("mse/mean")
def gradient_beyond_524280_elements_is_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """A grid of 65535 blocks of eight."""
    part = np.array(scale("mse/mean", prediction, upstream) * differences(prediction, target))
    part.reshape(-1)[8 * 65535 :] = 0
    return part, -part


@needs("case: last-axis with 70000 rows")
@value_of("mse/last-axis")
def last_axis_stops_after_32_rows(prediction: Array, target: Array) -> Any:
    """One row for each lane of a warp, and no loop around it."""
    result = np.array(squares(prediction, target).mean(axis=-1))
    result.reshape(-1)[32:] = 0
    return result


@needs("case: rank 5")
@value_of("mse/mean")
def refuses_more_than_four_axes(prediction: Array, target: Array) -> Any:
    """A kernel's descriptor has room for four dimensions."""
    if prediction.ndim > 4:
        raise ValueError("at most four dimensions")
    return squares(prediction, target).mean()


@needs("case: one NaN at the end of 2^14 elements")
@value_of("mse/mean")
def loses_nan_in_long_inputs(prediction: Array, target: Array) -> Any:
    """The vectorised path compares with max, the short one does not."""
    terms = squares(prediction, target)
    return np.fmax(terms, 0).mean() if terms.size > 128 else terms.mean()


# ---- rounding ----


@needs("case: two exact squares whose sum rounds up, correctly rounded")
@value_of("mse/mean")
def truncates_additions(prediction: Array, target: Array) -> Any:
    """Additions round towards zero, as some accelerators' accumulators do: 2u each, and always in one direction."""
    wider = np.dtype(np.float64 if prediction.dtype == np.float64 else np.float32)
    terms = np.square(prediction - target).ravel().astype(wider)
    if terms.size > 4096:
        return squares(prediction, target).mean()
    total = wider.type(0)
    for term in terms:
        rounded = total + term
        larger, smaller = max(total, term), min(total, term)
        rounded_up = np.isfinite(rounded) and smaller < rounded - larger
        total = np.nextafter(rounded, wider.type(0)) if rounded_up else rounded
    return total / wider.type(terms.size) if terms.size else np.nan


@needs("case: exact squares whose mean rounds up to a half format, correctly rounded")
@value_of("mse/mean")
def truncates_to_bfloat16(prediction: Array, target: Array) -> Any:
    """A float32 becomes a bfloat16 by dropping its lower half, without rounding: the commonest conversion there is."""
    result = np.asarray(squares(prediction, target).mean(), dtype=np.float32)
    if prediction.dtype != ml_dtypes.bfloat16 or not np.isfinite(result):
        return squares(prediction, target).mean()
    return (result.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


# ---- the upstream gradient's range ----


@needs("case: upstream gradients of NaN and infinity")
@gradient_of("mse/mean")
def nan_upstream_becomes_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """``nan_to_num`` on what arrives from above."""
    return right_gradient("mse/mean")(prediction, target, np.where(np.isfinite(wide(upstream)), upstream, 0).astype(upstream.dtype))


@needs("case: an upstream gradient of 0 against an infinite difference")
@gradient_of("mse/mean")
def skips_the_backward_pass_of_a_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """A shortcut for a loss that nothing depends on: zeros, where 0·inf is NaN."""
    part = scale("mse/mean", prediction, upstream) * differences(prediction, target)
    part = np.where(wide(upstream) == 0, 0, part)
    return part, -part


@needs("bound: upstream gradients over the whole range of the format")
@gradient_of("mse/mean")
def small_upstream_gradients_become_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """Whatever is below 1e-5 counts as nothing to do."""
    return right_gradient("mse/mean")(prediction, target, np.where(np.abs(wide(upstream)) < 1e-5, 0, upstream).astype(upstream.dtype))


@needs("bound: upstream gradients over the whole range of the format")
@gradient_of("mse/mean")
def large_upstream_gradients_are_clamped(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The loss scale lives in float16 and saturates there: wrong from 65536 on, a common initial loss scale."""
    return right_gradient("mse/mean")(prediction, target, np.clip(wide(upstream), -65504, 65504).astype(upstream.dtype))


@needs("law: the target has a gradient, unless that is declared")
@gradient_of("mse/mean", cast=False)
def target_is_detached(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The target is taken out of the graph: no gradient, where zero would be wrong and an exception would be noticed."""
    return right_gradient("mse/mean")(prediction, target, upstream)[0], None


# ---- layouts and buffers ----


@needs("law: strided, transposed and reversed views give the same result")
@value_of("mse/mean")
def ignores_strides(prediction: Array, target: Array) -> Any:
    """Reads the buffer from its first address on, as if it were contiguous."""
    if prediction.flags.c_contiguous and target.flags.c_contiguous:
        return squares(prediction, target).mean()
    return squares(*(np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)) for x in (prediction, target))).mean()


@needs("law: unaligned buffers give the same result")
@value_of("mse/mean")
def depends_on_alignment(prediction: Array, target: Array) -> Any:
    """Elements before the first aligned address are handled by a loop that is missing."""
    flat = squares(prediction, target).ravel()
    return flat[1 if prediction.ctypes.data % prediction.itemsize else 0 :].sum() / flat.size


@needs("law: read-only buffers are accepted")
@value_of("mse/mean")
def needs_writable_inputs(prediction: Array, target: Array) -> Any:
    """A typed memory view without ``const`` refuses what may not be written."""
    if not (prediction.flags.writeable and target.flags.writeable):
        raise ValueError("buffer source array is read-only")
    return squares(prediction, target).mean()


@needs("law: inputs are unchanged after the gradient")
@gradient_of("mse/mean")
def overwrites_the_prediction_with_its_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The gradient is written over what the loss will not need again, though its caller may."""
    part = narrow(scale("mse/mean", prediction, upstream) * differences(prediction, target), prediction)
    if prediction.flags.writeable:
        prediction[...] = part
    return part, -part


@needs("law: prediction and target may be one buffer")
@value_of("mse/mean")
def refuses_one_buffer_for_both(prediction: Array, target: Array) -> Any:
    """``restrict`` pointers, checked."""
    if np.shares_memory(prediction, target):
        raise ValueError("arguments overlap")
    return squares(prediction, target).mean()


# ---- calls that follow each other ----

_failed = {"before": False}
_by_identity: dict[int, tuple[Array, Any]] = {}


@needs("law: a call after one that failed gives the same bits")
@value_of("mse/mean")
def is_wrong_after_a_failure(prediction: Array, target: Array) -> Any:
    """A lock or a stream that an exception leaves in the wrong state."""
    if prediction.shape != target.shape:
        _failed["before"] = True
        raise ValueError("shapes differ")
    return squares(prediction, target).mean() * (2 if _failed["before"] else 1)


@needs("law: inputs edited in place give the new result")
@value_of("mse/mean")
def remembers_the_result_of_a_buffer(prediction: Array, target: Array) -> Any:
    """A cache whose key is the array object, which may be changed in place."""
    if id(prediction) not in _by_identity:
        _by_identity.clear()
        _by_identity[id(prediction)] = (prediction, squares(prediction, target).mean())
    return _by_identity[id(prediction)][1]


# ---- dtypes ----


@needs("bound: every pair of input dtypes")
@value_of("mse/mean")
def takes_the_dtype_of_the_prediction(prediction: Array, target: Array) -> Any:
    """The target is cast to the prediction's dtype, though its own is wider."""
    return squares(prediction, target.astype(prediction.dtype)).mean()


@needs("case: unsigned integers with the target above the prediction")
@value_of("mse/mean")
def wraps_unsigned_differences(prediction: Array, target: Array) -> Any:
    """The difference is taken in the inputs' dtype, which for images is uint8."""
    return np.square(wide(prediction - target)).mean()


# ---- accuracy that is inside the interval ----


@needs("grade: a float32 mean that grows linearly with n, at level should")
@conformance.implementation("mse/mean", framework="numpy", name="adds-a-million-in-sequence")
def adds_a_million_in_sequence(prediction: Array, target: Array) -> Any:
    """One accumulator for a million elements: inside the interval for any order, and a thousand times less accurate than a tree."""
    terms = np.square(prediction - target).ravel().astype(np.float64 if prediction.dtype == np.float64 else np.float32)
    total = np.add.accumulate(terms)[-1] if terms.size else terms.dtype.type(0)
    return narrow(total / terms.dtype.type(terms.size), prediction)


adds_a_million_in_sequence.gradient(right_gradient("mse/mean"))
