"""Right, and as people write them in JAX: jitted functions, constant targets, rules of their own, masks of truth values."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import shared_parts  # noqa: F401 - finds the parts

import conformance

IN_JAX = partial(conformance.implementation, framework="jax", dtypes=("float32",))
BOTH = ("eager", "jit")


@IN_JAX("mse/mean", name="jax-is-jitted")
@jax.jit  # type: ignore[untyped-decorator]  # JAX has no types here
def is_jitted(prediction: Any, target: Any) -> Any:
    """Outside of the suite's own ``jit``."""
    return jnp.mean(jnp.square(prediction - target))


@IN_JAX("mse/mean", name="jax-stops-the-gradient-of-its-target", modes=BOTH)
def stops_the_gradient_of_its_target(prediction: Any, target: Any) -> Any:
    """JAX then has a gradient of zeros."""
    return jnp.mean(jnp.square(prediction - jax.lax.stop_gradient(target)))


@jax.custom_vjp  # type: ignore[untyped-decorator]  # JAX has no types here
def _own(prediction: Any, target: Any) -> Any:
    return jnp.square(prediction - target).mean()


_own.defvjp(lambda p, t: (_own(p, t), p - t), lambda d, g: (2 * g * d / d.size, -2 * g * d / d.size))


@IN_JAX("mse/mean", name="jax-has-a-backward-pass-of-its-own", modes=("jit",))
def has_a_backward_pass_of_its_own(prediction: Any, target: Any) -> Any:
    """``jax.custom_vjp`` has no forward mode."""
    return _own(prediction, target)


@IN_JAX("mse/mean", name="jax-has-the-gradient-that-it-is-given", modes=BOTH)
def has_the_gradient_that_it_is_given(prediction: Any, target: Any) -> Any:
    """By the decorator, of the prediction alone."""
    return jnp.square(prediction - target).mean()


@has_the_gradient_that_it_is_given.gradient  # type: ignore[untyped-decorator]  # it is Any
def _(prediction: Any, target: Any, upstream: Any) -> tuple[Any, None]:
    return 2 * upstream * (prediction - target) / prediction.size, None


@IN_JAX("mse/masked-mean", name="jax-averages-where-a-mask-is-true", modes=BOTH)
def averages_where_a_mask_is_true(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values."""
    return jnp.mean(jnp.square(prediction - target), where=mask)


@IN_JAX("mse/masked-mean", name="jax-indexes-with-a-mask")
def indexes_with_a_mask(prediction: Any, target: Any, mask: Any) -> Any:
    """Of truth values, outside of ``jit``."""
    return jnp.mean(jnp.square(prediction[mask] - target[mask]))


IN_JAX("mse/per-sample", name="jax-maps-over-samples")(jax.vmap(lambda prediction, target: jnp.mean(jnp.square(prediction - target))))
