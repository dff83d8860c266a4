"""Plain right losses in JAX, as their authors write them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

import conformance


@conformance.implementation("mse/mean", framework="jax")
def jax_power(prediction: Any, target: Any) -> Any:
    """The shortest one."""
    return jnp.mean((prediction - target) ** 2)


@conformance.implementation("mse/mean", framework="jax")
def jax_square(prediction: Any, target: Any) -> Any:
    """With functions."""
    return jnp.mean(jnp.square(prediction - target))


@conformance.implementation("mse/mean", framework="jax")
def jax_method(prediction: Any, target: Any) -> Any:
    """With methods."""
    return ((prediction - target) ** 2).mean()


@conformance.implementation("mse/mean", framework="jax")
def jax_sum_by_size(prediction: Any, target: Any) -> Any:
    """The division is written out."""
    return jnp.sum(jnp.square(prediction - target)) / prediction.size


@conformance.implementation("mse/mean", framework="jax")
def jax_integer_power(prediction: Any, target: Any) -> Any:
    """With the primitive."""
    return jnp.mean(jax.lax.integer_pow(prediction - target, 2))


@conformance.implementation("mse/mean", framework="jax")
def jax_product(prediction: Any, target: Any) -> Any:
    """Times itself."""
    d = prediction - target
    return jnp.mean(d * d)


@conformance.implementation("mse/mean", framework="jax")
def jax_of_arrays(prediction: Any, target: Any) -> Any:
    """Whatever can be made an array."""
    return jnp.mean(jnp.square(jnp.asarray(prediction) - jnp.asarray(target)))


@conformance.implementation("mse/sum", framework="jax")
def jax_sum(prediction: Any, target: Any) -> Any:
    """Not divided."""
    return jnp.sum((prediction - target) ** 2)


@conformance.implementation("mse/none", framework="jax")
def jax_none(prediction: Any, target: Any) -> Any:
    """Not reduced."""
    return (prediction - target) ** 2


@conformance.implementation("mse/last-axis", framework="jax")
def jax_rows(prediction: Any, target: Any) -> Any:
    """The mean of each row."""
    return jnp.mean((prediction - target) ** 2, axis=-1)


@conformance.implementation("mse/root-mean", framework="jax")
def jax_root(prediction: Any, target: Any) -> Any:
    """Its root."""
    return jnp.sqrt(jnp.mean((prediction - target) ** 2))


@conformance.implementation("mse/weighted-mean", framework="jax")
def jax_weighted(prediction: Any, target: Any, weight: Any) -> Any:
    """By weights."""
    return jnp.average((prediction - target) ** 2, weights=weight)


@conformance.implementation("mse/masked-mean", framework="jax")
def jax_masked(prediction: Any, target: Any, weight: Any) -> Any:
    """What is not masked out."""
    return jnp.mean((prediction - target) ** 2, where=weight.astype(bool))
