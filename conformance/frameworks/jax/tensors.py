"""JAX's arrays and the names of its devices."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA logs through the same switch; read at import

import jax
import jax.numpy as jnp

from conformance.frameworks.helpers import in_order, no_device

jax.config.update("jax_enable_x64", val=True)  # without it JAX has no float64 at all: it computes float32, with a warning


def kind_of(device: jax.Device) -> str:
    """The kind of a device; JAX calls both CUDA and ROCm devices ``gpu``."""
    if device.platform in ("gpu", "cuda"):
        return "rocm" if "rocm" in device.client.platform_version.lower() else "cuda"
    return str(device.platform)


def name_of(device: jax.Device) -> str:
    """The suite's name of a device: ``cpu``, ``cuda:0``."""
    kind = kind_of(device)
    return "cpu" if kind == "cpu" and device.id == 0 else f"{kind}:{device.id}"


def place(array: jax.Array) -> str:
    """The device of a result, or the devices, as the suite names them."""
    return " and ".join(sorted(name_of(device) for device in array.devices()))


def all_devices() -> list[jax.Device]:
    """The devices of this process, those of the CPU first."""
    try:
        host = list(jax.local_devices(backend="cpu"))
    except RuntimeError:  # JAX_PLATFORMS excludes the CPU
        host = []
    return host + [device for device in jax.local_devices() if device.platform != "cpu"]


def device_named(name: str) -> jax.Device:
    """A device by the suite's name of it.

    Raises:
        Unsupported: JAX sees no such device.
    """
    by_name = {name_of(known): known for known in all_devices()}
    if name not in by_name:
        raise no_device("jax", name, list(by_name))
    return by_name[name]


def vjp_of_floats(call: Callable[..., Any], inputs: Sequence[jax.Array]) -> tuple[Any, Callable[..., tuple[jax.Array, ...]]]:
    """``jax.vjp``, but for a mask of truth values, which comes last and is a constant."""
    floats = [array for array in inputs if jnp.issubdtype(array.dtype, jnp.floating)]
    value, pullback = jax.vjp(lambda *given: call(*given, *inputs[len(floats) :]), *floats)
    return value, pullback


def with_gradient(call: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with a gradient of its own in place of that of JAX, which knows no missing one: it is zero."""

    def backward(given: tuple[jax.Array, ...], upstream: jax.Array) -> tuple[jax.Array, ...]:
        parts = in_order(gradient(*given, upstream), len(given))
        return tuple(jnp.zeros_like(array) if part is None else part for array, part in zip(given, parts))

    own: Any = jax.custom_vjp(call)
    own.defvjp(lambda *given: (call(*given), given), backward)
    differentiated: Callable[..., Any] = own
    return differentiated
