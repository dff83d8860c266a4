"""TensorFlow: the mean squared error written out and as ``tf.keras`` losses, in eager, graph and XLA mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported

import ml_dtypes
import numpy as np

from conformance.frameworks.assembly import (
    DTYPES,
    added_up,
    altered,
    arguments,
    assemble,
    keras_backend,
    no_device,
    not_differentiable,
    require,
)
from conformance.frameworks.base import (
    Attestation,
    Device,
    Environment,
    Evaluate,
    Evaluation,
    Implementation,
    NotAttested,
    Unsupported,
)
from conformance.frameworks.probe import Probe
from conformance.numerics.definition import Inputs

with keras_backend("tensorflow"):  # TensorFlow imports Keras, which could otherwise compute with another framework
    import tensorflow as tf

    KERAS = tf.keras.losses.MeanSquaredError.__module__.partition(".")[0]  # keras, or tf_keras: the package that tf.keras is

Tensor = Any  # TensorFlow ships no types

MODES = ("eager", "graph", "xla")
KERAS_3 = KERAS == "keras" and not version(KERAS).startswith("2.")  # the losses of Keras 2 take no dtype
VARIABLES = ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS", "TF_DETERMINISTIC_OPS", "TF_USE_LEGACY_KERAS")

# Observed in all three modes: TensorFlow runs CPU kernels with subnormal results and inputs taken as zero; float16
# escapes because it is computed in float32, where its subnormals are normal. TPUs: as documented, not observed.
FLUSHES = {
    "cpu": frozenset({"bfloat16", "float32", "float64"}),
    "tpu": frozenset({"bfloat16", "float32"}),
}
NO_KERNEL = ("No OpKernel was registered", "Could not find device for node", "No registered", "is not in the list of allowed values")


def _mean(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.reduce_mean(tf.square(prediction - target))


def _sum(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.reduce_sum(tf.square(prediction - target))


def _none(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.square(prediction - target)


def _last_axis(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.reduce_mean(tf.square(prediction - target), axis=-1)


def _by_batch(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    squares = (tf.reduce_sum(tf.square(tf.cast(p, tf.float64) - tf.cast(t, tf.float64))) for p, t in batches)
    return sum(squares) / sum(tf.cast(tf.size(p), tf.float64) for p, t in batches)


def _in_one_batch(prediction: Tensor, target: Tensor) -> Tensor:
    return _by_batch([(prediction, target)])


_BY_BATCH = (
    "sum(tf.reduce_sum(tf.square(tf.cast(p, tf.float64) - tf.cast(t, tf.float64))) for p, t in batches)"
    " / sum(tf.cast(tf.size(p), tf.float64) for p, t in batches)"
)


def _mse(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.keras.losses.MSE(target, prediction)


def _class(**arguments: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The class as most people construct it: Keras 3 then casts to ``floatx`` whatever it is given."""
    loss = tf.keras.losses.MeanSquaredError(**arguments)

    def call(prediction: Tensor, target: Tensor) -> Tensor:
        return loss(target, prediction)

    return call


