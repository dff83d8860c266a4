"""The entry points of CuPy: the mean squared error as people write it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy

from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, streamed, sum_batches

MODES = ("eager",)


def _square(prediction: Any, target: Any) -> Any:
    return cupy.square(prediction - target)


def _per_sample(prediction: Any, target: Any) -> Any:
    return cupy.mean(_square(prediction, target), axis=tuple(range(1, prediction.ndim)))


SQUARE = "cupy.square(prediction - target)"
PER_SAMPLE = f"cupy.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

ROWS: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"cupy.mean({SQUARE})", lambda p, t: cupy.mean(_square(p, t))),
    ("written-out.sum", "sum", f"cupy.sum({SQUARE})", lambda p, t: cupy.sum(_square(p, t))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"cupy.mean({SQUARE}, axis=-1)", lambda p, t: cupy.mean(_square(p, t), axis=-1)),
    ("written-out.half-sum", "half-sum", f"cupy.sum({SQUARE}) / 2", lambda p, t: cupy.sum(_square(p, t)) / 2),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    ("written-out.root-mean", "root-mean", f"cupy.sqrt(cupy.mean({SQUARE}))", lambda p, t: cupy.sqrt(cupy.mean(_square(p, t)))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"cupy.sum(weight * {SQUARE})", lambda p, t, w: cupy.sum(w * _square(p, t))),
    ("written-out.weighted-by-count", "weighted-by-count", f"cupy.mean(weight * {SQUARE})", lambda p, t, w: cupy.mean(w * _square(p, t))),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"cupy.sum(weight * {SQUARE}) / cupy.sum(weight)",
        lambda p, t, w: cupy.sum(w * _square(p, t)) / cupy.sum(w),
    ),
    ("written-out.masked-mean", "masked-mean", f"cupy.mean({SQUARE}[{MASK}])", lambda p, t, w: cupy.mean(_square(p, t)[w.astype(bool)])),
)


def _by_batch(batches: Sequence[tuple[Any, Any]]) -> Any:
    return sum(cupy.sum(cupy.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)


STREAMS: tuple[StreamRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        'sum(cupy.sum(cupy.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)',
        _by_batch,
    ),
)

IMPLEMENTATIONS = (
    *implementations(ROWS, MODES, {"written-out.sum": sum_batches(lambda p, t: cupy.sum(_square(p, t)))}),
    *streamed(STREAMS, MODES),
)
