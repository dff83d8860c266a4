"""Wrong as a stream: each is right on the whole, and its batches do not make the whole. Values and gradients are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, Batches, squares, streams

_never_reset = {"total": 0.0, "count": 0}
_half_reset = {"total": 0.0}


def _sum_of(batches: Batches) -> Any:
    return sum(squares(*batch).sum() for batch in batches)


def _count_of(batches: Batches) -> int:
    return sum(prediction.size for prediction, _ in batches)


def _mean(prediction: Array, target: Array) -> Any:
    """Of nothing it is 0, so that an empty batch is not what gives a mutant away."""
    return squares(prediction, target).mean() if prediction.size else 0.0


@streams("mse/mean")
def streams_the_mean_of_means(batches: Batches) -> Any:
    """The mean of the batches' means: a short last batch weighs as much as a long one."""
    return np.mean([_mean(*batch) for batch in batches if batch[0].size])


@streams("mse/mean")
def averages_the_means_of_vectors(batches: Batches) -> Any:
    """Every batch counts its rows, of which a vector is a single one."""
    filled = [batch for batch in batches if batch[0].size]
    rows = [prediction.shape[0] if prediction.ndim > 1 else 1 for prediction, _ in filled]
    return np.average([_mean(*batch) for batch in filled], weights=rows)


@streams("mse/mean")
def forgets_a_short_last_batch(batches: Batches) -> Any:
    """Only full batches are processed, as where a loader drops its remainder."""
    full = batches[0][0].shape[0]
    kept = batches[:-1] if batches[-1][0].shape[0] < full else batches
    return _sum_of(kept) / _count_of(kept)


@streams("mse/mean")
def drops_the_first_batch(batches: Batches) -> Any:
    """The first batch builds the state and is not added to it."""
    kept = batches[1:] if len(batches) > 1 else batches
    return _sum_of(kept) / max(_count_of(kept), 1)


@streams("mse/mean")
def drops_the_last_batch(batches: Batches) -> Any:
    """The result is read before the last update has arrived."""
    kept = batches[:-1] if len(batches) > 1 else batches
    return _sum_of(kept) / max(_count_of(kept), 1)


@streams("mse/mean")
def returns_the_last_batch(batches: Batches) -> Any:
    """The loss that is printed is that of the last batch."""
    return _mean(*batches[-1])


@streams("mse/mean")
def counts_batches(batches: Batches) -> Any:
    """Sums of squares divided by the number of batches."""
    return _sum_of(batches) / len(batches)


@streams("mse/mean")
def counts_rows(batches: Batches) -> Any:
    """Sums of squares divided by the number of rows: right for a vector only."""
    return _sum_of(batches) / sum(prediction.shape[0] for prediction, _ in batches)


@streams("mse/mean")
def counts_every_batch_as_long_as_the_first(batches: Batches) -> Any:
    """The number of steps times the batch size, of which the last batch has less."""
    return _sum_of(batches) / (len(batches) * max(batches[0][0].size, 1))


@streams("mse/mean")
def pads_the_last_batch(batches: Batches) -> Any:
    """A short last batch is filled up with its last row, which then counts more than once."""
    full, (prediction, target) = batches[0][0].shape[0], batches[-1]
    missing = max(full - prediction.shape[0], 0) if prediction.size else 0
    fill = [(prediction[-1:], target[-1:])] * missing
    return _sum_of([*batches, *fill]) / _count_of([*batches, *fill])


@streams("mse/mean")
def halves_the_past(batches: Batches) -> Any:
    """A running mean in which every new batch weighs one half."""
    found = _mean(*batches[0])
    for batch in batches[1:]:
        found = (found + _mean(*batch)) / 2
    return found


@streams("mse/mean")
def weighs_by_the_batches_before(batches: Batches) -> Any:
    """A running mean whose weight is taken before the count is updated."""
    found, count = _mean(*batches[0]), batches[0][0].size
    for batch in batches[1:]:
        found += (_mean(*batch) - found) * batch[0].size / max(count, 1)
        count += batch[0].size
    return found


@streams("mse/mean")
def never_resets(batches: Batches) -> Any:
    """What was accumulated is kept from one epoch to the next."""
    _never_reset["total"] += float(_sum_of(batches))
    _never_reset["count"] += _count_of(batches)
    return np.float64(_never_reset["total"]) / max(_never_reset["count"], 1)


@streams("mse/mean")
def resets_the_count_alone(batches: Batches) -> Any:
    """The sum of squares survives the reset, as a second state that was added later."""
    _half_reset["total"] += float(_sum_of(batches))
    return _half_reset["total"] / max(_count_of(batches), 1)


@streams("mse/mean")
def nothing_makes_it_nan(batches: Batches) -> Any:
    """The mean of each batch is weighted by its length, and 0 times the mean of nothing is no number."""
    with np.errstate(invalid="ignore"):
        return sum(squares(*batch).sum() / np.float64(batch[0].size) * batch[0].size for batch in batches) / _count_of(batches)


@streams("mse/mean")
def counts_nothing_as_one(batches: Batches) -> Any:
    """A batch has at least one element, so that nobody divides by zero."""
    return _sum_of(batches) / sum(max(prediction.size, 1) for prediction, _ in batches)


@streams("mse/mean")
def keeps_its_sum_in_half_precision(batches: Batches) -> Any:
    """The state is a float16 where the loss is wider; half precision itself is spared."""
    narrower = np.float16 if batches[0][0].dtype.itemsize > 2 else np.float64
    total = narrower(0)
    for batch in batches:
        total += narrower(squares(*batch).sum())
    return np.float64(total) / max(_count_of(batches), 1)


@streams("mse/sum")
def averages_the_sums_of_batches(batches: Batches) -> Any:
    """A sum over each batch, and a mean over the batches."""
    return _sum_of(batches) / len(batches)


@streams("mse/sum")
def adds_what_was_added_before(batches: Batches) -> Any:
    """Each update adds the running total instead of the batch."""
    total = running = 0.0
    for batch in batches:
        running += squares(*batch).sum()
        total += running
    return total
