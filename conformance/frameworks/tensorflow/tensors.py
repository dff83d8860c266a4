"""TensorFlow's tensors, its devices, and host arrays."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported


from conformance.frameworks.base import Unsupported
from conformance.frameworks.helpers import in_order, keras_backend
from conformance.numerics.formats import BFLOAT16, Array

with keras_backend("tensorflow"):  # TensorFlow imports Keras, which could otherwise compute with another framework
    tf: Any = importlib.import_module("tensorflow")
"""TensorFlow: other modules import it from here, so that it is nowhere imported in another way."""

Tensor = Any  # TensorFlow ships no types


NO_KERNEL = ("No OpKernel was registered", "Could not find device for node", "No registered", "is not in the list of allowed values")


def constant(array: Array) -> Tensor:
    """A host array as a tensor. TensorFlow 2.13 has a bfloat16 of its own, with the bits of that of ml_dtypes but another type."""
    return tf.constant(array.view(tf.bfloat16.as_numpy_dtype) if array.dtype == BFLOAT16 else array)


def host(tensor: Tensor) -> Array:
    """A tensor as a host array, of the types that the suite knows."""
    array: Array = tensor.numpy()
    return array.view(BFLOAT16) if tensor.dtype == tf.bfloat16 else array


def place(tensor: Tensor) -> str:
    """The device of a result as the suite names it: ``cpu``, ``gpu:0``."""
    return _called(tensor.device)


@cache
def _called(device: str) -> str:
    place = tf.DeviceSpec.from_string(device)
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


def with_gradient(call: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with a gradient of its own in place of that of the tape."""

    def differentiated(*given: Tensor) -> Any:
        return call(*given), lambda upstream: in_order(gradient(*given, upstream), len(given))

    own: Callable[..., Any] = tf.custom_gradient(differentiated)
    return own
