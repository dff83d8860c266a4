"""An adapter of what stands on another framework: it has its own entry points, and the other one runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from conformance.frameworks.base import Device, Environment, Evaluate, Framework, Implementation
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.probe import Probe


class Probed(Framework, Protocol):
    """A framework that has a probe."""

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe: ...


class LayeredFramework:
    """What the framework below says of its devices and does with an implementation; subclasses say what they are, and their version."""

    name: str
    info: FrameworkInfo
    version: str

    def __init__(self, below: Probed) -> None:
        self._below = below

    def environment(self) -> Environment:
        """Its own version, and all of the environment below."""
        below = self._below.environment()
        return Environment(self.name, self.version, {**below.packages, below.framework: below.version}, below.flags)

    @property
    def with_gradient(self) -> Any:
        """That of the framework below, or None."""
        return getattr(self._below, "with_gradient", None)

    def devices(self) -> Sequence[Device]:
        """Those of the framework below."""
        return self._below.devices()

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Prepared by the framework below: an implementation is a function of its tensors."""
        return self._below.prepare(implementation, device, mode, dtype)

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:
        """What the framework below offers beyond value and gradients."""
        return self._below.probe(implementation, device, mode, dtype)
