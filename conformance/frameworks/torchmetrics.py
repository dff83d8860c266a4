"""torchmetrics: the function and the class, eagerly on PyTorch's tensors, run by the adapter of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature

import torchmetrics
from torch import Tensor
from torchmetrics.functional import mean_squared_error

from conformance.frameworks.assembly import Row, implementations
from conformance.frameworks.base import Device, Environment, Evaluate, Implementation
from conformance.frameworks.probe import Probe
from conformance.frameworks.torch import TorchFramework

MODES = ("eager",)
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


ROWS: tuple[Row, ...] = (
    ("mean_squared_error", "mean", f"{FUNCTION}(prediction, target)", mean_squared_error),
    ("MeanSquaredError", "mean", f"{CLASS}()(prediction, target)", lambda p, t: _once(p, t, squared=True)),
    (
        "mean_squared_error.root",
        "root-mean",
        f"{FUNCTION}(prediction, target, squared=False)",
        lambda p, t: mean_squared_error(p, t, squared=False),
    ),
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
IMPLEMENTATIONS = implementations(ROWS, MODES)


class TorchmetricsFramework:
    """torchmetrics on every device of PyTorch."""

    name = "torchmetrics"

    def __init__(self) -> None:
        self._torch = TorchFramework()

    def environment(self) -> Environment:
        """Its own version, and all of PyTorch's environment."""
        below = self._torch.environment()
        return Environment(self.name, torchmetrics.__version__, {**below.packages, below.framework: below.version}, below.flags)

    def devices(self) -> Sequence[Device]:
        """Those of PyTorch."""
        return self._torch.devices()

    def implementations(self) -> Sequence[Implementation]:
        """The function and the class, of the mean and of its root."""
        return IMPLEMENTATIONS

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:
        """What PyTorch offers."""
        return self._torch.probe(implementation, device, mode, dtype)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Prepared by the adapter of PyTorch: a metric is a function of its tensors."""
        return self._torch.prepare(implementation, device, mode, dtype)
