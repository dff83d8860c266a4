"""The entry points of torchmetrics."""

from __future__ import annotations

from inspect import signature

import torchmetrics
from torch import Tensor
from torchmetrics.functional import mean_squared_error

from conformance.frameworks.helpers import EntryRow, implementations

MODES = ("eager",)
NAMES = {"torchmetrics": torchmetrics}

FUNCTION = "torchmetrics.functional.mean_squared_error"

CLASS = "torchmetrics.MeanSquaredError"

COLUMNS = "prediction.reshape(len(prediction), -1).T, target.reshape(len(target), -1).T"


def _once(prediction: Tensor, target: Tensor, *, squared: bool) -> Tensor:
    """A metric of its own for each call: one update, and what it computes of it."""
    metric = torchmetrics.MeanSquaredError(squared=squared).to(prediction.device)
    value: Tensor = metric(prediction, target)
    return value


def _per_sample(prediction: Tensor, target: Tensor) -> Tensor:
    """The samples as outputs: torchmetrics keeps the last of two axes."""
    samples = prediction.shape[0]
    columns = (tensor.reshape(samples, -1).T for tensor in (prediction, target))
    return mean_squared_error(*columns, num_outputs=samples).reshape(samples)


ROWS: tuple[EntryRow, ...] = (
    ("mean_squared_error", "mean", f"{FUNCTION}(prediction, target)"),
    ("MeanSquaredError", "mean", f"{CLASS}()(prediction, target)", lambda p, t: _once(p, t, squared=True)),
    ("mean_squared_error.root", "root-mean", f"{FUNCTION}(prediction, target, squared=False)"),
    ("MeanSquaredError.root", "root-mean", f"{CLASS}(squared=False)(prediction, target)", lambda p, t: _once(p, t, squared=False)),
    *(
        (
            (
                "mean_squared_error.num_outputs",
                "per-sample",
                f"{FUNCTION}({COLUMNS}, num_outputs=len(prediction)).reshape(len(prediction))",
                _per_sample,
            ),
        )
        if "num_outputs" in signature(mean_squared_error).parameters  # not yet in 1.0
        else ()
    ),
)

IMPLEMENTATIONS = implementations(ROWS, NAMES, MODES)
