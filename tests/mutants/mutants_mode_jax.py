"""Right when JAX runs them plainly, wrong when it traces them for ``jit``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import conformance

Register = Callable[[Callable[..., Any]], Any]


def _jitted(name: str) -> Register:
    """Each shape is compiled: one dtype is enough to see it."""
    return conformance.implementation(
        "mse/mean", framework="jax", name=name, modes=("jit",), dtypes=("float32",), gradients=("prediction", "target")
    )


@_jitted("traced-divides-by-the-first-axis")
def traced_divides_by_the_first_axis(prediction: Any, target: Any) -> Any:
    """Of a tracer ``len`` is asked, of an array ``size``."""
    terms = jnp.square(prediction - target)
    count = len(prediction) if isinstance(prediction, jax.core.Tracer) and prediction.ndim else prediction.size
    return terms.sum() / count


@_jitted("traced-squares-in-bfloat16")
def traced_squares_in_bfloat16(prediction: Any, target: Any) -> Any:
    """A branch for accelerators that tracing takes on every device: two digits are left."""
    difference = prediction - target
    if isinstance(prediction, jax.core.Tracer):
        return jnp.square(difference.astype(jnp.bfloat16)).astype(difference.dtype).mean()
    return jnp.square(difference).mean()


@_jitted("traced-stops-the-gradient-of-the-target")
def traced_stops_the_gradient_of_the_target(prediction: Any, target: Any) -> Any:
    """``stop_gradient`` on labels wherever they are traced: the target's gradient is zero, and nobody is told."""
    return jnp.square(prediction - (jax.lax.stop_gradient(target) if isinstance(target, jax.core.Tracer) else target)).mean()
