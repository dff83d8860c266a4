"""The entry points of CuPy: the mean squared error as people write it out."""

from __future__ import annotations

import cupy

from conformance.frameworks.helpers import EntryRow, implementations, streamed

MODES = ("eager",)
NAMES = {"cupy": cupy}

SQUARE = "cupy.square(prediction - target)"
PER_SAMPLE = f"cupy.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

ROWS: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"cupy.mean({SQUARE})"),
    ("written-out.sum", "sum", f"cupy.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"cupy.mean({SQUARE}, axis=-1)"),
    ("written-out.half-sum", "half-sum", f"cupy.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.root-mean", "root-mean", f"cupy.sqrt(cupy.mean({SQUARE}))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"cupy.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"cupy.mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"cupy.sum(weight * {SQUARE}) / cupy.sum(weight)"),
    ("written-out.masked-mean", "masked-mean", f"cupy.mean({SQUARE}[{MASK}])"),
)

STREAMS: tuple[EntryRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        'sum(cupy.sum(cupy.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)',
    ),
)

IMPLEMENTATIONS = (
    *implementations(ROWS, NAMES, MODES),
    *streamed(STREAMS, NAMES, MODES),
)
