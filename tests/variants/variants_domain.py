"""Right, and as people write them: losses that take less than everything, and say so by raising, or nowhere."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Array, right_gradient

import conformance

IN_FLOAT32 = partial(conformance.implementation, framework="numpy", dtypes=("float32", "float64"))
"""In half precision they would overflow, as a sum that is divided afterwards does."""


@conformance.implementation("mse/mean", framework="numpy", name="takes-float32-only")
def takes_float32_only(prediction: Array, target: Array) -> Any:
    """A kernel of one dtype."""
    if prediction.dtype != np.float32 or target.dtype != np.float32:
        raise TypeError(f"expected float32, found {prediction.dtype} and {target.dtype}")
    return np.square(prediction - target).mean()


@IN_FLOAT32("mse/mean", name="takes-images-only")
def takes_images_only(prediction: Array, target: Array) -> Any:
    """Of four axes, which it names."""
    count, channels, height, width = prediction.shape
    return ((prediction - target) ** 2).sum() / (count * channels * height * width)


@IN_FLOAT32("mse/mean", name="takes-nothing-empty")
def takes_nothing_empty(prediction: Array, target: Array) -> Any:
    """A mean of nothing raises, as Python divides."""
    return (
        math.fsum(np.square(prediction - target).ravel().tolist()) / prediction.size
        if prediction.size < 4
        else np.mean(np.square(prediction - target))
    )


@IN_FLOAT32("mse/mean", name="takes-contiguous-memory-only")
def takes_contiguous_memory_only(prediction: Array, target: Array) -> Any:
    """As what is handed to C."""
    if not (prediction.flags.c_contiguous and target.flags.c_contiguous and prediction.flags.writeable):
        raise ValueError("expected contiguous arrays")
    difference = (prediction - target).ravel()
    return np.dot(difference, difference) / prediction.dtype.type(prediction.size or np.nan)


@conformance.implementation("mse/mean", framework="numpy", name="has-a-constant-target")
def has_a_constant_target(prediction: Array, target: Array) -> Any:
    """Its gradient has one part."""
    return np.square(prediction - target).mean()


has_a_constant_target.gradient(lambda prediction, target, upstream: right_gradient("mse/mean")(prediction, target, upstream)[0:1])


@conformance.implementation("mse/last-axis", framework="numpy", name="takes-the-shapes-that-it-declares", shapes=((3, 5), (2, 6)))
def takes_the_shapes_that_it_declares(prediction: Array, target: Array) -> Any:
    """And no others."""
    if prediction.shape not in {(3, 5), (2, 6)}:
        raise ValueError(f"found {prediction.shape}")
    return np.square(prediction - target).mean(axis=-1)


@IN_FLOAT32("mse/masked-mean", name="indexes-with-a-mask")
def indexes_with_a_mask(prediction: Array, target: Array, mask: Array) -> Any:
    """Of truth values, which it does not declare."""
    return np.mean((prediction[mask] - target[mask]) ** 2)


@IN_FLOAT32("mse/masked-mean", name="averages-where-a-mask-is-true", mask_dtype="bool")
def averages_where_a_mask_is_true(prediction: Array, target: Array, mask: Array) -> Any:
    """Of truth values, as it declares."""
    return np.mean((prediction - target) ** 2, where=mask)


@IN_FLOAT32("mse/weighted-mean", name="refuses-weights-that-sum-to-zero")
def refuses_weights_that_sum_to_zero(prediction: Array, target: Array, weight: Array) -> Any:
    """As ``np.average`` does, with an exception."""
    return np.average((prediction - target) ** 2, weights=weight)


@IN_FLOAT32("mse/sample-weighted-mean", name="takes-matrices-of-samples")
def takes_matrices_of_samples(prediction: Array, target: Array, weight: Array) -> Any:
    """Of two axes: a mean over the second one is all of a sample."""
    rows, _ = prediction.shape
    return np.sum(np.mean((prediction - target) ** 2, axis=1) * weight) / np.sum(weight.reshape(rows))


@conformance.implementation("mse/mean", framework="numpy", name="takes-integers-and-mixed-dtypes", integers=True, mixed_dtypes=True)
def takes_integers_and_mixed_dtypes(prediction: Array, target: Array) -> Any:
    """As it declares: everything in float64."""
    return np.square(prediction.astype(np.float64) - target.astype(np.float64)).mean()


@IN_FLOAT32("mse/none", name="returns-float16", half_result="float16")
def returns_float16(prediction: Array, target: Array) -> Any:
    """As it declares."""
    with np.errstate(over="ignore"):
        return np.square(prediction.astype(np.float64) - target.astype(np.float64)).astype(np.float16)
