"""PaddlePaddle: ``mse_loss``, ``MSELoss`` and the written-out forms, eager and as a static graph by ``paddle.jit.to_static``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

os.environ.setdefault("GLOG_minloglevel", "2")  # its log tells of every interpreter that it starts; read at import


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses tools with which extensions in C++ would be built
    import paddle
    from paddle import Tensor

from conformance.frameworks.base import Device, Environment, Evaluate, Evaluation, ExecutionReport, Implementation
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, not_differentiable, require, versions_of
from conformance.frameworks.paddle.implementations import IMPLEMENTATIONS, MODES
from conformance.frameworks.paddle.info import INFO
from conformance.frameworks.paddle.probe import PaddleProbe
from conformance.frameworks.paddle.tensors import (
    InMode,
    dtype_name,
    missing_kernels,
    place,
    to_array,
    to_tensor,
    upstream_of,
    with_gradient,
)
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Inputs

# A graph is run by several threads that take its operations in any order, and in one run of 27,000 cells they waited for each other. One
# thread calls the same kernels.
paddle.set_flags({"FLAGS_new_executor_serial_run": True})

NO_PATH = "the value does not depend on the inputs as autograd sees it"
_FLAGS = ("FLAGS_use_mkldnn", "FLAGS_prim_enable_dynamic", "FLAGS_prim_forward", "FLAGS_prim_backward", "FLAGS_new_executor_serial_run")


class PaddleFramework:
    """PaddlePaddle on the CPU."""

    name = "paddle"
    info = INFO
    with_gradient = staticmethod(with_gradient)

    def environment(self) -> Environment:
        """Versions, and what changes numerics: the library of kernels, and operations that are taken apart."""
        flags = {name: str(value) for name, value in paddle.get_flags(list(_FLAGS)).items()}
        flags["default_dtype"] = paddle.get_default_dtype()
        flags |= {name: os.environ[name] for name in ("OMP_NUM_THREADS", "CPU_NUM") if name in os.environ}
        return Environment(self.name, paddle.__version__, versions_of("numpy", "ml_dtypes"), flags)

    def devices(self) -> Sequence[Device]:
        """The CPU, which flushes no subnormals."""
        return (Device("cpu", "cpu"),)

    def implementations(self) -> Sequence[Implementation]:
        """The functions, the module and the written-out forms."""
        return IMPLEMENTATIONS

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - one device, any dtype
        """What goes beyond value and gradients."""
        return PaddleProbe(implementation, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """One forward and one backward pass per evaluation; a graph is made once for each rank of the inputs."""
        require(self, implementation, device, mode, MODES, dtype)
        run = InMode(implementation.call, mode)

        def evaluate(inputs: Inputs) -> Evaluation:
            tensors = [to_tensor(array) for array in arguments(inputs)]
            floats = [tensor for tensor in tensors if tensor.is_floating_point()]  # a mask, which comes last, may be of truth values
            for tensor in floats:
                tensor.stop_gradient = False
            with missing_kernels():
                value = run(*tensors)
                if not isinstance(value, Tensor):
                    raise TypeError(f"the implementation returned {type(value).__name__}, expected a paddle.Tensor")
                executed_as = ExecutionReport(place(value), mode, dtype_name(value), tuple(value.shape))
                reason = not_differentiable(executed_as.shape, inputs.upstream.shape) or (NO_PATH if value.stop_gradient else "")
                gradients = [] if reason else paddle.grad([value], floats, [upstream_of(inputs, value)], allow_unused=True)
            parts = [None if gradient is None else to_array(gradient) for gradient in gradients]
            changed = modified_arguments(inputs, [to_array(tensor) for tensor in tensors])
            if reason:
                return Evaluation(to_array(value), {}, executed_as, reason, changed)
            return assemble(to_array(value), parts, executed_as, changed=changed)

        return evaluate
