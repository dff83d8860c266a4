"""NumPy: the mean squared error as people write it out, run on the host; no automatic differentiation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np

from conformance.frameworks.base import Device, Environment, Evaluate, Evaluation, ExecutionReport, Implementation, Unsupported
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, not_differentiable, require, versions_of
from conformance.frameworks.numpy.implementations import DTYPES, IMPLEMENTATIONS, MODES
from conformance.frameworks.numpy.info import INFO
from conformance.frameworks.numpy.probe import NumpyProbe
from conformance.frameworks.numpy.training import IMPLEMENTATIONS as TRAINING
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import Array

NO_AUTODIFF = "NumPy has no automatic differentiation, and the implementation comes with no gradient of its own"


def _simd() -> str:
    """The extensions that this build and this processor have in common."""
    if "mode" not in signature(np.show_config).parameters:
        return "only told by NumPy 1.26 and later"
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return " ".join([*extensions.get("baseline", ()), *extensions.get("found", ())])


def plain_array(value: Any) -> Array:
    """What an implementation returned, as an array.

    Raises:
        TypeError: it is of a type that may show other numbers to whoever looks than to whoever computes.
    """
    if type(value) is np.ndarray or isinstance(value, (np.generic, bool, int, float, complex)):
        return np.asarray(value)
    raise TypeError(f"the implementation returned {type(value).__name__}, expected an array or a number")


class NumpyFramework:
    """NumPy on the CPU; ``bfloat16`` is the extension dtype of ml_dtypes, where that is installed."""

    name = "numpy"
    info = INFO

    def environment(self) -> Environment:
        """Versions, and the SIMD extensions in use: they decide the order of a sum."""
        flags = {"simd": _simd()}
        for variable in ("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"):
            if variable in os.environ:
                flags[variable] = os.environ[variable]
        return Environment(self.name, np.__version__, versions_of("ml_dtypes"), flags)

    def devices(self) -> Sequence[Device]:
        """The host."""
        return (Device("cpu", "cpu"),)

    def implementations(self) -> Sequence[Implementation]:
        """The four operations, the mean of a stream, and training, written out."""
        return (*IMPLEMENTATIONS, *TRAINING)

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - one device, mode and rule
        """Plain calls, editing in place and streams: NumPy differentiates nothing."""
        return NumpyProbe(implementation)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Nothing to prepare: NumPy runs as it is called.

        Raises:
            Unsupported: bfloat16 without ml_dtypes, or what NumPy does not have.
        """
        require(self, implementation, device, mode, MODES, dtype)
        if dtype not in DTYPES:
            raise Unsupported(f"NumPy has no {dtype} of its own, and ml_dtypes, which adds it, is not installed")

        def evaluate(inputs: Inputs) -> Evaluation:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # overflow and empty means are judged by their result
                arrays = arguments(inputs)
                value = plain_array(implementation.call(*arrays))
                executed_as = ExecutionReport("cpu", "eager", value.dtype.name, value.shape)
                if implementation.gradient is None:
                    return Evaluation(value, {}, executed_as, NO_AUTODIFF, modified_arguments(inputs, arrays))
                if reason := not_differentiable(value.shape, inputs.upstream.shape):
                    return Evaluation(value, {}, executed_as, reason, modified_arguments(inputs, arrays))
                upstream = np.array(inputs.upstream, dtype=value.dtype, order="C")
                parts = implementation.gradient(*arrays, upstream)
            return assemble(
                value,
                [None if part is None else np.asarray(part) for part in parts],
                executed_as,
                changed=modified_arguments(inputs, arrays),
            )

        return evaluate
