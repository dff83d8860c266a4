"""scikit-learn: its regression metrics on NumPy's arrays, run on the host by the adapter of NumPy; nothing is differentiated."""

from __future__ import annotations

from collections.abc import Sequence

import sklearn

from conformance.frameworks.base import Evaluate, Implementation, Unsupported
from conformance.frameworks.layered import LayeredFramework
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.sklearn.implementations import IMPLEMENTATIONS
from conformance.frameworks.sklearn.info import INFO


class SklearnFramework(LayeredFramework):
    """scikit-learn on the CPU."""

    name = "sklearn"
    info = INFO
    version = sklearn.__version__

    def __init__(self) -> None:
        super().__init__(NumpyFramework())

    def implementations(self) -> Sequence[Implementation]:
        """The metrics, of inputs that are brought to the one or two axes they take."""
        return IMPLEMENTATIONS

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Prepared by the adapter of NumPy.

        Raises:
            Unsupported: bfloat16, or what NumPy does not have.
        """
        if dtype == "bfloat16":
            raise Unsupported("scikit-learn takes dtypes of NumPy's own only, and bfloat16 is none of them")
        return super().prepare(implementation, device, mode, dtype)
