"""torchmetrics: the function and the class, eagerly on PyTorch's tensors, run by the adapter of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torchmetrics

from conformance.frameworks.base import Device, Environment, Evaluate, Implementation
from conformance.frameworks.probe import Probe
from conformance.frameworks.torch.adapter import TorchFramework
from conformance.frameworks.torchmetrics.implementations import IMPLEMENTATIONS
from conformance.frameworks.torchmetrics.info import INFO


class TorchmetricsFramework:
    """torchmetrics on every device of PyTorch."""

    name = "torchmetrics"
    info = INFO

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
