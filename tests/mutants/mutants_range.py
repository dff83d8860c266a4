"""Wrong at the ends of the range: NaN and infinity hidden or spread, saturation, floors, underflow. The gradients are right."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from parts import Array, differences, narrow, squares, value_of, wide

from conformance.numerics.formats import FORMATS


def largest(like: Array) -> float:
    """The largest finite number of an array's dtype."""
    return float(FORMATS[like.dtype.name].largest)


def smallest_normal(like: Array) -> float:
    """The smallest normal number of an array's dtype."""
    return float(FORMATS[like.dtype.name].smallest_normal)


# ---- NaN ----


@value_of("mse/mean")
def counts_nan_as_zero(prediction: Array, target: Array) -> Any:
    """``nan_to_num`` on the differences, so that training goes on."""
    return np.square(np.nan_to_num(differences(prediction, target), posinf=np.inf, neginf=-np.inf)).mean()


@value_of("mse/mean")
def leaves_nan_out_of_the_mean(prediction: Array, target: Array) -> Any:
    """``nanmean``, which makes a broken batch look like a smaller one."""
    return np.float64(np.nanmean(squares(prediction, target))) if prediction.size else np.float64(np.nan)


@value_of("mse/mean")
def masks_nan_targets(prediction: Array, target: Array) -> Any:
    """Missing labels are masked, though nobody asked for it."""
    return np.where(np.isnan(wide(target)), 0, squares(prediction, target)).mean()


@value_of("mse/mean")
def takes_nan_for_equal_to_nan(prediction: Array, target: Array) -> Any:
    """A comparison with ``equal_nan=True`` decides where the error is zero."""
    both = np.isnan(wide(prediction)) & np.isnan(wide(target))
    return np.where(both, 0, squares(prediction, target)).mean()


@value_of("mse/sum")
def sum_loses_nan_in_a_maximum(prediction: Array, target: Array) -> Any:
    """max(x, 0) against negative squares, with the maximum that prefers a number to NaN."""
    return np.fmax(squares(prediction, target), 0).sum()


@value_of("mse/none")
def none_takes_a_power_of_a_negative(prediction: Array, target: Array) -> Any:
    """exp(2·log d) without the magnitude: NaN wherever the prediction is too small."""
    difference = differences(prediction, target)
    return np.where(difference < 0, np.nan, np.square(difference))


@value_of("mse/none")
def none_spreads_nan(prediction: Array, target: Array) -> Any:
    """A check for NaN over the whole array poisons every element of it."""
    result = squares(prediction, target)
    return np.full_like(result, np.nan) if np.isnan(result).any() else result


@value_of("mse/last-axis")
def last_axis_spreads_nan_over_rows(prediction: Array, target: Array) -> Any:
    """Rows are averaged by a product with a matrix of ones and zeros, and 0·NaN is NaN."""
    result = squares(prediction, target).mean(axis=-1)
    return np.full_like(result, np.nan) if np.isnan(result).any() else result


# ---- infinities ----


@value_of("mse/mean")
def takes_inf_for_equal_to_inf(prediction: Array, target: Array) -> Any:
    """A shortcut: where the inputs compare equal, the error is zero."""
    return np.where(wide(prediction) == wide(target), 0, squares(prediction, target)).mean()


@value_of("mse/mean")
def counts_infinities_as_zero(prediction: Array, target: Array) -> Any:
    """Masks what is not finite, NaN excepted."""
    difference = differences(prediction, target)
    return np.square(np.where(np.isinf(difference), 0, difference)).mean()


@value_of("mse/mean")
def turns_inf_into_nan(prediction: Array, target: Array) -> Any:
    """Scales by the largest difference first, and inf/inf is NaN."""
    difference = differences(prediction, target)
    top = np.abs(difference).max(initial=0)
    return np.square(difference / top).mean() * top**2 if top else squares(prediction, target).mean()


@value_of("mse/mean")
def saturates_at_the_largest_number(prediction: Array, target: Array) -> Any:
    """A saturating conversion, as quantising kernels use: infinity becomes the largest finite number."""
    return np.clip(squares(prediction, target).mean(), None, largest(prediction))


