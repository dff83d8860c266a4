"""Wrong functions: another formula, another divisor, or elements left out. The gradients are right, so the value alone gives them away."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, differences, squares, value_of, wide

# ---- another divisor ----


@value_of("mse/mean")
def divides_by_n_minus_1(prediction: Array, target: Array) -> Any:
    """Borrowed from a variance, where statistics libraries divide so by default."""
    return squares(prediction, target).sum() / (prediction.size - 1)


@value_of("mse/mean")
def divides_by_n_plus_1(prediction: Array, target: Array) -> Any:
    """A running count that starts at one and is raised before it divides."""
    return squares(prediction, target).sum() / (prediction.size + 1)


@value_of("mse/mean")
def sums_and_does_not_divide(prediction: Array, target: Array) -> Any:
    """The sum of squared errors under the name of their mean."""
    return squares(prediction, target).sum()


@value_of("mse/mean")
def divides_by_the_first_axis(prediction: Array, target: Array) -> Any:
    """Averages over the batch only, as the reduction ``batchmean`` does."""
    return squares(prediction, target).sum() / (prediction.shape[0] if prediction.ndim else 1)


@value_of("mse/mean")
def divides_by_the_last_axis(prediction: Array, target: Array) -> Any:
    """Averages over the features and sums over the batch."""
    return squares(prediction, target).sum() / (prediction.shape[-1] if prediction.ndim else 1)


@value_of("mse/mean")
def counts_the_padding(prediction: Array, target: Array) -> Any:
    """A kernel that pads to its vector width with zeros, and divides by what it read."""
    return squares(prediction, target).sum() / (-(-prediction.size // 8) * 8)


@value_of("mse/mean")
def averages_the_means_of_batches(prediction: Array, target: Array) -> Any:
    """The mean of the means of batches of 32, though the last batch is shorter."""
    flat = squares(prediction, target).ravel()
    return np.mean([flat[start : start + 32].mean() for start in range(0, max(flat.size, 1), 32)])


@value_of("mse/sum")
def sum_divides_by_the_count(prediction: Array, target: Array) -> Any:
    """The reduction argument is ignored, and the default is a mean."""
    return squares(prediction, target).mean()


@value_of("mse/sum")
def sum_adds_the_means_of_rows(prediction: Array, target: Array) -> Any:
    """The reduction ``sum`` of a loss that has already averaged the last axis."""
    return np.sum(squares(prediction, target).mean(axis=-1))


@value_of("mse/none")
def none_divides_by_the_count(prediction: Array, target: Array) -> Any:
    """The division sits before the choice of the reduction."""
    return squares(prediction, target) / max(prediction.size, 1)


@value_of("mse/last-axis")
def last_axis_divides_by_the_whole_count(prediction: Array, target: Array) -> Any:
    """The count of all elements where the count of one row belongs."""
    return np.asarray(squares(prediction, target).sum(axis=-1) / prediction.size)


# ---- another formula ----


@value_of("mse/mean")
def halves_the_square(prediction: Array, target: Array) -> Any:
    """The textbook's loss with a factor of one half, so that its derivative has no 2."""
    return squares(prediction, target).mean() / 2


@value_of("mse/none")
def none_halves_the_square(prediction: Array, target: Array) -> Any:
    """An ``l2_loss`` taken for a squared error."""
    return squares(prediction, target) / 2


@value_of("mse/mean")
def averages_the_magnitudes(prediction: Array, target: Array) -> Any:
    """The mean absolute error: the neighbouring line of a table of losses."""
    return np.abs(differences(prediction, target)).mean()


@value_of("mse/mean")
def takes_the_root(prediction: Array, target: Array) -> Any:
    """The root mean squared error, as an argument ``squared=False`` gives."""
    return np.sqrt(squares(prediction, target).mean())


@value_of("mse/mean")
def squares_the_mean_difference(prediction: Array, target: Array) -> Any:
    """Averages before it squares."""
    return np.square(differences(prediction, target).mean())


@value_of("mse/mean")
def returns_the_variance_of_the_differences(prediction: Array, target: Array) -> Any:
    """Calls ``var`` on the differences, which takes their mean off."""
    return differences(prediction, target).var()


@value_of("mse/mean")
def returns_the_median_of_the_squares(prediction: Array, target: Array) -> Any:
    """A robust aggregate in place of the mean."""
    return np.float64(np.median(squares(prediction, target)))


@value_of("mse/mean")
def adds_the_inputs(prediction: Array, target: Array) -> Any:
    """The sign of one argument is lost while a difference is fused with a negation."""
    return np.square(wide(prediction) + wide(target)).mean()


@value_of("mse/mean")
def divides_by_the_spread_of_the_target(prediction: Array, target: Array) -> Any:
    """The normalised mean squared error of signal processing."""
    return squares(prediction, target).mean() / wide(target).var()


@value_of("mse/mean")
def is_linear_beyond_a_thousand(prediction: Array, target: Array) -> Any:
    """A Huber loss whose threshold nobody thought would be reached."""
    size = np.abs(differences(prediction, target))
    return np.where(size > 1000, 2000 * size - 1000**2, np.square(size)).mean()


@value_of("mse/mean")
def compares_magnitudes(prediction: Array, target: Array) -> Any:
    """(|p| − |t|)², as between spectra."""
    return np.square(np.abs(wide(prediction)) - np.abs(wide(target))).mean()


@value_of("mse/mean")
def compares_logarithms(prediction: Array, target: Array) -> Any:
    """The mean squared logarithmic error, one letter away in every library."""
    return np.square(np.log1p(wide(prediction)) - np.log1p(wide(target))).mean()


