"""Wrong weights: the divisor, the place of a weight, weights of zero or below, masks, and the gradients that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, Floats, differences, squares, wide
from parts_weights import divisor, gradient_of, right_gradients, right_value, spread, terms, value_of

Three = tuple[Any, Any, Any]


def weighted(prediction: Array, target: Array, weight: Array) -> Floats:
    """The weighted squares."""
    return spread(weight, prediction) * squares(prediction, target)


def quotient(numerator: Any, denominator: Any) -> Any:
    """By IEEE 754, whatever is zero."""
    return np.float64(numerator) / np.float64(denominator)


# ---- the divisor ----


@value_of("mse/weighted-mean")
def weighted_mean_divides_by_the_count(prediction: Array, target: Array, weight: Array) -> Any:
    """What Keras does is not what PyTorch does."""
    return quotient(weighted(prediction, target, weight).sum(), prediction.size)


@value_of("mse/weighted-mean")
def weighted_mean_divides_by_the_nonzero(prediction: Array, target: Array, weight: Array) -> Any:
    """The reduction of TensorFlow's first losses."""
    return quotient(weighted(prediction, target, weight).sum(), np.count_nonzero(weight))


@value_of("mse/weighted-mean")
def weighted_mean_adds_an_epsilon(prediction: Array, target: Array, weight: Array) -> Any:
    """A small number in the divisor, against a division by zero."""
    return quotient(weighted(prediction, target, weight).sum(), wide(weight).sum() + 1e-8)


@value_of("mse/weighted-mean")
def weighted_mean_divides_by_one_at_least(prediction: Array, target: Array, weight: Array) -> Any:
    """max(sum of weights, 1), which is meant for counts."""
    return quotient(weighted(prediction, target, weight).sum(), max(wide(weight).sum(), 1.0))


@value_of("mse/weighted-mean")
def weighted_mean_of_nothing_is_zero(prediction: Array, target: Array, weight: Array) -> Any:
    """A division that returns 0 where there is no weight at all."""
    total = wide(weight).sum()
    return quotient(weighted(prediction, target, weight).sum(), total) if total else 0.0


@value_of("mse/weighted-mean")
def weighted_mean_divides_by_the_magnitudes(prediction: Array, target: Array, weight: Array) -> Any:
    """Weights were never thought to be negative."""
    return quotient(weighted(prediction, target, weight).sum(), np.abs(wide(weight)).sum())


@value_of("mse/weighted-mean")
def weighted_mean_divides_by_the_squares(prediction: Array, target: Array, weight: Array) -> Any:
    """The norm of the weights in place of their sum."""
    return quotient(weighted(prediction, target, weight).sum(), np.square(wide(weight)).sum())


@value_of("mse/weighted-by-count")
def by_count_divides_by_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """A metric in place of a loss."""
    return quotient(weighted(prediction, target, weight).sum(), wide(weight).sum())


@value_of("mse/weighted-by-count")
def by_count_leaves_out_what_has_no_weight(prediction: Array, target: Array, weight: Array) -> Any:
    """Elements are dropped before they are counted."""
    return quotient(weighted(prediction, target, weight).sum(), np.count_nonzero(weight))


@value_of("mse/weighted-by-nonzero")
def by_nonzero_counts_positive_ones(prediction: Array, target: Array, weight: Array) -> Any:
    """weight > 0 where weight != 0 is meant."""
    return quotient(weighted(prediction, target, weight).sum(), (wide(weight) > 0).sum())


@value_of("mse/weighted-by-nonzero")
def by_nonzero_counts_all(prediction: Array, target: Array, weight: Array) -> Any:
    """The count is taken of the wrong array."""
    return quotient(weighted(prediction, target, weight).sum(), prediction.size)


@value_of("mse/sample-weighted-mean")
def sample_mean_divides_by_the_weights_of_samples(prediction: Array, target: Array, weight: Array) -> Any:
    """Σw is taken before the weights are spread over the elements: too large by the length of a sample."""
    return quotient(weighted(prediction, target, weight).sum(), wide(weight).sum())


@value_of("mse/sample-weighted-by-count")
def by_count_divides_by_the_samples(prediction: Array, target: Array, weight: Array) -> Any:
    """The number of samples in place of that of elements."""
    return quotient(weighted(prediction, target, weight).sum(), prediction.shape[0])


@value_of("mse/sample-weighted-sum")
def sample_sum_adds_all_squares(prediction: Array, target: Array, weight: Array) -> Any:
    """PyTorch's sum in place of Keras'."""
    return weighted(prediction, target, weight).sum()


# ---- the weights themselves ----


@value_of("mse/weighted-sum")
def sum_ignores_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """The argument is accepted, and no more."""
    return squares(prediction, target).sum() + 0 * wide(weight).sum()


