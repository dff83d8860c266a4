"""The entry points of PaddlePaddle: ``mse_loss``, ``MSELoss``, ``square_error_cost`` and the forms that people write out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import paddle
from paddle import Tensor
from paddle.nn.functional import mse_loss, square_error_cost

from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, streamed, sum_batches

MODES = ("eager", "graph")


def _square(prediction: Tensor, target: Tensor) -> Tensor:
    return paddle.square(prediction - target)


def _per_sample(prediction: Tensor, target: Tensor) -> Tensor:
    square = _square(prediction, target)
    return paddle.mean(square, axis=list(range(1, square.ndim))) if square.ndim > 1 else square


FUNCTION = "paddle.nn.functional.mse_loss"
SQUARE = "paddle.square(prediction - target)"
PER_SAMPLE = f"paddle.mean({SQUARE}, axis=list(range(1, prediction.ndim)))"
MASK = 'weight.astype("bool")'

LIBRARY: tuple[EntryRow, ...] = (
    *(
        row
        for reduction in ("mean", "sum", "none")
        for row in (
            (
                f"mse_loss.{reduction}",
                reduction,
                f'{FUNCTION}(prediction, target, reduction="{reduction}")',
                partial(mse_loss, reduction=reduction),
            ),
            (
                f"MSELoss.{reduction}",
                reduction,
                f'paddle.nn.MSELoss(reduction="{reduction}")(prediction, target)',
                paddle.nn.MSELoss(reduction=reduction),
            ),
        )
    ),
    ("square_error_cost", "none", "paddle.nn.functional.square_error_cost(prediction, target)", square_error_cost),
)
WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"paddle.mean({SQUARE})", lambda p, t: paddle.mean(_square(p, t))),
    ("written-out.sum", "sum", f"paddle.sum({SQUARE})", lambda p, t: paddle.sum(_square(p, t))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"paddle.mean({SQUARE}, axis=-1)", lambda p, t: paddle.mean(_square(p, t), axis=-1)),
    ("written-out.half-sum", "half-sum", f"paddle.sum({SQUARE}) / 2", lambda p, t: paddle.sum(_square(p, t)) / 2),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    (
        "written-out.sum-of-row-means",
        "sum-of-row-means",
        f"paddle.sum(paddle.mean({SQUARE}, axis=-1))",
        lambda p, t: paddle.sum(paddle.mean(_square(p, t), axis=-1)),
    ),
    ("written-out.root-mean", "root-mean", f"paddle.sqrt(paddle.mean({SQUARE}))", lambda p, t: paddle.sqrt(paddle.mean(_square(p, t)))),
    ("mse_loss.root-mean", "root-mean", f"paddle.sqrt({FUNCTION}(prediction, target))", lambda p, t: paddle.sqrt(mse_loss(p, t))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"paddle.sum(weight * {SQUARE})", lambda p, t, w: paddle.sum(w * _square(p, t))),
    (
        "written-out.weighted-by-count",
        "weighted-by-count",
        f"paddle.mean(weight * {SQUARE})",
        lambda p, t, w: paddle.mean(w * _square(p, t)),
    ),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"paddle.sum(weight * {SQUARE}) / paddle.sum(weight)",
        lambda p, t, w: paddle.sum(w * _square(p, t)) / paddle.sum(w),
    ),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"paddle.sum(weight * {SQUARE}) / paddle.count_nonzero(weight).astype(weight.dtype)",
        lambda p, t, w: paddle.sum(w * _square(p, t)) / paddle.count_nonzero(w).astype(w.dtype),
    ),
    (
        "written-out.sample-weighted-by-count",
        "sample-weighted-by-count",
        f"paddle.mean(weight * {PER_SAMPLE})",
        lambda p, t, w: paddle.mean(w * _per_sample(p, t)),
    ),
    (
        "written-out.sample-weighted-mean",
        "sample-weighted-mean",
        f"paddle.sum(weight * {PER_SAMPLE}) / paddle.sum(weight)",
        lambda p, t, w: paddle.sum(w * _per_sample(p, t)) / paddle.sum(w),
    ),
    (
        "written-out.sample-weighted-sum",
        "sample-weighted-sum",
        f"paddle.sum(weight * paddle.moveaxis(paddle.mean({SQUARE}, axis=-1), 0, -1))",
        lambda p, t, w: paddle.sum(w * paddle.moveaxis(paddle.mean(_square(p, t), axis=-1), 0, -1)),
    ),
    (
        "mse_loss.masked-mean",
        "masked-mean",
        f"{FUNCTION}(prediction[{MASK}], target[{MASK}])",
        lambda p, t, w: mse_loss(p[w.astype("bool")], t[w.astype("bool")]),
    ),
    (
        "written-out.masked-mean",
        "masked-mean",
        f"paddle.mean({SQUARE}[{MASK}])",
        lambda p, t, w: paddle.mean(_square(p, t)[w.astype("bool")]),
    ),
    (
        "written-out.sample-masked-mean",
        "sample-masked-mean",
        f"paddle.mean({SQUARE}[{MASK}])",
        lambda p, t, w: paddle.mean(_square(p, t)[w.astype("bool")]),
    ),
)


def _by_batch(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    return sum(paddle.sum(paddle.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)


STREAMS: tuple[StreamRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        'sum(paddle.sum(paddle.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)',
        _by_batch,
    ),
)

IMPLEMENTATIONS = (
    *implementations((*LIBRARY, *WRITTEN_OUT), MODES, {"written-out.sum": sum_batches(lambda p, t: paddle.sum(_square(p, t)))}),
    *streamed(STREAMS, ("eager",)),  # in a graph a size is not known before it runs
)
