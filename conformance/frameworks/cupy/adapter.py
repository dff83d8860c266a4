"""CuPy: the mean squared error as people write it out, on CUDA devices; no automatic differentiation. Not observed: it needs a GPU."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cupy
import numpy as np

from conformance.frameworks.base import Device, Environment, Evaluate, Evaluation, ExecutionReport, Implementation, Unsupported
from conformance.frameworks.cupy.implementations import IMPLEMENTATIONS, MODES
from conformance.frameworks.cupy.info import INFO
from conformance.frameworks.cupy.probe import CupyProbe
from conformance.frameworks.cupy.tensors import place, to_cupy
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, no_device, not_differentiable, require
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Inputs

NO_AUTODIFF = "CuPy has no automatic differentiation, and the implementation comes with no gradient of its own"


class CupyFramework:
    """CuPy on every CUDA device; without a driver there are none."""

    name = "cupy"
    info = INFO

    def environment(self) -> Environment:
        """Versions of what is there, and the switches that choose the library of a sum."""
        packages = {"numpy": np.__version__}
        if cupy.cuda.is_available():
            packages["cuda"] = str(cupy.cuda.runtime.runtimeGetVersion())
        flags = {name: os.environ[name] for name in ("CUPY_ACCELERATORS", "CUPY_TF32") if name in os.environ}
        return Environment(self.name, cupy.__version__, packages, flags)

    def devices(self) -> Sequence[Device]:
        """Each CUDA device. None of them is declared to flush subnormals."""
        count = cupy.cuda.runtime.getDeviceCount() if cupy.cuda.is_available() else 0
        return tuple(Device(f"cuda:{index}", "cuda") for index in range(count))

    def implementations(self) -> Sequence[Implementation]:
        """The forms that people write out."""
        return IMPLEMENTATIONS

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - one mode, any dtype
        """Plain calls: CuPy differentiates nothing."""
        return CupyProbe(implementation, self._index(device))

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Nothing to prepare: CuPy runs as it is called."""
        require(self, implementation, device, mode, MODES, dtype)
        index = self._index(device)
        if dtype == "bfloat16":
            raise Unsupported("CuPy has no dtype bfloat16")

        def evaluate(inputs: Inputs) -> Evaluation:
            with cupy.cuda.Device(index):
                arrays = [to_cupy(array) for array in arguments(inputs)]
                value = cupy.asarray(implementation.call(*arrays))
                executed_as = ExecutionReport(place(value), "eager", value.dtype.name, value.shape)
                reason = NO_AUTODIFF if implementation.gradient is None else not_differentiable(value.shape, inputs.upstream.shape)
                parts = []
                if implementation.gradient is not None and not reason:
                    parts = implementation.gradient(*arrays, to_cupy(np.array(inputs.upstream, order="C")).astype(value.dtype))
                changed = modified_arguments(inputs, [cupy.asnumpy(array) for array in arrays])
                if reason:
                    return Evaluation(cupy.asnumpy(value), {}, executed_as, reason, changed)
                host = [None if part is None else cupy.asnumpy(part) for part in parts]
                return assemble(cupy.asnumpy(value), host, executed_as, changed=changed)

        return evaluate

    def _index(self, device: str) -> int:
        names = [known.name for known in self.devices()]
        if device not in names:
            raise no_device(self.name, device, names)
        return names.index(device)
