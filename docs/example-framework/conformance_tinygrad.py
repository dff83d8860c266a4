"""tinygrad as a framework of mse-conformance: four methods and a table of entry points, in a distribution of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np
from tinygrad import Device as TinyDevice
from tinygrad import Tensor, dtypes

from conformance.frameworks.base import Device, Environment, Evaluate, Evaluation, ExecutionReport, Implementation, Unsupported
from conformance.frameworks.info import FrameworkInfo, Program
from conformance.numerics.definition import Inputs

SQUARE = "(prediction - target).square()"
DTYPES = ("float16", "bfloat16", "float32", "float64")


def _square(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square()


# name, operation, the entry point as a person writes it, the function that is called
ROWS: tuple[tuple[str, str, str, Callable[..., Tensor]], ...] = (
    ("written-out.mean", "mse/mean", f"{SQUARE}.mean()", lambda p, t: _square(p, t).mean()),
    ("written-out.sum", "mse/sum", f"{SQUARE}.sum()", lambda p, t: _square(p, t).sum()),
    ("written-out.none", "mse/none", SQUARE, _square),
    ("written-out.last-axis", "mse/last-axis", f"{SQUARE}.mean(axis=-1)", lambda p, t: _square(p, t).mean(axis=-1)),
    ("written-out.weighted-sum", "mse/weighted-sum", f"(weight * {SQUARE}).sum()", lambda p, t, w: (w * _square(p, t)).sum()),
)

INFO = FrameworkInfo(
    "tinygrad",
    program=Program(
        "Tensor({floats}, dtype=dtypes.{name}).reshape({shape})",
        imports="from tinygrad import Tensor, dtypes",
        gradient="value = loss({names})\ngradients = value.gradient({names}, gradient=upstream.cast(value.dtype).reshape(value.shape))",
        spread="upstream = upstream.expand({value}.shape)",
        shown="{value}.numpy()",
    ),
)
"""What the suite cannot see: how a program is written in tinygrad, so that failures come with one. All else is as by default: it runs
eagerly, and compiles no shape beforehand."""


def to_tensor(array: np.ndarray[Any, Any], device: str) -> Tensor:
    """A host array as a tensor; bfloat16, which NumPy knows only by extension, crosses as the float32 numbers that it holds, exactly."""
    if array.dtype == ml_dtypes.bfloat16:
        return Tensor(array.astype(np.float32), device=device).cast(dtypes.bfloat16).realize()
    return Tensor(np.array(array, order="C"), device=device).realize()


def to_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A tensor as a host array of the same dtype."""
    if tensor.dtype == dtypes.bfloat16:
        return np.asarray(tensor.cast(dtypes.float32).numpy()).astype(ml_dtypes.bfloat16)
    return np.asarray(tensor.numpy())


class TinygradFramework:
    """tinygrad on its default device: ``DEV=CPU`` needs clang, ``DEV=PYTHON`` nothing, and is slow."""

    name = "tinygrad"
    info = INFO

    def environment(self) -> Environment:
        """The version, and the device that it chose: what its kernels are made by."""
        return Environment(self.name, version("tinygrad"), {"numpy": np.__version__}, {"DEV": str(self._device() or "none")})

    def devices(self) -> Sequence[Device]:
        """The default device, if any can be used; everything that computes on the host is the suite's ``cpu``."""
        device = self._device()
        if device is None:
            return ()
        return (Device(self._called(device), self._called(device)),)

    def implementations(self) -> Sequence[Implementation]:
        """tinygrad has no mean squared error of its own: the forms that people write out."""
        return [Implementation(name, entry, operation, call, ("eager",), DTYPES) for name, operation, entry, call in ROWS]

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Value and gradients; tinygrad is lazy, so that both are computed when they are read."""
        place = self._device()
        if place is None or device != self._called(place):
            raise Unsupported(f"tinygrad sees no device {device!r} here")
        if mode != "eager" or dtype not in DTYPES:
            raise Unsupported(f"the adapter runs {', '.join(DTYPES)} eagerly; asked for {mode} in {dtype}")

        def evaluate(inputs: Inputs) -> Evaluation:
            given = [inputs.prediction, inputs.target, *([] if inputs.weight is None else [inputs.weight])]
            tensors = [to_tensor(array, place) for array in given]
            value = implementation.call(*tensors)
            shape = tuple(int(length) for length in value.shape)
            found = to_array(value)
            executed_as = ExecutionReport(self._called(str(value.device)), "eager", found.dtype.name, shape)  # read off the result
            if shape != inputs.upstream.shape:
                return Evaluation(found, {}, executed_as, f"an upstream gradient of shape {inputs.upstream.shape} does not fit {shape}")
            upstream = to_tensor(inputs.upstream, place).cast(value.dtype)
            gradients = value.gradient(*tensors, gradient=upstream)
            names = ("gradient/prediction", "gradient/target", "gradient/weight")
            return Evaluation(found, {name: to_array(part) for name, part in zip(names, gradients, strict=False)}, executed_as)

        return evaluate

    def _device(self) -> str | None:
        """tinygrad's name of its default device, or None: it finds out by computing, and raises what it misses."""
        try:
            device = str(TinyDevice.DEFAULT)
            (Tensor([1.0], device=device) + 1).realize()
        except (RuntimeError, OSError):
            return None
        return device

    def _called(self, device: str) -> str:
        return "cpu" if device.partition(":")[0] in {"CPU", "PYTHON"} else device.lower()