@value_of("mse/none")
def none_saturates_at_the_largest_number(prediction: Array, target: Array) -> Any:
    """The same, element by element."""
    return np.clip(squares(prediction, target), None, largest(prediction))


@value_of("mse/mean")
def clips_the_squares(prediction: Array, target: Array) -> Any:
    """Outliers are clipped at 10,000 to keep training calm."""
    return np.minimum(squares(prediction, target), 1e4).mean()


@value_of("mse/mean")
def clips_the_inputs(prediction: Array, target: Array) -> Any:
    """Both inputs are clamped to ±2^16, which NaN survives and large numbers do not."""
    return np.square(np.clip(wide(prediction), -65536, 65536) - np.clip(wide(target), -65536, 65536)).mean()


@value_of("mse/mean")
def keeps_float16_sums_in_float16(prediction: Array, target: Array) -> Any:
    """Only the final sum passes through float16, which is enough for it to overflow before the division."""
    total = narrow(squares(prediction, target).sum(), prediction) if prediction.dtype == np.float16 else squares(prediction, target).sum()
    return np.float64(total) / prediction.size


@value_of("mse/sum")
def sum_overflows_early(prediction: Array, target: Array) -> Any:
    """Works with sums twice as large, and halves them at the end."""
    doubled = narrow(2 * squares(prediction, target).sum(), prediction)
    return wide(doubled) / 2


# ---- small numbers ----


@value_of("mse/mean")
def flushes_subnormal_results(prediction: Array, target: Array) -> Any:
    """Built with fast math: results below the normal range become zero, and nobody declares it."""
    result = squares(prediction, target).mean()
    return np.where(np.abs(result) < smallest_normal(prediction), 0, result)


@value_of("mse/none")
def none_flushes_subnormal_inputs(prediction: Array, target: Array) -> Any:
    """Denormals are zero on the way in only."""
    small = smallest_normal(prediction)
    p, t = (np.where(np.abs(wide(x)) < small, 0, wide(x)) for x in (prediction, target))
    return np.square(p - t)


@value_of("mse/mean")
def has_an_absolute_floor(prediction: Array, target: Array) -> Any:
    """A loss below 1e-12 is reported as converged, that is as zero."""
    result = squares(prediction, target).mean()
    return np.where(result < 1e-12, 0, result)


@value_of("mse/mean")
def takes_close_for_equal(prediction: Array, target: Array) -> Any:
    """Differences that ``isclose`` calls none, 1e-8 and below, count as none."""
    difference = differences(prediction, target)
    return np.square(np.where(np.abs(difference) <= 1e-8, 0, difference)).mean()


@value_of("mse/mean")
def squares_before_it_scales(prediction: Array, target: Array) -> Any:
    """Divides the differences by 2^10 against overflow and multiplies back: small squares underflow on the way."""
    small = np.square((prediction - target) * prediction.dtype.type(2**-10))
    return wide(small).mean() * 2**20


@value_of("mse/mean")
def returns_minus_zero(prediction: Array, target: Array) -> Any:
    """A score to be maximised, negated: a perfect prediction gives −0."""
    return -(0 - squares(prediction, target).mean())


@value_of("mse/none")
def none_returns_minus_zero(prediction: Array, target: Array) -> Any:
    """A square taken as d·|d| with the sign put right by a product: zero inherits it from a negative zero."""
    difference = differences(prediction, target)
    return np.where(difference == 0, -0.0, np.square(difference))


@value_of("mse/mean")
def has_the_exponents_of_float16(prediction: Array, target: Array) -> Any:
    """bfloat16 computed by converting to float16, whose range is smaller: large numbers become infinite."""
    if prediction.dtype != ml_dtypes.bfloat16:
        return squares(prediction, target).mean()
    return squares(prediction.astype(np.float16), target.astype(np.float16)).mean()


@value_of("mse/mean")
def loses_nan_in_long_inputs(prediction: Array, target: Array) -> Any:
    """The vectorised path compares with max, the short one does not."""
    terms = squares(prediction, target)
    return np.fmax(terms, 0).mean() if terms.size > 128 else terms.mean()