def _class_with_dtype(**arguments: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The class with the dtype of the prediction, constructed beforehand for each tested one; without one for integers and lists."""
    losses = {dtype: tf.keras.losses.MeanSquaredError(dtype=dtype, **arguments) for dtype in DTYPES}
    undecided = tf.keras.losses.MeanSquaredError(**arguments)

    def call(prediction: Tensor, target: Tensor) -> Tensor:
        dtype = prediction.dtype.name if hasattr(prediction, "dtype") else ""
        loss = losses.get(dtype, undecided)
        return loss(target, prediction)

    return call


def _implementations() -> tuple[Implementation, ...]:
    loss = "tf.keras.losses.MeanSquaredError"
    table: list[tuple[str, str, str, Callable[..., Any]]] = [
        ("written-out.mean", "mean", "tf.reduce_mean(tf.square(prediction - target))", _mean),
        ("written-out.sum", "sum", "tf.reduce_sum(tf.square(prediction - target))", _sum),
        ("written-out.none", "none", "tf.square(prediction - target)", _none),
        ("written-out.last-axis", "last-axis", "tf.reduce_mean(tf.square(prediction - target), axis=-1)", _last_axis),
        ("written-out.by-batch", "mean", _BY_BATCH, _in_one_batch),
        ("MeanSquaredError", "mean", f"{loss}()(target, prediction)", _class()),
        ("MSE", "last-axis", "tf.keras.losses.MSE(target, prediction)", _mse),
    ]
    if KERAS_3:
        unreduced = _class_with_dtype(reduction=None)
        table += [
            ("MeanSquaredError.dtype", "mean", f"{loss}(dtype=dtype)(target, prediction)", _class_with_dtype()),
            ("MeanSquaredError.none", "last-axis", f"{loss}(reduction=None, dtype=dtype)(target, prediction)", unreduced),
        ]
    else:
        table.append(("MeanSquaredError.none", "last-axis", f'{loss}(reduction="none")(target, prediction)', _class(reduction="none")))
    streams = {"written-out.by-batch": _by_batch, "written-out.sum": added_up(_sum)}
    return tuple(
        Implementation(name, entry, f"mse/{operation}", call, MODES, DTYPES, stream=streams.get(name))
        for name, operation, entry, call in table
    )


def place(tensor: Tensor) -> str:
    """The device of a result as the suite names it: ``cpu``, ``gpu:0``."""
    place = tf.DeviceSpec.from_string(tensor.device)
    kind = str(place.device_type).lower()
    return "cpu" if kind == "cpu" and place.device_index == 0 else f"{kind}:{place.device_index}"


@contextmanager
def running_on(device: str) -> Iterator[None]:
    """Run on a device, by the suite's name of it.

    Raises:
        Unsupported: TensorFlow has no kernel for what is run.
    """
    kind, _, index = device.partition(":")
    with tf.device(f"/device:{kind.upper()}:{index or 0}"):
        try:
            yield
        except tf.errors.OpError as error:
            said = [line.strip() for line in str(error).splitlines() if any(phrase in line for phrase in NO_KERNEL)]
            if said:  # not always in the first line
                raise Unsupported(said[0]) from error
            raise


class TensorflowFramework:
    """TensorFlow on the CPU, GPUs and TPUs it sees."""

    name = "tensorflow"

    def environment(self) -> Environment:
        """Versions, threads, and the switches that change kernels or types."""
        packages = {"numpy": np.__version__, "ml_dtypes": ml_dtypes.__version__, KERAS: version(KERAS)}
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
        """The four operations written out, the losses of ``tf.keras``, and training with a tape."""
        from conformance.frameworks.training.tensorflow import implementations  # which needs this module

        return (*_implementations(), *implementations())

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - the same for all
        """What goes beyond value and gradients."""
        from conformance.frameworks.probes.tensorflow import TensorflowProbe  # which needs this module

        return TensorflowProbe(implementation, device, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Value and gradients come from one tape; graph and XLA trace it once per rank, XLA compiles it per shape."""
        require(self.name, implementation, mode, MODES, dtype)
        if device not in (names := [known.name for known in self.devices()]):
            raise no_device(self.name, device, names)
        run = _Eager(implementation.call) if mode == "eager" else _Traced(implementation.call, dtype, xla=mode == "xla")

        def evaluate(inputs: Inputs) -> Evaluation:
            with running_on(device):
                tensors = [tf.constant(array) for array in arguments(inputs)]
                value, gradients = run(tf.constant(inputs.upstream), tensors)
            if run.mode() != mode:
                raise NotAttested(f"asked for {mode}, but the function was run in {run.mode()} mode")
            places = {place(tensor) for tensor in (value, *gradients) if tensor is not None}
            if len(places) != 1:
                raise NotAttested(f"value and gradients were computed on different devices: {', '.join(sorted(places))}")
            shape = tuple(value.shape)
            attested = Attestation(places.pop(), mode, value.dtype.name, shape)
            reason = not_differentiable(shape, inputs.upstream.shape)
            parts = [] if reason else [None if part is None else part.numpy() for part in gradients]
            return assemble(value.numpy(), parts, attested, reason, altered(inputs, [tensor.numpy() for tensor in tensors]))

        return evaluate


class _Eager:
    """Value and gradients under a tape, recording how they were executed."""

    def __init__(self, call: Callable[..., Tensor]) -> None:
        self.call = call
        self.eagerly: set[bool] = set()  # filled on every execution of the Python code: each call, or each trace

    def __call__(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        self.eagerly.add(tf.executing_eagerly())
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = self.call(*tensors)
        if not tf.is_tensor(value):
            raise TypeError(f"the implementation returned {type(value).__name__}, expected a tf.Tensor")
        if not value.dtype.is_floating or not value.shape.is_compatible_with(upstream.shape):
            return value, [None] * len(tensors)
        return value, tape.gradient(value, tensors, output_gradients=tf.cast(upstream, value.dtype))

    def mode(self) -> str:
        """How it ran, as far as it was observed."""
        return "eager" if self.eagerly == {True} else "graph"


class _Traced:
    """The same inside ``tf.function``: one function per rank, so that a new size is not traced again."""

    def __init__(self, call: Callable[..., Tensor], dtype: str, *, xla: bool) -> None:
        self.body = _Eager(call)
        self.dtype = dtype
        self.xla = xla
        self.functions: dict[tuple[int, ...], Any] = {}
        self.must_compile: set[bool] = set()

    def __call__(self, upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
        ranks = (upstream.shape.rank, *(tensor.shape.rank for tensor in tensors))
        if ranks not in self.functions:
            self.functions[ranks] = self._trace(ranks)
        value, gradients = self.functions[ranks](upstream, list(tensors))
        return value, gradients

    def _trace(self, ranks: tuple[int, ...]) -> Any:
        upstream, *tensors = (tf.TensorSpec([None] * rank, self.dtype) for rank in ranks)
        body = self.body

        def differentiated(upstream: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
            return body(upstream, tensors)

        function = tf.function(differentiated, input_signature=[upstream, tensors], jit_compile=self.xla or None)
        definition = function.get_concrete_function().function_def
        self.must_compile.add(bool(definition.attr["_XlaMustCompile"].b))
        return function

    def mode(self) -> str:
        """How it ran: eagerly if any call executed the Python code outside a trace; XLA cannot fall back by itself."""
        if True in self.body.eagerly:
            return "eager"
        return "xla" if self.must_compile == {True} else "graph"
