"""The entry points of NumPy: the mean squared error as people write it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.frameworks.base import Refused
from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, streamed, sum_batches
from conformance.numerics.formats import Array

MODES = ("eager",)


def _square(prediction: Array, target: Array) -> Array:
    return np.asarray(np.square(prediction - target))


def _per_sample(prediction: Array, target: Array) -> Array:
    return np.asarray(np.mean(_square(prediction, target), axis=tuple(range(1, prediction.ndim))))


def _average(square: Array, weight: Array) -> Array:
    """Of weights that sum to zero it documents a ZeroDivisionError."""
    try:
        return np.asarray(np.average(square, weights=weight))
    except ZeroDivisionError as error:
        raise Refused(f"np.average raised ZeroDivisionError: {error}") from error


SQUARE = "np.square(prediction - target)"
PER_SAMPLE = f"np.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

ROWS: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"np.mean({SQUARE})", lambda p, t: np.asarray(np.mean(_square(p, t)))),
    ("written-out.sum", "sum", f"np.sum({SQUARE})", lambda p, t: np.asarray(np.sum(_square(p, t)))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"np.mean({SQUARE}, axis=-1)", lambda p, t: np.asarray(np.mean(_square(p, t), axis=-1))),
    ("written-out.half-sum", "half-sum", f"np.sum({SQUARE}) / 2", lambda p, t: np.sum(_square(p, t)) / 2),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    (
        "written-out.sum-of-row-means",
        "sum-of-row-means",
        f"np.sum(np.mean({SQUARE}, axis=-1))",
        lambda p, t: np.sum(np.mean(_square(p, t), axis=-1)),
    ),
    ("written-out.root-mean", "root-mean", f"np.sqrt(np.mean({SQUARE}))", lambda p, t: np.sqrt(np.mean(_square(p, t)))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"np.sum(weight * {SQUARE})", lambda p, t, w: np.sum(w * _square(p, t))),
    ("written-out.weighted-by-count", "weighted-by-count", f"np.mean(weight * {SQUARE})", lambda p, t, w: np.mean(w * _square(p, t))),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"np.sum(weight * {SQUARE}) / np.sum(weight)",
        lambda p, t, w: np.sum(w * _square(p, t)) / np.sum(w),
    ),
    (
        "average.weighted-mean",
        "weighted-mean",
        f"np.average({SQUARE}, weights=weight)",
        lambda p, t, w: _average(_square(p, t), w),
    ),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"np.sum(weight * {SQUARE}) / np.count_nonzero(weight)",
        lambda p, t, w: np.sum(w * _square(p, t)) / np.count_nonzero(w),
    ),
    (
        "written-out.sample-weighted-by-count",
        "sample-weighted-by-count",
        f"np.mean(weight * {PER_SAMPLE})",
        lambda p, t, w: np.mean(w * _per_sample(p, t)),
    ),
    (
        "written-out.sample-weighted-sum",
        "sample-weighted-sum",
        f"np.sum(weight * np.mean({SQUARE}, axis=-1).T)",
        lambda p, t, w: np.sum(w * np.mean(_square(p, t), axis=-1).T),
    ),
    (
        "average.sample-weighted-mean",
        "sample-weighted-mean",
        f"np.average({PER_SAMPLE}, weights=weight)",
        lambda p, t, w: _average(_per_sample(p, t), w),
    ),
    ("mean-where", "masked-mean", f"np.mean({SQUARE}, where={MASK})", lambda p, t, w: np.mean(_square(p, t), where=w.astype(bool))),
    ("written-out.masked-mean", "masked-mean", f"np.mean({SQUARE}[{MASK}])", lambda p, t, w: np.mean(_square(p, t)[w.astype(bool)])),
    (
        "written-out.sample-masked-mean",
        "sample-masked-mean",
        f"np.mean({SQUARE}[{MASK}])",
        lambda p, t, w: np.mean(_square(p, t)[w.astype(bool)]),
    ),
)


def _by_batch(batches: Sequence[tuple[Array, Array]]) -> Any:
    return sum(np.sum(np.square(np.subtract(p, t, dtype=np.float64))) for p, t in batches) / sum(p.size for p, t in batches)


STREAMS: tuple[StreamRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        "sum(np.sum(np.square(np.subtract(p, t, dtype=np.float64))) for p, t in batches) / sum(p.size for p, t in batches)",
        _by_batch,
    ),
)

IMPLEMENTATIONS = (
    *implementations(ROWS, MODES, {"written-out.sum": sum_batches(lambda p, t: np.asarray(np.sum(_square(p, t))))}),
    *streamed(STREAMS, MODES),
)
