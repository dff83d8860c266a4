"""The entry points of PyTorch: ``mse_loss``, ``MSELoss`` and the forms that people write out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, streamed, sum_batches
from conformance.frameworks.vmap import VMAP

MODES = ("eager", "compile")
TAKES_WEIGHT = "weight" in inspect.signature(mse_loss).parameters  # mse_loss of the oldest supported versions does not


def _square(prediction: Tensor, target: Tensor) -> Tensor:
    return torch.square(prediction - target)


def _per_sample(prediction: Tensor, target: Tensor) -> Tensor:
    return _square(prediction, target).reshape(prediction.shape[0], -1).mean(dim=1)


def _weighted(reduction: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    loss: Callable[..., Tensor] = mse_loss  # whose stubs know no weight

    def call(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return loss(prediction, target, reduction=reduction, weight=weight)

    return call


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
            partial(mse_loss, reduction=reduction),
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
        _weighted(reduction),
    )
    for reduction in REDUCTIONS
    if TAKES_WEIGHT
)
WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"torch.mean({SQUARE})", lambda p, t: torch.mean(_square(p, t))),
    ("written-out.sum", "sum", f"torch.sum({SQUARE})", lambda p, t: torch.sum(_square(p, t))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"torch.mean({SQUARE}, dim=-1)", lambda p, t: torch.mean(_square(p, t), dim=-1)),
    ("written-out.half-sum", "half-sum", f"torch.sum({SQUARE}) / 2", lambda p, t: torch.sum(_square(p, t)) / 2),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    (
        "written-out.sum-of-row-means",
        "sum-of-row-means",
        f"torch.mean({SQUARE}, dim=-1).sum()",
        lambda p, t: torch.mean(_square(p, t), dim=-1).sum(),
    ),
    ("written-out.root-mean", "root-mean", f"torch.sqrt(torch.mean({SQUARE}))", lambda p, t: torch.sqrt(torch.mean(_square(p, t)))),
    ("mse_loss.root-mean", "root-mean", f"torch.sqrt({FUNCTION}(prediction, target))", lambda p, t: torch.sqrt(mse_loss(p, t))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"torch.sum(weight * {SQUARE})", lambda p, t, w: torch.sum(w * _square(p, t))),
    ("written-out.weighted-by-count", "weighted-by-count", f"torch.mean(weight * {SQUARE})", lambda p, t, w: torch.mean(w * _square(p, t))),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"torch.sum(weight * {SQUARE}) / torch.sum(weight)",
        lambda p, t, w: torch.sum(w * _square(p, t)) / torch.sum(w),
    ),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"torch.sum(weight * {SQUARE}) / torch.count_nonzero(weight)",
        lambda p, t, w: torch.sum(w * _square(p, t)) / torch.count_nonzero(w),
    ),
    (
        "written-out.sample-weighted-by-count",
        "sample-weighted-by-count",
        f"torch.mean(weight * {PER_SAMPLE})",
        lambda p, t, w: torch.mean(w * _per_sample(p, t)),
    ),
    (
        "written-out.sample-weighted-mean",
        "sample-weighted-mean",
        f"torch.sum(weight * {PER_SAMPLE}) / torch.sum(weight)",
        lambda p, t, w: torch.sum(w * _per_sample(p, t)) / torch.sum(w),
    ),
    (
        "written-out.sample-weighted-sum",
        "sample-weighted-sum",
        f"torch.sum(weight * torch.mean({SQUARE}, dim=-1).movedim(0, -1))",
        lambda p, t, w: torch.sum(w * torch.mean(_square(p, t), dim=-1).movedim(0, -1)),
    ),
    (
        "mse_loss.masked-mean",
        "masked-mean",
        f"{FUNCTION}(prediction[{MASK}], target[{MASK}])",
        lambda p, t, w: mse_loss(p[w.bool()], t[w.bool()]),
    ),
    ("written-out.masked-mean", "masked-mean", f"torch.mean({SQUARE}[{MASK}])", lambda p, t, w: torch.mean(_square(p, t)[w.bool()])),
    (
        "written-out.sample-masked-mean",
        "sample-masked-mean",
        f"torch.mean({SQUARE}[{MASK}])",
        lambda p, t, w: torch.mean(_square(p, t)[w.bool()]),
    ),
)


def _by_batch(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    return sum((p.double() - t.double()).square().sum() for p, t in batches) / sum(p.numel() for p, t in batches)


def _mse_loss_by_batch(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    return sum(mse_loss(p, t, reduction="sum") for p, t in batches) / sum(p.numel() for p, t in batches)


COUNT = "sum(p.numel() for p, t in batches)"
IN_DOUBLE: tuple[StreamRow, ...] = (
    ("written-out.by-batch", "mean", f"sum((p.double() - t.double()).square().sum() for p, t in batches) / {COUNT}", _by_batch),
)
IN_ITS_DTYPE: tuple[StreamRow, ...] = (
    ("mse_loss.by-batch", "mean", f'sum({FUNCTION}(p, t, reduction="sum") for p, t in batches) / {COUNT}', _mse_loss_by_batch),
)

IMPLEMENTATIONS = (
    *implementations(
        (*LIBRARY, *WEIGHTED, *WRITTEN_OUT), (*MODES, VMAP), {"written-out.sum": sum_batches(lambda p, t: torch.sum(_square(p, t)))}
    ),
    *streamed(IN_DOUBLE, MODES),
    # The sum of a batch has the inputs' dtype, in which a half format would round or overflow it before anything divides.
    *streamed(IN_ITS_DTYPE, MODES, ("float32", "float64")),
)
