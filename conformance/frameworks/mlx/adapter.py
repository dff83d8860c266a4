"""MLX: ``mse_loss`` and the written-out forms, op by op and under ``mlx.core.compile``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import mlx.core as mx

from conformance.frameworks.base import (
    Device,
    Environment,
    Evaluate,
    Evaluation,
    ExecutionMismatch,
    ExecutionReport,
    Implementation,
    Unsupported,
)
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, not_differentiable, require, versions_of
from conformance.frameworks.mlx.implementations import IMPLEMENTATIONS, MODES
from conformance.frameworks.mlx.info import INFO
from conformance.frameworks.mlx.probe import MlxProbe
from conformance.frameworks.mlx.tensors import devices, dtype_name, is_traced, place, running_on, to_array, to_mlx, with_gradient
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Inputs, Shape

_PACKAGES = ("mlx-cpu", "mlx-metal", "mlx-cuda-12", "mlx-cuda-13")
"""The distributions that hold the kernels of a device."""


class MlxFramework:
    """MLX on the CPU, and on the GPU where there is one: it is observed on CPUs only."""

    name = "mlx"
    info = INFO
    with_gradient = staticmethod(with_gradient)

    def environment(self) -> Environment:
        """Versions, and what MLX says of the device."""
        packages = versions_of("numpy", "ml_dtypes")
        for package in _PACKAGES:
            with suppress(PackageNotFoundError):
                packages[package] = version(package)
        flags = {name: str(said) for name, said in mx.device_info(mx.cpu).items()}
        flags |= {variable: os.environ[variable] for variable in ("MLX_DISABLE_COMPILE", "MLX_ENABLE_TF32") if variable in os.environ}
        return Environment(self.name, version("mlx"), packages, flags)

    def devices(self) -> Sequence[Device]:
        """The CPU, which flushes no subnormals, then the GPU."""
        return devices()

    def implementations(self) -> Sequence[Implementation]:
        """The function and the written-out forms."""
        return IMPLEMENTATIONS

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - the same for all
        """What goes beyond value and gradients."""
        return MlxProbe(implementation, device, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Value and gradients come from one ``mlx.core.vjp``, which ``compile`` takes as a whole, once per shape."""
        require(self, implementation, device, mode, MODES, dtype)
        if device == "gpu" and dtype == "float64":
            raise Unsupported("MLX has float64 on the CPU only")
        traced: dict[tuple[Shape, ...], bool] = {}

        def differentiated(upstream: mx.array, *inputs: mx.array) -> list[mx.array]:
            traced[(upstream.shape, *(array.shape for array in inputs))] = is_traced(inputs[0])
            value = implementation.call(*inputs)  # MLX is lazy: this tells shape and dtype, and nothing of it is computed
            if not isinstance(value, mx.array):
                raise TypeError(f"the implementation returned {type(value).__name__}, expected an mlx.core.array")
            if why_not(value, upstream.shape):
                return [value]
            floats = [
                array for array in inputs if mx.issubdtype(array.dtype, mx.floating)
            ]  # a mask, which comes last, may be of truth values
            masks = inputs[len(floats) :]
            (value,), gradients = mx.vjp(lambda *given: implementation.call(*given, *masks), floats, [upstream.astype(value.dtype)])
            return [value, *gradients]

        run = mx.compile(differentiated) if mode == "compile" else differentiated

        def evaluate(inputs: Inputs) -> Evaluation:
            with running_on(device):
                upstream, *arrays = (to_mlx(array) for array in (inputs.upstream, *arguments(inputs)))
                value, *gradients = run(upstream, *arrays)
                mx.eval(value, *gradients)
                where = place()
                changed = modified_arguments(inputs, [to_array(array) for array in arrays])
                found, parts = to_array(value), [to_array(gradient) for gradient in gradients]
            ran = "compile" if traced[tuple(array.shape for array in (upstream, *arrays))] else "eager"
            if ran != mode:
                raise ExecutionMismatch(f"asked for {mode}, but the function was run in {ran}")
            return assemble(
                found, parts, ExecutionReport(where, ran, dtype_name(value), value.shape), why_not(value, upstream.shape), changed
            )

        return evaluate


def why_not(value: mx.array, upstream: Shape) -> str:
    """Why the value has no gradient to ask for, or an empty string."""
    if not mx.issubdtype(value.dtype, mx.floating):
        return f"the value is of dtype {dtype_name(value)}, which has no gradient"
    return not_differentiable(value.shape, upstream)
