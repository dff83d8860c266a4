"""JAX: the mean squared error written out with ``jax.numpy``, and optax, op by op, under ``jax.jit`` and under ``jax.vmap``."""

from __future__ import annotations

import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA logs through the same switch; read at import

import jax
import jax.numpy as jnp
import numpy as np

from conformance.frameworks.base import Device, Environment, Evaluate, Evaluation, ExecutionMismatch, ExecutionReport, Implementation
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, not_differentiable, require, versions_of
from conformance.frameworks.jax import replicas
from conformance.frameworks.jax.implementations import HAS_OPTAX, IMPLEMENTATIONS, MODES
from conformance.frameworks.jax.info import INFO
from conformance.frameworks.jax.probe import JaxProbe
from conformance.frameworks.jax.tensors import all_devices, device_named, kind_of, name_of, vjp_of_floats, with_gradient
from conformance.frameworks.probe import Probe
from conformance.frameworks.vmap import VMAP, member_shape
from conformance.numerics.definition import Inputs, Shape

if HAS_OPTAX:
    from conformance.frameworks.jax import training

SWITCHES = ("jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion", "jax_numpy_rank_promotion")

# Observed: XLA runs CPU code with subnormal results and inputs taken as zero; float16 escapes because it is
# computed in float32, where its subnormals are normal. TPUs: as documented, not observed.
FLUSHES = {
    "cpu": frozenset({"bfloat16", "float32", "float64"}),
    "tpu": frozenset({"bfloat16", "float32"}),
}


class JaxFramework:
    """JAX on every device of this process, 64-bit types enabled."""

    name = "jax"
    info = INFO
    with_gradient = staticmethod(with_gradient)

    def environment(self) -> Environment:
        """Versions and the switches that change precision or types."""
        packages = versions_of("jaxlib", "numpy", "ml_dtypes", "optax")
        flags = {
            **{switch: str(getattr(jax.config, switch)) for switch in SWITCHES},
            "optax": "installed" if HAS_OPTAX else "not installed: its implementations are left out",
        }
        flags |= {variable: os.environ[variable] for variable in ("XLA_FLAGS", "JAX_PLATFORMS") if variable in os.environ}
        return Environment(self.name, jax.__version__, packages, flags)

    def devices(self) -> Sequence[Device]:
        """The CPU, then the accelerators."""
        return tuple(Device(name_of(device), kind_of(device), FLUSHES.get(kind_of(device), frozenset())) for device in all_devices())

    def implementations(self) -> Sequence[Implementation]:
        """The operations written out, replicas, and where it is installed optax, and training with it."""
        return (*IMPLEMENTATIONS, *replicas.IMPLEMENTATIONS, *(training.IMPLEMENTATIONS if HAS_OPTAX else ()))

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - the same for all
        """What goes beyond value and gradients, of single inputs."""
        return Probe() if mode == VMAP else JaxProbe(implementation, device, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Value and gradients come from one ``jax.vjp``, which ``jit`` compiles as a whole, once per shape; a batch of them too."""
        require(self, implementation, device, mode, (*MODES, VMAP), dtype)
        place = device_named(device)
        traced: dict[tuple[Shape, ...], bool] = {}  # by the shapes of a call: whether all of it was traced, as the mode does it
        seen: list[tuple[tuple[Shape, ...], bool]] = []

        def differentiated(upstream: jax.Array, *inputs: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
            seen.append(((upstream.shape, *(array.shape for array in inputs)), isinstance(inputs[0], jax.core.Tracer)))
            try:
                value, pullback = vjp_of_floats(implementation.call, inputs)
            except Exception:
                if implementation.domain is None or implementation.domain.gradients:
                    raise
                value, pullback = implementation.call(*inputs), None  # a subject may be a metric: what else it raises it raises again
            if not isinstance(value, jax.Array):
                raise TypeError(f"the implementation returned {type(value).__name__}, expected a jax.Array")
            if pullback is None or _why_not(value, value.shape, upstream.shape):
                return value, ()
            return value, pullback(upstream.astype(value.dtype))

        run = jax.vmap(differentiated) if mode == VMAP else differentiated
        run = run if mode == "eager" else jax.jit(run)

        def evaluate(inputs: Inputs) -> Evaluation:
            arrays = jax.device_put([np.array(inputs.upstream, order="C"), *arguments(inputs)], place)
            shapes = tuple(array.shape for array in arrays)
            seen.clear()
            value, gradients = run(*arrays)
            if seen:  # else it was compiled before; a batch is one call, with one member
                wanted = tuple(member_shape(mode, shape) for shape in shapes)
                traced[shapes] = seen == [(wanted, True)]
            ran = (mode if mode != "eager" else "jit") if traced[shapes] else "eager"
            if ran != mode:
                raise ExecutionMismatch(f"asked for {mode}, but the function was run in {ran}")
            places = {name_of(where) for array in (value, *gradients) for where in array.devices()}
            if len(places) != 1:
                raise ExecutionMismatch(f"value and gradients were computed on different devices: {', '.join(sorted(places))}")
            executed_as = ExecutionReport(places.pop(), ran, value.dtype.name, value.shape)
            reason = _why_not(value, member_shape(mode, value.shape), member_shape(mode, inputs.upstream.shape))
            reason = reason or ("" if gradients else "JAX does not differentiate it")
            changed = () if mode == VMAP else modified_arguments(inputs, [np.asarray(array) for array in arrays[1:]])
            return assemble(np.asarray(value), [np.asarray(gradient) for gradient in gradients], executed_as, reason, changed)

        return evaluate


def _why_not(value: jax.Array, shape: Shape, upstream: Shape) -> str:
    """Why the value has no gradient to ask for, or an empty string."""
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return f"the value is of dtype {value.dtype.name}, which has no gradient"
    return not_differentiable(shape, upstream)
