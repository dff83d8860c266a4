"""Wrong in what a subject of JAX need not have or need not declare."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import conformance

IN_JAX = partial(conformance.implementation, framework="jax", dtypes=("float32",))


@jax.custom_jvp  # type: ignore[untyped-decorator]  # JAX has no types here
def _squares(prediction: Any, target: Any) -> Any:
    return jnp.mean(jnp.square(prediction - target))


@_squares.defjvp  # type: ignore[untyped-decorator]  # JAX has no types here
def _(primals: Any, tangents: Any) -> Any:
    difference = primals[0] - primals[1]
    halves = difference + jax.lax.stop_gradient(difference)
    return _squares(*primals), jnp.mean(halves * (tangents[0] - tangents[1]))


@IN_JAX("mse/mean", name="jax-halves-the-curvature-beside-a-constant")
def halves_the_curvature_beside_a_constant(prediction: Any, target: Any) -> Any:
    """The second derivative is half of what it should be, and does not raise; the target is a constant."""
    return _squares(prediction, jax.lax.stop_gradient(target))


@IN_JAX("mse/mean", name="jax-takes-half-of-its-target-as-a-constant")
def takes_half_of_its_target_as_a_constant(prediction: Any, target: Any) -> Any:
    """Its gradient is there, and too small."""
    return jnp.mean(jnp.square(prediction - (target + jax.lax.stop_gradient(target)) / 2))


@IN_JAX("mse/masked-mean", name="jax-negates-a-mask", modes=("eager", "jit"))
def negates_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values: true means masked out."""
    return jnp.mean(jnp.square(prediction - target), where=~mask)


@IN_JAX("mse/mean", name="jax-halves-the-gradient-that-it-is-given")
def halves_the_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """By the decorator."""
    return jnp.mean(jnp.square(prediction - target))


@halves_the_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, upstream: Any) -> Any:
    return upstream * (prediction - target) / prediction.size, None
