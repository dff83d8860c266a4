"""The entry points of PyTorch: ``mse_loss``, ``MSELoss`` and the forms that people write out."""

from __future__ import annotations

import inspect

import torch
from torch.nn.functional import mse_loss

from conformance.frameworks.helpers import EntryRow, implementations, streamed
from conformance.frameworks.vmap import VMAP

COMPILES = hasattr(torch, "compile") and hasattr(torch, "compiler")  # the latter tells what was compiled
BATCHES = hasattr(torch, "vmap") and hasattr(torch, "func")
MODES = ("eager", "compile") if COMPILES else ("eager",)
NAMES = {"torch": torch}
TAKES_WEIGHT = "weight" in inspect.signature(mse_loss).parameters  # mse_loss of the oldest supported versions does not

FUNCTION = "torch.nn.functional.mse_loss"
SQUARE = "torch.square(prediction - target)"
PER_SAMPLE = f"{SQUARE}.reshape(prediction.shape[0], -1).mean(dim=1)"
MASK = "weight.bool()"

REDUCTIONS = ("mean", "sum", "none")
LIBRARY: tuple[EntryRow, ...] = tuple(
    row
    for reduction in REDUCTIONS
    for row in (
        (
            f"mse_loss.{reduction}",
            reduction,
            f'{FUNCTION}(prediction, target, reduction="{reduction}")',
        ),
        (
            f"MSELoss.{reduction}",
            reduction,
            f'torch.nn.MSELoss(reduction="{reduction}")(prediction, target)',
            torch.nn.MSELoss(reduction=reduction),
        ),
    )
)
WEIGHTED: tuple[EntryRow, ...] = tuple(
    (
        f"mse_loss.weighted-{reduction}",
        f"weighted-{reduction}",
        f'{FUNCTION}(prediction, target, reduction="{reduction}", weight=weight)',
    )
    for reduction in REDUCTIONS
    if TAKES_WEIGHT
)
WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"torch.mean({SQUARE})"),
    ("written-out.sum", "sum", f"torch.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"torch.mean({SQUARE}, dim=-1)"),
    ("written-out.half-sum", "half-sum", f"torch.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"torch.mean({SQUARE}, dim=-1).sum()"),
    ("written-out.root-mean", "root-mean", f"torch.sqrt(torch.mean({SQUARE}))"),
    ("mse_loss.root-mean", "root-mean", f"torch.sqrt({FUNCTION}(prediction, target))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"torch.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"torch.mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"torch.sum(weight * {SQUARE}) / torch.sum(weight)"),
    ("written-out.weighted-by-nonzero", "weighted-by-nonzero", f"torch.sum(weight * {SQUARE}) / torch.count_nonzero(weight)"),
    ("written-out.sample-weighted-by-count", "sample-weighted-by-count", f"torch.mean(weight * {PER_SAMPLE})"),
    ("written-out.sample-weighted-mean", "sample-weighted-mean", f"torch.sum(weight * {PER_SAMPLE}) / torch.sum(weight)"),
    ("written-out.sample-weighted-sum", "sample-weighted-sum", f"torch.sum(weight * torch.mean({SQUARE}, dim=-1).movedim(0, -1))"),
    ("mse_loss.masked-mean", "masked-mean", f"{FUNCTION}(prediction[{MASK}], target[{MASK}])"),
    ("written-out.masked-mean", "masked-mean", f"torch.mean({SQUARE}[{MASK}])"),
    ("written-out.sample-masked-mean", "sample-masked-mean", f"torch.mean({SQUARE}[{MASK}])"),
)

COUNT = "sum(p.numel() for p, t in batches)"
IN_DOUBLE: tuple[EntryRow, ...] = (
    ("written-out.by-batch", "mean", f"sum((p.double() - t.double()).square().sum() for p, t in batches) / {COUNT}"),
)
IN_ITS_DTYPE: tuple[EntryRow, ...] = (
    ("mse_loss.by-batch", "mean", f'sum({FUNCTION}(p, t, reduction="sum") for p, t in batches) / {COUNT}'),
)

IMPLEMENTATIONS = (
    *implementations((*LIBRARY, *WEIGHTED, *WRITTEN_OUT), NAMES, (*MODES, VMAP) if BATCHES else MODES),
    *streamed(IN_DOUBLE, NAMES, MODES),
    # The sum of a batch has the inputs' dtype, in which a half format would round or overflow it before anything divides.
    *streamed(IN_ITS_DTYPE, NAMES, MODES, ("float32", "float64")),
)