@value_of("mse/mean")
def counts_positive_errors_only(prediction: Array, target: Array) -> Any:
    """A squared hinge: predictions that are too small cost nothing."""
    return np.square(np.maximum(differences(prediction, target), 0)).mean()


@value_of("mse/none")
def none_clips_predictions_to_the_unit_interval(prediction: Array, target: Array) -> Any:
    """Predictions are taken for probabilities, and clipped to between 0 and 1."""
    return np.square(np.clip(wide(prediction), 0, 1) - wide(target))


@value_of("mse/mean")
def compares_with_the_next_target(prediction: Array, target: Array) -> Any:
    """Pairs each prediction with the label after it: an off-by-one in a data loader, inside the loss."""
    return np.square(wide(prediction).ravel() - np.roll(wide(target).ravel(), -1)).mean()


@value_of("mse/mean")
def compares_sorted_inputs(prediction: Array, target: Array) -> Any:
    """A distance between distributions: both inputs are sorted first."""
    return np.square(np.sort(wide(prediction), axis=None) - np.sort(wide(target), axis=None)).mean()


@value_of("mse/mean")
def broadcasts_a_column_against_a_row(prediction: Array, target: Array) -> Any:
    """Squeezes a trailing axis off the target only, and NumPy broadcasts without a word."""
    squeezed = target[..., 0] if target.ndim > 1 and target.shape[-1] == 1 else target
    return squares(prediction, squeezed).mean()


# ---- elements left out, or taken twice ----


@value_of("mse/mean")
def drops_the_last_element(prediction: Array, target: Array) -> Any:
    """A loop that ends one early."""
    return squares(prediction, target).ravel()[:-1].sum() / prediction.size


@value_of("mse/mean")
def drops_the_first_element(prediction: Array, target: Array) -> Any:
    """A loop that starts at one."""
    return squares(prediction, target).ravel()[1:].sum() / prediction.size


@value_of("mse/sum")
def sum_takes_the_first_element_twice(prediction: Array, target: Array) -> Any:
    """An accumulator that starts with the first element, before a loop over all of them."""
    flat = squares(prediction, target).ravel()
    return flat[:1].sum() + flat.sum()


@value_of("mse/mean")
def skips_the_remainder_of_a_vector(prediction: Array, target: Array) -> Any:
    """A vectorised loop of width 8 without the scalar loop after it, but short inputs have their own."""
    flat = squares(prediction, target).ravel()
    return flat[: flat.size if flat.size < 8 else flat.size // 8 * 8].sum() / flat.size


@value_of("mse/mean")
def reads_past_the_end(prediction: Array, target: Array) -> Any:
    """Rounds the length up to a vector of 4 and reads what lies there, here the last element again."""
    flat = squares(prediction, target).ravel()
    return (flat.sum() + flat[-1:].sum() * (-flat.size % 4)) / flat.size


@value_of("mse/mean")
def counts_in_16_bits(prediction: Array, target: Array) -> Any:
    """A count kept in a signed 16-bit integer: negative beyond 32767 elements."""
    count = int(np.array(prediction.size).astype(np.int16))
    return squares(prediction, target).sum() / np.float64(count)


@value_of("mse/mean")
def stops_at_65535_elements(prediction: Array, target: Array) -> Any:
    """A grid that is launched with at most 65535 blocks, and no loop around it."""
    return squares(prediction, target).ravel()[:65535].sum() / prediction.size


@value_of("mse/none")
def none_leaves_elements_beyond_65535(prediction: Array, target: Array) -> Any:
    """The same grid, over an output that was allocated as zeros."""
    result = squares(prediction, target)
    result.reshape(-1)[65535:] = 0
    return result


@value_of("mse/none")
def none_doubles_a_single_element(prediction: Array, target: Array) -> Any:
    """Two blocks meet at one element, and both add to it: one wrong among tens of thousands."""
    result = squares(prediction, target)
    result.reshape(-1)[32768:32769] *= 2
    return result


@value_of("mse/last-axis")
def last_axis_drops_the_last_column(prediction: Array, target: Array) -> Any:
    """The last column is taken for the label, as in a table that holds both."""
    return np.asarray(squares(prediction, target)[..., :-1].sum(axis=-1) / prediction.shape[-1])


# ---- nearly right ----


@value_of("mse/mean")
def is_biased_by_a_millionth(prediction: Array, target: Array) -> Any:
    """A constant that was typed with six digits sits somewhere in the scale."""
    return squares(prediction, target).mean() * (1 + 1e-6)


@value_of("mse/sum")
def sum_is_biased_by_a_millionth(prediction: Array, target: Array) -> Any:
    """The same, in a sum."""
    return squares(prediction, target).sum() * (1 - 1e-6)


@value_of("mse/mean")
def adds_an_epsilon(prediction: Array, target: Array) -> Any:
    """1e-8 for numerical safety, where nothing was unsafe."""
    return squares(prediction, target).mean() + 1e-8


@value_of("mse/mean")
def rounds_to_six_decimals(prediction: Array, target: Array) -> Any:
    """A number made for a log file is returned as the loss."""
    return np.round(squares(prediction, target).mean(), 6)


@value_of("mse/mean")
def rounds_to_six_digits(prediction: Array, target: Array) -> Any:
    """The loss goes through text, as ``%g`` prints it."""
    return float(f"{squares(prediction, target).mean():.6g}")


@value_of("mse/last-axis")
def last_axis_shifts_its_rows(prediction: Array, target: Array) -> Any:
    """Each row's mean lands one row further: an offset into the output starts at one."""
    return np.roll(squares(prediction, target).mean(axis=-1), 1)
