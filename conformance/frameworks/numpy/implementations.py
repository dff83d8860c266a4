"""The entry points of NumPy: the mean squared error as people write it out."""

from __future__ import annotations

import numpy as np

from conformance.frameworks.base import Refused
from conformance.frameworks.helpers import DTYPES as EVERY_DTYPE
from conformance.frameworks.helpers import EntryRow, compiled, implementations, streamed
from conformance.numerics.formats import BFLOAT16, Array

MODES = ("eager",)
DTYPES = tuple(name for name in EVERY_DTYPE if name != "bfloat16" or BFLOAT16.fields is None)
"""NumPy has no bfloat16 of its own: without ml_dtypes it is a structure of bits, with which nothing can be computed."""
NAMES = {"np": np}

SQUARE = "np.square(prediction - target)"
PER_SAMPLE = f"np.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

ROWS: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"np.mean({SQUARE})"),
    ("written-out.sum", "sum", f"np.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"np.mean({SQUARE}, axis=-1)"),
    ("written-out.half-sum", "half-sum", f"np.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"np.sum(np.mean({SQUARE}, axis=-1))"),
    ("written-out.root-mean", "root-mean", f"np.sqrt(np.mean({SQUARE}))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"np.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"np.mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"np.sum(weight * {SQUARE}) / np.sum(weight)"),
    ("average.weighted-mean", "weighted-mean", f"np.average({SQUARE}, weights=weight)"),
    ("written-out.weighted-by-nonzero", "weighted-by-nonzero", f"np.sum(weight * {SQUARE}) / np.count_nonzero(weight)"),
    ("written-out.sample-weighted-by-count", "sample-weighted-by-count", f"np.mean(weight * {PER_SAMPLE})"),
    ("written-out.sample-weighted-sum", "sample-weighted-sum", f"np.sum(weight * np.mean({SQUARE}, axis=-1).T)"),
    ("average.sample-weighted-mean", "sample-weighted-mean", f"np.average({PER_SAMPLE}, weights=weight)"),
    ("mean-where", "masked-mean", f"np.mean({SQUARE}, where={MASK})"),
    ("written-out.masked-mean", "masked-mean", f"np.mean({SQUARE}[{MASK}])"),
    ("written-out.sample-masked-mean", "sample-masked-mean", f"np.mean({SQUARE}[{MASK}])"),
)

STREAMS: tuple[EntryRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        "sum(np.sum(np.square(np.subtract(p, t, dtype=np.float64))) for p, t in batches) / sum(p.size for p, t in batches)",
    ),
)

RETURNED_AS_ARRAYS = (
    *("written-out.mean", "written-out.sum", "written-out.none", "written-out.last-axis", "written-out.per-sample"),
    *("average.weighted-mean", "average.sample-weighted-mean"),
)
"""Entry points of which a plain call returns an array of no axes, where NumPy returns a scalar."""


def _called(row: EntryRow) -> EntryRow:
    """A row with what is called: ``np.average`` documents a ZeroDivisionError, of weights that sum to zero."""
    name, operation, entry = row[:3]
    if name not in RETURNED_AS_ARRAYS:
        return row
    call = compiled(entry, NAMES)

    def array(*arguments: Array) -> Array:
        try:
            return np.asarray(call(*arguments))
        except ZeroDivisionError as error:
            raise Refused(f"np.average raised ZeroDivisionError: {error}") from error

    return name, operation, entry, array


IMPLEMENTATIONS = (
    *implementations(map(_called, ROWS), NAMES, MODES, DTYPES),
    *streamed(STREAMS, NAMES, MODES, DTYPES),
)
