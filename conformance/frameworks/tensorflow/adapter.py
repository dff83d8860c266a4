"""TensorFlow: the mean squared error written out and as ``tf.keras`` losses, eager, in graphs, by XLA and by ``tf.vectorized_map``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported


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
from conformance.frameworks.probe import Probe
from conformance.frameworks.tensorflow import replicas, training
from conformance.frameworks.tensorflow.implementations import IMPLEMENTATIONS, KERAS, MODES
from conformance.frameworks.tensorflow.info import INFO
from conformance.frameworks.tensorflow.probe import TensorflowProbe
from conformance.frameworks.tensorflow.tensors import Tensor, constant, host, place, running_on, tf, with_gradient
from conformance.frameworks.vmap import VMAP, member_shape
from conformance.numerics.definition import Inputs

VARIABLES = ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS", "TF_DETERMINISTIC_OPS", "TF_USE_LEGACY_KERAS")

# Observed in all modes: TensorFlow runs CPU kernels with subnormal results and inputs taken as zero; float16
# escapes because it is computed in float32, where its subnormals are normal. TPUs: as documented, not observed.
FLUSHES = {
    "cpu": frozenset({"bfloat16", "float32", "float64"}),
    "tpu": frozenset({"bfloat16", "float32"}),
}


class TensorflowFramework:
    """TensorFlow on the CPU, GPUs and TPUs it sees."""

    name = "tensorflow"
    info = INFO
    with_gradient = staticmethod(with_gradient)

    def environment(self) -> Environment:
        """Versions, threads, and the switches that change kernels or types."""
        packages = versions_of("numpy", "ml_dtypes", KERAS)
        flags = {
            "floatx": str(tf.keras.backend.floatx()),
            "intra_op_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
            "inter_op_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
            "tensor_float_32": str(tf.config.experimental.tensor_float_32_execution_enabled()),
            "run_functions_eagerly": str(tf.config.functions_run_eagerly()),
        }
        flags |= {variable: os.environ.get(variable, "not set") for variable in VARIABLES}
        return Environment(self.name, str(tf.__version__), packages, flags)

    def devices(self) -> Sequence[Device]:
        """The CPU, then GPUs and TPUs."""
        found = [("cpu", "cpu")]
        for kind in ("gpu", "tpu"):
            found += [(f"{kind}:{index}", kind) for index, _ in enumerate(tf.config.list_physical_devices(kind.upper()))]
        return tuple(Device(name, kind, FLUSHES.get(kind, frozenset())) for name, kind in found)

    def implementations(self) -> Sequence[Implementation]:
        """The operations written out, the losses of ``tf.keras``, training with a tape, and replicas."""
        return (*IMPLEMENTATIONS, *training.IMPLEMENTATIONS, *replicas.IMPLEMENTATIONS)

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - the same for all
        """What goes beyond value and gradients, of single inputs."""
        return Probe() if mode == VMAP else TensorflowProbe(implementation, device, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Value and gradients come from one tape; graph and XLA trace it once per rank, XLA compiles it per shape."""
        require(self, implementation, device, mode, (*MODES, VMAP), dtype)
        run = _running(implementation.call, mode)

        def evaluate(inputs: Inputs) -> Evaluation:
            with running_on(device):
                tensors = [constant(array) for array in arguments(inputs)]
                value, gradients = run(constant(inputs.upstream), tensors)
            if run.mode() != mode:
                raise ExecutionMismatch(f"asked for {mode}, but the function was run in {run.mode()} mode")
            places = {place(tensor) for tensor in (value, *gradients) if tensor is not None}
            if len(places) != 1:
                raise ExecutionMismatch(f"value and gradients were computed on different devices: {', '.join(sorted(places))}")
            shape = tuple(value.shape)
            executed_as = ExecutionReport(places.pop(), mode, value.dtype.name, shape)
            reason = not_differentiable(member_shape(mode, shape), member_shape(mode, inputs.upstream.shape))
            parts = [] if reason else [None if part is None else host(part) for part in gradients]
            changed = () if mode == VMAP else modified_arguments(inputs, [host(tensor) for tensor in tensors])
            return assemble(host(value), parts, executed_as, reason, changed)

        return evaluate


