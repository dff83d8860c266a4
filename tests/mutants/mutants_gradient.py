"""Wrong gradients beside the right value: a factor, the upstream gradient, the target's side, or the ends of the range."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from parts import Array, Floats, differences, gradient_of, narrow, right_gradient, scale, squares, wide

Pair = tuple[Any, Any]


def right(prediction: Array, target: Array, upstream: Array) -> Floats:
    """The right gradient of the mean with respect to the prediction, in float64."""
    return scale("mse/mean", prediction, upstream) * differences(prediction, target)


def both(part: Any) -> Pair:
    """A gradient with respect to the prediction, and its negation for the target."""
    return part, -part


# ---- a factor ----


@gradient_of("mse/mean")
def forgets_the_two(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The derivative of half the square, written by hand from a textbook."""
    return both(right(prediction, target, upstream) / 2)


@gradient_of("mse/mean")
def forgets_to_divide(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The backward pass of the sum under the forward pass of the mean."""
    return both(2 * wide(upstream) * differences(prediction, target))


@gradient_of("mse/mean")
def divides_twice(prediction: Array, target: Array, upstream: Array) -> Pair:
    """1/N is in the kernel, and in the code that calls it."""
    return both(right(prediction, target, upstream) / prediction.size)


@gradient_of("mse/mean")
def gradient_divides_by_n_minus_1(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A divisor that was corrected in the forward pass and not in the backward pass."""
    return both(2 * wide(upstream) * differences(prediction, target) / np.float64(prediction.size - 1))


@gradient_of("mse/sum")
def gradient_of_the_sum_divides(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The reduction reaches the forward pass only."""
    return both(2 * wide(upstream) * differences(prediction, target) / prediction.size)


@gradient_of("mse/none")
def gradient_of_the_elements_divides(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The same without a reduction."""
    return both(2 * wide(upstream) * differences(prediction, target) / prediction.size)


@gradient_of("mse/last-axis")
def gradient_of_rows_divides_by_the_whole_count(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The count of all elements in the backward pass of a mean over rows."""
    return both(2 * wide(upstream)[..., np.newaxis] * differences(prediction, target) / prediction.size)


@gradient_of("mse/mean")
def gradient_counts_in_16_bits(prediction: Array, target: Array, upstream: Array) -> Pair:
    """An int16 count in the backward kernel: the sign turns beyond 32767 elements."""
    return both(2 * wide(upstream) * differences(prediction, target) / np.float64(np.array(prediction.size).astype(np.int16)))


@gradient_of("mse/mean")
def gradient_counts_in_float16(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The count in the loss's dtype: beyond 65519 elements all gradients are 0, and training stops without a word."""
    return both(2 * wide(upstream) * differences(prediction, target) / wide(np.array(prediction.size).astype(prediction.dtype)))


@gradient_of("mse/mean")
def gradient_is_biased_by_a_millionth(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A constant that was typed with six digits."""
    return both(right(prediction, target, upstream) * (1 - 1e-6))


@gradient_of("mse/none")
def gradient_of_the_elements_is_biased(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The same without a reduction."""
    return both(2.000002 * wide(upstream) * differences(prediction, target))


# ---- another function's gradient ----


@gradient_of("mse/mean")
def follows_the_magnitude(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The sign of the difference: the backward pass of the mean absolute error."""
    return both(wide(upstream) * np.sign(differences(prediction, target)) / prediction.size)


@gradient_of("mse/mean")
def goes_through_the_root(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The square of a root mean squared error: the same function, and NaN where a perfect prediction divides 0 by 0."""
    root = np.sqrt(squares(prediction, target).mean())
    return both(2 * root * (right(prediction, target, upstream) / (2 * root)))


@gradient_of("mse/mean")
def subtracts_the_mean_difference(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The gradient of a variance."""
    difference = differences(prediction, target)
    return both(scale("mse/mean", prediction, upstream) * (difference - difference.mean()))


@gradient_of("mse/mean")
def points_downhill(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The update of a gradient descent in place of the gradient: both signs are turned."""
    return both(-right(prediction, target, upstream))


@gradient_of("mse/mean")
def takes_the_magnitude_of_the_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The sign of the difference is lost."""
    return both(np.abs(right(prediction, target, upstream)))


# ---- the upstream gradient ----


@gradient_of("mse/mean")
def ignores_the_upstream_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A backward pass that takes the loss for the end of the graph."""
    return both(right(prediction, target, np.ones_like(upstream)))


@gradient_of("mse/mean")
def squares_the_upstream_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """It is multiplied in by the kernel and by its caller; a test with an upstream gradient of one sees nothing."""
    return both(right(prediction, target, np.square(upstream)))


@gradient_of("mse/mean")
def takes_the_magnitude_of_the_upstream_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A loss scale is never negative, or so it was thought."""
    return both(right(prediction, target, np.abs(upstream)))


@gradient_of("mse/mean")
def clamps_the_upstream_gradient_to_one(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Clipping that belongs to the optimiser."""
    return both(right(prediction, target, np.asarray(np.clip(wide(upstream), -1, 1))))


@gradient_of("mse/mean")
def reads_the_upstream_gradient_as_an_integer(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A scalar passed through an integer argument of a kernel."""
    return both(right(prediction, target, np.trunc(wide(upstream))))


@gradient_of("mse/none")
def reads_the_first_upstream_gradient_for_all(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A kernel written for a scalar loss reads one number, whatever the shape."""
    return both(2 * (wide(upstream).ravel()[0] if upstream.size else 1.0) * differences(prediction, target))


@gradient_of("mse/none")
def averages_the_upstream_gradients(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The upstream gradient is reduced as the loss would be."""
    return both(2 * wide(upstream).mean() * differences(prediction, target))


@gradient_of("mse/last-axis")
def reads_the_first_row_s_upstream_gradient_for_all(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A stride of zero where the rows' upstream gradients are read."""
    first = np.full_like(upstream, upstream.ravel()[0]) if upstream.size else upstream
    return right_gradient("mse/last-axis")(prediction, target, first)


@gradient_of("mse/last-axis")
def reads_the_rows_upstream_gradients_backwards(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A negative stride is dropped."""
    return right_gradient("mse/last-axis")(prediction, target, upstream.ravel()[::-1].reshape(upstream.shape))


@gradient_of("mse/last-axis")
def broadcasts_the_upstream_gradient_along_rows(prediction: Array, target: Array, upstream: Array) -> Pair:
    """NumPy's broadcasting aligns from the right: right for a single row, wrong for square matrices, an exception elsewhere."""
    return both(2 * wide(upstream) * differences(prediction, target) / prediction.shape[-1])


# ---- one side only ----


@gradient_of("mse/mean")
def target_has_no_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Targets are constants, most of the time: zeros."""
    part = right(prediction, target, upstream)
    return part, np.zeros_like(part)


@gradient_of("mse/mean")
def target_has_the_sign_of_the_prediction(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The same buffer is returned twice."""
    part = right(prediction, target, upstream)
    return part, part


@gradient_of("mse/mean")
def target_forgets_to_divide(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The second branch of a backward pass, for which there was no test."""
    part = right(prediction, target, upstream)
    return part, -part * prediction.size


@gradient_of("mse/mean")
def target_ignores_the_upstream_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The same branch, another way."""
    return right(prediction, target, upstream), -right(prediction, target, np.ones_like(upstream))


@gradient_of("mse/none")
def target_of_the_elements_forgets_the_two(prediction: Array, target: Array, upstream: Array) -> Pair:
    """And without a reduction."""
    part = 2 * wide(upstream) * differences(prediction, target)
    return part, -part / 2


@gradient_of("mse/sum")
def swaps_the_two_gradients(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The arguments change places between the libraries, and here between forward and backward."""
    part = 2 * wide(upstream) * differences(prediction, target)
    return -part, part


# ---- elements left out ----


@gradient_of("mse/mean")
def gradient_of_the_last_element_is_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A loop that ends one early over a zeroed buffer."""
    part = np.array(right(prediction, target, upstream))
    part.reshape(-1)[-1:] = 0
    return both(part)


@gradient_of("mse/mean")
def gradient_of_the_remainder_is_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A vectorised loop of width 8 without the scalar loop after it."""
    part = np.array(right(prediction, target, upstream))
    if part.size >= 8:
        part.reshape(-1)[part.size // 8 * 8 :] = 0
    return both(part)


@gradient_of("mse/mean")
def gradient_beyond_65535_elements_is_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A grid of 65535 blocks at most."""
    part = np.array(right(prediction, target, upstream))
    part.reshape(-1)[65535:] = 0
    return both(part)


@gradient_of("mse/mean")
def gradient_has_rows_and_columns_swapped(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Written in the other memory order: right for vectors."""
    part = right(prediction, target, upstream)
    return both(part.ravel(order="F").reshape(part.shape))


@gradient_of("mse/mean")
def gradient_is_flat(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The kernel's buffer, without the inputs' shape."""
    return both(right(prediction, target, upstream).ravel())


@gradient_of("mse/mean")
def gradient_is_summed_over_the_first_axis(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Reduced as if the prediction had been broadcast over the batch: a shape that broadcasts back."""
    part = right(prediction, target, upstream)
    return both(part.sum(axis=0, keepdims=True) if part.ndim else part)


# ---- the ends of the range ----


@gradient_of("mse/mean")
def nan_gradients_become_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """``nan_to_num`` on the gradients, so that one bad sample does not stop the training."""
    return both(np.nan_to_num(right(prediction, target, upstream), posinf=np.inf, neginf=-np.inf))


@gradient_of("mse/mean")
def nan_spreads_to_every_gradient(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The gradient is multiplied by value/value."""
    value = squares(prediction, target).mean()
    return both(right(prediction, target, upstream) * (np.nan if np.isnan(value) and prediction.size else 1.0))


@gradient_of("mse/mean")
def infinite_gradients_become_the_largest_number(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A saturating conversion in the backward pass."""
    top = float(ml_dtypes.finfo(prediction.dtype).max)
    return both(np.clip(right(prediction, target, upstream), -top, top))


@gradient_of("mse/mean")
def gradients_vanish_with_an_infinite_loss(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A loss scaler's skip, moved into the loss: no step where the value is infinite."""
    part = right(prediction, target, upstream)
    return both(np.zeros_like(part) if np.isinf(narrow(squares(prediction, target).mean(), prediction)) else part)


@gradient_of("mse/mean")
def gradients_are_clipped_to_one(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Clipping by value, for stability."""
    return both(np.clip(right(prediction, target, upstream), -1, 1))


@gradient_of("mse/mean")
def gradients_are_clipped_by_their_norm(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Clipping by norm, at one."""
    part = right(prediction, target, upstream)
    norm = np.sqrt(np.square(part).sum())
    return both(part / norm if norm > 1 else part)


@gradient_of("mse/mean")
def small_gradients_become_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A threshold for sparse communication: 1e-12 and below is not sent."""
    part = right(prediction, target, upstream)
    return both(np.where(np.abs(part) < 1e-12, 0, part))


@gradient_of("mse/mean")
def subnormal_gradients_become_zero(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Fast math in the backward pass only, and nobody declares it."""
    part = right(prediction, target, upstream)
    return both(np.where(np.abs(part) < float(ml_dtypes.finfo(prediction.dtype).smallest_normal), 0, part))


@gradient_of("mse/mean")
def adds_an_epsilon_to_the_difference(prediction: Array, target: Array, upstream: Array) -> Pair:
    """1e-8, so that no gradient is ever zero."""
    return both(scale("mse/mean", prediction, upstream) * (differences(prediction, target) + 1e-8))


# ---- precision ----


def through(dtype: Any, prediction: Array, target: Array, upstream: Array) -> Floats:
    """The right gradient with its factors rounded to another dtype."""
    factor = scale("mse/mean", prediction, upstream).astype(dtype)
    return wide(factor * (prediction - target).astype(dtype))


@gradient_of("mse/mean")
def float32_gradients_pass_through_float16(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Gradients are compressed to half precision for the way between machines, and here before they leave the loss."""
    part = right(prediction, target, upstream)
    return both(wide(part.astype(np.float16)) if prediction.dtype == np.float32 else part)


@gradient_of("mse/mean")
def float32_gradients_are_computed_in_bfloat16(prediction: Array, target: Array, upstream: Array) -> Pair:
    """Autocast reaches the backward pass, where nobody looks."""
    if prediction.dtype != np.float32:
        return both(right(prediction, target, upstream))
    return both(through(ml_dtypes.bfloat16, prediction, target, upstream))


@gradient_of("mse/mean")
def float64_gradients_are_computed_in_float32(prediction: Array, target: Array, upstream: Array) -> Pair:
    """A backward kernel that exists for float only."""
    if prediction.dtype != np.float64:
        return both(right(prediction, target, upstream))
    return both(through(np.float32, prediction, target, upstream))


@gradient_of("mse/mean")
def float32_scale_is_rounded_to_float16(prediction: Array, target: Array, upstream: Array) -> Pair:
    """2·G/N passes through the dtype of a mixed-precision loss; the differences do not."""
    factor = scale("mse/mean", prediction, upstream)
    return both((wide(factor.astype(np.float16)) if prediction.dtype == np.float32 else factor) * differences(prediction, target))


@gradient_of("mse/mean")
def gradient_subtracts_rounded_products(prediction: Array, target: Array, upstream: Array) -> Pair:
    """scale·p − scale·t in place of scale·(p − t): it cancels."""
    factor = narrow(scale("mse/mean", prediction, upstream), prediction)
    return both(factor * prediction - factor * target)


@gradient_of("mse/mean", cast=False)
def gradients_of_float64_are_float32(prediction: Array, target: Array, upstream: Array) -> Pair:
    """The gradients' buffer has the default dtype."""
    part = right(prediction, target, upstream)
    return both(part.astype(np.float32 if prediction.dtype == np.float64 else prediction.dtype))
