"""torchmetrics: the function and the class, eagerly on PyTorch's tensors, run by the adapter of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torchmetrics

from conformance.frameworks.base import Implementation
from conformance.frameworks.layered import LayeredFramework
from conformance.frameworks.torch.adapter import TorchFramework
from conformance.frameworks.torchmetrics.implementations import IMPLEMENTATIONS
from conformance.frameworks.torchmetrics.info import INFO


class TorchmetricsFramework(LayeredFramework):
    """torchmetrics on every device of PyTorch."""

    name = "torchmetrics"
    info = INFO
    version = torchmetrics.__version__

    def __init__(self) -> None:
        super().__init__(TorchFramework())

    def implementations(self) -> Sequence[Implementation]:
        """The function and the class, of the mean and of its root."""
        return IMPLEMENTATIONS