def _running(call: Callable[..., Tensor], mode: str) -> _Eager | _Traced:
    """The call, and how it is run in a mode."""
    if mode == "eager":
        return _Eager(call)
    return _Vectorized(call) if mode == VMAP else _Traced(call, xla=mode == "xla")


class _Eager:
    """Value and gradients under a tape, recording how they were executed."""

    def __init__(self, call: Callable[..., Tensor]) -> None:
        self.call = call
        self.eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def __call__(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        self.eagerly.add(tf.executing_eagerly())
        floats = [tensor for tensor in tensors if tensor.dtype.is_floating]  # a mask, which comes last, may be of truth values
        with tf.GradientTape() as tape:
            tape.watch(floats)
            value = self.call(*tensors)
        if not isinstance(value, tf.Tensor):
            raise TypeError(f"the implementation returned {type(value).__name__}, expected a tf.Tensor")
        if not value.dtype.is_floating or not value.shape.is_compatible_with(upstream.shape):
            return value, [None] * len(floats)
        return value, tape.gradient(value, floats, output_gradients=tf.cast(upstream, value.dtype))

    def mode(self) -> str:
        """How it ran, as far as it was observed."""
        return "eager" if self.eagerly == {True} else "graph"


class _Traced:
    """The same inside ``tf.function``: one function per rank and dtype, so that a new size is not traced again."""

    def __init__(self, call: Callable[..., Tensor], *, xla: bool) -> None:
        self.body = _Eager(call)
        self.xla = xla
        self.functions: dict[tuple[Any, ...], Any] = {}
        self.must_compile: set[bool] = set()

    def __call__(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        specs = tuple(tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype) for tensor in (upstream, *tensors))
        if specs not in self.functions:
            self.functions[specs] = self._trace(specs)
        value, gradients = self.functions[specs](upstream, list(tensors))
        return value, gradients

    def run(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Inside the trace."""
        return self.body(upstream, tensors)

    def _trace(self, specs: tuple[Any, ...]) -> Any:
        upstream, *tensors = specs

        def differentiated(upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
            return self.run(upstream, tensors)

        function = tf.function(differentiated, input_signature=[upstream, tensors], jit_compile=self.xla or None)
        definition = function.get_concrete_function().function_def
        self.must_compile.add(bool(definition.attr["_XlaMustCompile"].b))
        return function

    def mode(self) -> str:
        """How it ran: eagerly if any call executed the Python code outside a trace; XLA cannot fall back by itself."""
        if True in self.body.eagerly:
            return "eager"
        return "xla" if self.must_compile == {True} else "graph"


class _Vectorized(_Traced):
    """The same of every member of a stack, through ``tf.vectorized_map``; what it has no rule for is not run as a loop, but refused."""

    def __init__(self, call: Callable[..., Tensor]) -> None:
        super().__init__(call, xla=False)
        self.batched: set[bool] = set()

    def run(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Inside the trace."""
        there: list[int] = []
        seen: list[int] = []

        def of_one(parts: Sequence[Tensor]) -> list[Tensor]:
            seen.append(parts[1].shape.rank)
            value, gradients = self.body(parts[0], parts[1:])
            there[:] = [number for number, gradient in enumerate(gradients) if gradient is not None]
            return [value, *(gradients[number] for number in there)]

        value, *found = tf.vectorized_map(of_one, [upstream, *tensors], fallback_to_while_loop=False)
        self.batched.add(seen == [tensors[0].shape.rank - 1])
        gradients = dict(zip(there, found))
        return value, [gradients.get(number) for number in range(len(tensors))]

    def _trace(self, specs: tuple[Any, ...]) -> Any:
        try:
            return super()._trace(specs)
        except ValueError as error:
            if lacking := re.search(r"No pfor vectorization defined for (\w+)", str(error)):
                raise Unsupported(f"tf.vectorized_map has no rule for {lacking[1]}") from error
            raise

    def mode(self) -> str:
        """A batch, if every trace saw one member, once."""
        ran = super().mode()
        return VMAP if ran == "graph" and self.batched == {True} else ran