@value_of("mse/weighted-sum")
def sum_squares_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """The difference is weighted, and then squared."""
    return np.square(wide(weight) * differences(prediction, target)).sum()


@value_of("mse/weighted-sum")
def sum_takes_the_magnitudes(prediction: Array, target: Array, weight: Array) -> Any:
    """Of weights that are negative."""
    return np.abs(weighted(prediction, target, weight)).sum()


@value_of("mse/weighted-sum")
def sum_clips_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """Negative ones to zero."""
    return (np.maximum(wide(weight), 0) * squares(prediction, target)).sum()


@value_of("mse/weighted-sum")
def sum_clips_the_weights_at_one(prediction: Array, target: Array, weight: Array) -> Any:
    """As if they were probabilities."""
    return (np.minimum(wide(weight), 1) * squares(prediction, target)).sum()


@value_of("mse/weighted-sum")
def sum_reads_the_weights_as_a_mask(prediction: Array, target: Array, weight: Array) -> Any:
    """weight != 0, whatever it is."""
    return ((wide(weight) != 0) * squares(prediction, target)).sum()


@value_of("mse/weighted-sum")
def sum_reads_whole_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """The weights are cast to integers on their way."""
    return (np.trunc(wide(weight)) * squares(prediction, target)).sum()


@value_of("mse/weighted-none")
def none_reverses_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """Each element gets another one's weight."""
    return wide(weight).ravel()[::-1].reshape(weight.shape) * squares(prediction, target)


@value_of("mse/weighted-none")
def none_hides_nan_without_weight(prediction: Array, target: Array, weight: Array) -> Any:
    """0·NaN is taken for 0."""
    return np.where(wide(weight) == 0, 0, weighted(prediction, target, weight))


@value_of("mse/weighted-none")
def none_rounds_the_weights_to_bfloat16(prediction: Array, target: Array, weight: Array) -> Any:
    """Eight bits are enough for a weight, somebody thought."""
    import ml_dtypes

    return wide(weight.astype(ml_dtypes.bfloat16)) * squares(prediction, target)


