"""Right, and different, as a stream: other ways of bringing batches together. None may be accused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Batches, accumulator, differences, squares, streams


@streams("mse/mean")
def streams_sum_and_count(batches: Batches) -> Any:
    """The sum of squares and the number of elements in float64, divided at the end."""
    return sum(squares(*batch).sum() for batch in batches) / sum(prediction.size for prediction, _ in batches)


@streams("mse/mean")
def streams_in_the_accumulator(batches: Batches) -> Any:
    """Squares in the inputs' dtype, sums in the accumulator of the error model, one rounding each."""
    kind = accumulator(batches[0][0]).type
    total = kind(0)
    for prediction, target in batches:
        total += np.square(prediction - target).astype(kind).sum(dtype=kind)
    return total / kind(sum(prediction.size for prediction, _ in batches))


@streams("mse/mean")
def streams_backwards(batches: Batches) -> Any:
    """The last batch first."""
    return sum(squares(*batch).sum() for batch in reversed(batches)) / sum(prediction.size for prediction, _ in batches)


@streams("mse/mean")
def streams_with_compensation(batches: Batches) -> Any:
    """Kahan's sum over all elements, in the accumulator's format."""
    kind = accumulator(batches[0][0]).type
    total, lost = kind(0), kind(0)
    for prediction, target in batches:
        for square in np.square(prediction - target).ravel().astype(kind):
            summand = square - lost
            new = total + summand
            lost = (new - total) - summand
            total = new
    return total / kind(sum(prediction.size for prediction, _ in batches))


@streams("mse/mean")
def streams_a_running_mean(batches: Batches) -> Any:
    """Welford's update of a mean, batch by batch, in extended precision; nothing moves it by nothing."""
    mean, count = np.longdouble(0), 0
    for prediction, target in batches:
        if prediction.size:
            count += prediction.size
            mean += (squares(prediction, target).astype(np.longdouble).mean() - mean) * prediction.size / count
    return mean


@streams("mse/mean")
def streams_pair_by_pair(batches: Batches) -> Any:
    """Batches are merged two by two, as replicas are, until one is left."""
    parts = [(squares(*batch).sum(), batch[0].size) for batch in batches]
    while len(parts) > 1:
        parts = [
            (sum(total for total, _ in pair), sum(count for _, count in pair))
            for pair in (parts[i : i + 2] for i in range(0, len(parts), 2))
        ]
    return parts[0][0] / parts[0][1]


@streams("mse/mean")
def streams_after_joining(batches: Batches) -> Any:
    """Keeps the batches, and computes the loss of all of them at the end."""
    return np.concatenate([squares(*batch) for batch in batches]).mean()


@streams("mse/mean")
def refuses_empty_batches(batches: Batches) -> Any:
    """A batch without rows is a mistake of the caller's, and is said to be one."""
    if not all(prediction.size for prediction, _ in batches):
        raise ValueError("found a batch without rows")
    return sum(squares(*batch).sum() for batch in batches) / sum(prediction.size for prediction, _ in batches)


@streams("mse/sum")
def streams_a_sum_exactly(batches: Batches) -> Any:
    """Every square exactly rounded together with all others, by math.fsum."""
    return math.fsum(square for batch in batches for square in np.square(differences(*batch)).ravel())
