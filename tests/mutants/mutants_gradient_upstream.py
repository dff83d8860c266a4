"""Wrong gradients at some places and of some upstream gradients: tails, zeros, NaN, the ends of the range, and none at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, differences, gradient_of, right_gradient, scale, wide


@gradient_of("mse/mean")
def zeroes_a_gradient_where_three_remain_of_eight(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The same tail in the backward pass."""
    part = np.array(scale("mse/mean", prediction, upstream) * differences(prediction, target))
    if part.size % 8 == 3 and part.size > 16:
        part.reshape(-1)[-1] = 0
    return part, -part


@gradient_of("mse/mean")
def gradient_beyond_524280_elements_is_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """A grid of 65535 blocks of eight."""
    part = np.array(scale("mse/mean", prediction, upstream) * differences(prediction, target))
    part.reshape(-1)[8 * 65535 :] = 0
    return part, -part


@gradient_of("mse/mean")
def nan_upstream_becomes_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """``nan_to_num`` on what arrives from above."""
    return right_gradient("mse/mean")(prediction, target, np.where(np.isfinite(wide(upstream)), upstream, 0).astype(upstream.dtype))


@gradient_of("mse/mean")
def skips_the_backward_pass_of_a_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """A shortcut for a loss that nothing depends on: zeros, where 0·inf is NaN."""
    part = scale("mse/mean", prediction, upstream) * differences(prediction, target)
    part = np.where(wide(upstream) == 0, 0, part)
    return part, -part


@gradient_of("mse/mean")
def small_upstream_gradients_become_zero(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """Whatever is below 1e-5 counts as nothing to do."""
    return right_gradient("mse/mean")(prediction, target, np.where(np.abs(wide(upstream)) < 1e-5, 0, upstream).astype(upstream.dtype))


@gradient_of("mse/mean")
def large_upstream_gradients_are_clamped(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The loss scale lives in float16 and saturates there: wrong from 65536 on, a common initial loss scale."""
    return right_gradient("mse/mean")(prediction, target, np.clip(wide(upstream), -65504, 65504).astype(upstream.dtype))


@gradient_of("mse/mean", cast=False)
def target_is_detached(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The target is taken out of the graph: no gradient, where zero would be wrong and an exception would be noticed."""
    return right_gradient("mse/mean")(prediction, target, upstream)[0], None
