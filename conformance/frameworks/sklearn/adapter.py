"""scikit-learn: its regression metrics on NumPy's arrays, run on the host by the adapter of NumPy; nothing is differentiated."""

from __future__ import annotations

from collections.abc import Sequence

import sklearn

from conformance.frameworks.base import Device, Environment, Evaluate, Implementation, Unsupported
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.probe import Probe
from conformance.frameworks.sklearn.implementations import IMPLEMENTATIONS
from conformance.frameworks.sklearn.info import INFO


class SklearnFramework:
    """scikit-learn on the CPU."""

    name = "sklearn"
    info = INFO

    def __init__(self) -> None:
        self._numpy = NumpyFramework()

    def environment(self) -> Environment:
        """Its own version, and all of NumPy's environment."""
        below = self._numpy.environment()
        return Environment(self.name, sklearn.__version__, {**below.packages, below.framework: below.version}, below.flags)

    def devices(self) -> Sequence[Device]:
        """The host."""
        return self._numpy.devices()

    def implementations(self) -> Sequence[Implementation]:
        """The metrics, of inputs that are brought to the one or two axes they take."""
        return IMPLEMENTATIONS

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:
        """What NumPy offers."""
        return self._numpy.probe(implementation, device, mode, dtype)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Prepared by the adapter of NumPy.

        Raises:
            Unsupported: bfloat16, or what NumPy does not have.
        """
        if dtype == "bfloat16":
            raise Unsupported("scikit-learn takes dtypes of NumPy's own only, and bfloat16 is none of them")
        return self._numpy.prepare(implementation, device, mode, dtype)
