"""The entry points of MLX: ``mlx.nn.losses.mse_loss`` and the forms that people write out."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn

from conformance.frameworks.helpers import EntryRow, implementations, streamed

MODES = ("eager", "compile")
NAMES = {"mlx": mlx, "mx": mx}


def _square(prediction: mx.array, target: mx.array) -> mx.array:
    return mx.square(prediction - target)


def _masked(square: mx.array, weight: mx.array) -> mx.array:
    """MLX chooses no elements by a mask of booleans, so that those left out are replaced; nor has it a gradient through a cast to one."""
    mask = mx.broadcast_to(mx.stop_gradient(weight).astype(mx.bool_), square.shape)
    return mx.sum(mx.where(mask, square, 0)) / mx.sum(mask)


def _sample_masked(prediction: mx.array, target: mx.array, weight: mx.array) -> mx.array:
    return _masked(_square(prediction, target), weight.reshape(-1, *[1] * (prediction.ndim - 1)))


FUNCTION = "mlx.nn.losses.mse_loss"
SQUARE = "mx.square(prediction - target)"
PER_SAMPLE = f"mx.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "mx.stop_gradient(weight).astype(mx.bool_)"
BY_SAMPLE = f"mx.broadcast_to({MASK}.reshape(-1, *[1] * (prediction.ndim - 1)), prediction.shape)"

LIBRARY: tuple[EntryRow, ...] = tuple(
    (
        f"mse_loss.{reduction}",
        reduction,
        f'{FUNCTION}(prediction, target, reduction="{reduction}")',
    )
    for reduction in ("mean", "sum", "none")
)
WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"mx.mean({SQUARE})"),
    ("written-out.sum", "sum", f"mx.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"mx.mean({SQUARE}, axis=-1)"),
    ("written-out.half-sum", "half-sum", f"mx.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"mx.sum(mx.mean({SQUARE}, axis=-1))"),
    ("written-out.root-mean", "root-mean", f"mx.sqrt(mx.mean({SQUARE}))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"mx.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"mx.mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"mx.sum(weight * {SQUARE}) / mx.sum(weight)"),
    ("written-out.weighted-by-nonzero", "weighted-by-nonzero", f"mx.sum(weight * {SQUARE}) / mx.sum(weight != 0)"),
    ("written-out.sample-weighted-by-count", "sample-weighted-by-count", f"mx.mean(weight * {PER_SAMPLE})"),
    ("written-out.sample-weighted-mean", "sample-weighted-mean", f"mx.sum(weight * {PER_SAMPLE}) / mx.sum(weight)"),
    ("written-out.sample-weighted-sum", "sample-weighted-sum", f"mx.sum(weight * mx.mean({SQUARE}, axis=-1).T)"),
    (
        "where.masked-mean",
        "masked-mean",
        f"mx.sum(mx.where({MASK}, {SQUARE}, 0)) / mx.sum({MASK})",
        lambda p, t, w: _masked(_square(p, t), w),
    ),
    (
        "where.sample-masked-mean",
        "sample-masked-mean",
        f"(lambda mask: mx.sum(mx.where(mask, {SQUARE}, 0)) / mx.sum(mask))({BY_SAMPLE})",
        _sample_masked,
    ),
)

STREAMS: tuple[EntryRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        "sum(mx.sum(mx.square(p.astype(mx.float32) - t.astype(mx.float32))) for p, t in batches) / sum(p.size for p, t in batches)",
    ),
)

IMPLEMENTATIONS = (
    *implementations((*LIBRARY, *WRITTEN_OUT), NAMES, MODES),
    # In float32, the widest float of every device of MLX: float64 inputs would lose half their digits.
    *streamed(STREAMS, NAMES, MODES, ("float16", "bfloat16", "float32")),
)
