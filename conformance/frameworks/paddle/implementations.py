"""The entry points of PaddlePaddle: ``mse_loss``, ``MSELoss``, ``square_error_cost`` and the forms that people write out."""

from __future__ import annotations

import paddle
from paddle import Tensor

from conformance.frameworks.helpers import EntryRow, implementations, streamed

MODES = ("eager", "graph")
NAMES = {"paddle": paddle}


def _per_sample(prediction: Tensor, target: Tensor) -> Tensor:
    """PaddlePaddle takes no axes for all of them, where they are samples of one number."""
    square = paddle.square(prediction - target)
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
            ),
            (
                f"MSELoss.{reduction}",
                reduction,
                f'paddle.nn.MSELoss(reduction="{reduction}")(prediction, target)',
                paddle.nn.MSELoss(reduction=reduction),
            ),
        )
    ),
    ("square_error_cost", "none", "paddle.nn.functional.square_error_cost(prediction, target)"),
)
WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"paddle.mean({SQUARE})"),
    ("written-out.sum", "sum", f"paddle.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"paddle.mean({SQUARE}, axis=-1)"),
    ("written-out.half-sum", "half-sum", f"paddle.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"paddle.sum(paddle.mean({SQUARE}, axis=-1))"),
    ("written-out.root-mean", "root-mean", f"paddle.sqrt(paddle.mean({SQUARE}))"),
    ("mse_loss.root-mean", "root-mean", f"paddle.sqrt({FUNCTION}(prediction, target))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"paddle.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"paddle.mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"paddle.sum(weight * {SQUARE}) / paddle.sum(weight)"),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"paddle.sum(weight * {SQUARE}) / paddle.count_nonzero(weight).astype(weight.dtype)",
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
    ),
    ("mse_loss.masked-mean", "masked-mean", f"{FUNCTION}(prediction[{MASK}], target[{MASK}])"),
    ("written-out.masked-mean", "masked-mean", f"paddle.mean({SQUARE}[{MASK}])"),
    ("written-out.sample-masked-mean", "sample-masked-mean", f"paddle.mean({SQUARE}[{MASK}])"),
)

STREAMS: tuple[EntryRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        'sum(paddle.sum(paddle.square(p.astype("float64") - t.astype("float64"))) for p, t in batches) / sum(p.size for p, t in batches)',
    ),
)

IMPLEMENTATIONS = (
    *implementations((*LIBRARY, *WRITTEN_OUT), NAMES, MODES),
    *streamed(STREAMS, NAMES, ("eager",)),  # in a graph a size is not known before it runs
)