@value_of("mse/weighted-by-count")
def by_count_weights_the_first_half(prediction: Array, target: Array, weight: Array) -> Any:
    """A loop over the weights that ends too early."""
    heavy = wide(weight).ravel().copy()
    heavy[(heavy.size + 1) // 2 :] = 1
    return quotient((heavy * squares(prediction, target).ravel()).sum(), prediction.size)


@value_of("mse/sample-weighted-by-count")
def by_count_normalises_the_weights(prediction: Array, target: Array, weight: Array) -> Any:
    """To a mean of one, as if only their ratio mattered."""
    heavy = wide(weight) / np.float64(wide(weight).mean())
    return quotient(weighted(prediction, target, heavy).sum(), prediction.size)


@value_of("mse/sample-weighted-by-count")
def by_count_weights_columns(prediction: Array, target: Array, weight: Array) -> Any:
    """Broadcast over the wrong axis where that is possible, as for square matrices."""
    last = prediction.shape[-1]
    heavy = wide(np.resize(weight, last))
    return quotient((heavy * squares(prediction, target)).sum(), prediction.size)


@value_of("mse/sample-weighted-mean")
def sample_mean_swaps_the_last_two(prediction: Array, target: Array, weight: Array) -> Any:
    """The last two samples have each other's weight."""
    heavy = wide(weight).copy()
    heavy[-2:] = heavy[-2:][::-1]
    return quotient(weighted(prediction, target, heavy).sum(), spread(weight, prediction).sum())


# ---- masks ----


@value_of("mse/masked-mean")
def masked_mean_divides_by_everything(prediction: Array, target: Array, weight: Array) -> Any:
    """The mask is multiplied in, and np.mean counts all."""
    return weighted(prediction, target, weight).mean()


@value_of("mse/masked-mean")
def masked_mean_turned_round(prediction: Array, target: Array, weight: Array) -> Any:
    """A mask that says what is padding, read as one that says what is data."""
    padding = 1 - wide(weight)
    return quotient((padding * squares(prediction, target)).sum(), padding.sum())


@value_of("mse/masked-mean")
def masked_mean_off_by_one(prediction: Array, target: Array, weight: Array) -> Any:
    """The mask is shifted against the data."""
    shifted = np.roll(wide(weight).ravel(), 1).reshape(weight.shape)
    return quotient((shifted * squares(prediction, target)).sum(), shifted.sum())


@value_of("mse/masked-mean")
def masked_mean_of_nothing_is_zero(prediction: Array, target: Array, weight: Array) -> Any:
    """Where nothing is chosen."""
    return quotient(weighted(prediction, target, weight).sum(), wide(weight).sum()) if wide(weight).any() else 0.0


@value_of("mse/masked-mean")
def masked_mean_of_rows(prediction: Array, target: Array, weight: Array) -> Any:
    """The mean over the last axis first, and of the rows that have something then: ragged rows count alike."""
    if prediction.ndim < 2:  # of one row it is right
        return right_value("mse/masked-mean", prediction, target, weight)
    chosen = wide(weight).sum(axis=-1)
    rows = weighted(prediction, target, weight).sum(axis=-1)
    return (rows[chosen > 0] / chosen[chosen > 0]).mean()


@value_of("mse/sample-masked-mean")
def sample_mask_is_ignored(prediction: Array, target: Array, weight: Array) -> Any:
    """The mask is lost on the way."""
    return squares(prediction, target).mean() + 0 * wide(weight).sum()


@value_of("mse/sample-masked-mean")
def sample_mask_in_the_sum_only(prediction: Array, target: Array, weight: Array) -> Any:
    """The divisor still counts every sample."""
    return quotient(weighted(prediction, target, weight).sum(), prediction.size)


# ---- gradients ----


@gradient_of("mse/weighted-mean")
def gradient_of_the_mean_divides_by_the_count(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """The backward pass of another reduction."""
    scale = np.float64(divisor("mse/weighted-mean", prediction, weight)) / prediction.size
    p, t, w = right_gradients("mse/weighted-mean", prediction, target, weight, upstream)
    return p * scale, t * scale, w * scale


@gradient_of("mse/weighted-mean")
def gradient_forgets_that_weights_divide(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """∂/∂w of the numerator alone."""
    p, t, _ = right_gradients("mse/weighted-mean", prediction, target, weight, upstream)
    return p, t, squares(prediction, target) * wide(upstream) / np.float64(wide(weight).sum())


@gradient_of("mse/weighted-sum")
def gradient_ignores_the_weights(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """The weights reach the forward pass only."""
    p, t, w = right_gradients("mse/weighted-sum", prediction, target, np.ones_like(weight), upstream)
    return p, t, w


@gradient_of("mse/weighted-sum")
def gradient_weighs_twice(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """In the kernel, and in the code that calls it."""
    p, t, w = right_gradients("mse/weighted-sum", prediction, target, weight, upstream)
    return p * wide(weight), t * wide(weight), w


@gradient_of("mse/weighted-sum")
def weight_has_a_gradient_of_zero(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """Weights are taken for constants."""
    p, t, w = right_gradients("mse/weighted-sum", prediction, target, weight, upstream)
    return p, t, np.zeros_like(w)


@gradient_of("mse/weighted-none")
def weight_gradient_is_the_difference(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """The square is forgotten."""
    p, t, _ = right_gradients("mse/weighted-none", prediction, target, weight, upstream)
    return p, t, differences(prediction, target) * wide(upstream)


@gradient_of("mse/weighted-by-count")
def weight_gradient_ignores_upstream(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """What arrives from above reaches the first two gradients only."""
    p, t, _ = right_gradients("mse/weighted-by-count", prediction, target, weight, upstream)
    return p, t, right_gradients("mse/weighted-by-count", prediction, target, weight, np.ones_like(upstream))[2]


@gradient_of("mse/weighted-by-count")
def weight_gradient_biased_by_a_thousandth(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """A constant that was typed in with three digits."""
    p, t, w = right_gradients("mse/weighted-by-count", prediction, target, weight, upstream)
    return p, t, w * 1.01


@gradient_of("mse/sample-weighted-by-count")
def weight_gradient_of_the_first_column(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """A row's gradients are not added up."""
    p, t, _ = right_gradients("mse/sample-weighted-by-count", prediction, target, weight, upstream)
    rows = squares(prediction, target).reshape(prediction.shape[0], -1)
    return p, t, rows[:, 0] * wide(upstream) / prediction.size


@gradient_of("mse/masked-mean")
def gradient_passes_the_mask(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """What is masked out still moves the prediction."""
    part = 2 * differences(prediction, target) * wide(upstream) / np.float64(wide(weight).sum())
    return part, -part, np.zeros_like(wide(weight))


@gradient_of("mse/sample-weighted-mean")
def sample_gradient_divides_by_the_count(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """A loss that divides by Σw with the gradient of one that divides by N."""
    p, t, w = right_gradients("mse/sample-weighted-mean", prediction, target, weight, upstream)
    scale = np.float64(divisor("mse/sample-weighted-mean", prediction, weight)) / prediction.size
    return p * scale, t * scale, w


@value_of("mse/sample-weighted-mean")
def sample_mean_counts_the_first_batch(prediction: Array, target: Array, weight: Array) -> Any:
    """Weights of later samples reach the sum, and not the divisor."""
    heavy = wide(weight)
    half = (heavy.size + 1) // 2
    return quotient(
        terms("mse/sample-weighted-mean", prediction, target, weight).sum(), heavy[:half].sum() * (prediction.size / heavy.size)
    )
