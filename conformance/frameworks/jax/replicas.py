"""JAX on replicas: ``shard_map`` over logical devices of the CPU, the whole step under ``jax.jit``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from conformance.frameworks.base import Implementation
from conformance.frameworks.child_processes import Replica, ReplicaLauncher, ReplicaRequest, serve
from conformance.frameworks.jax.tensors import place
from conformance.numerics.formats import Array

AXIS = "replica"


def _pmean(squares: jax.Array, mask: jax.Array) -> jax.Array:
    """The mean of each shard's rows, padding left out; then the mean of those."""
    return jax.lax.pmean(jnp.sum(squares * mask) / (jnp.sum(mask) * squares.shape[1]), AXIS)


def _psum(squares: jax.Array, mask: jax.Array) -> jax.Array:
    """Sums and counts of all shards, divided at the end."""
    return jax.lax.psum(jnp.sum(squares * mask), AXIS) / (jax.lax.psum(jnp.sum(mask), AXIS) * squares.shape[1])


VARIANTS: Mapping[str, tuple[Callable[[jax.Array, jax.Array], jax.Array], str]] = {
    "pmean": (_pmean, 'jax.lax.pmean(sum(mask * squares) / count(mask), "replica")'),
    "psum": (_psum, 'jax.lax.psum(sum(mask * squares), "replica") / jax.lax.psum(count(mask), "replica")'),
}


def _environment(replicas: int) -> Mapping[str, str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={replicas}"
    return {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"}


_LAUNCH = ReplicaLauncher("conformance.frameworks.jax.replicas", _environment)


def implementations() -> Sequence[Implementation]:
    """The mean of means, and sums divided by counts; differentiated as a whole."""
    return _LAUNCH.implementations(
        "shard_map",
        "jit",
        {variant: f"jax.value_and_grad(jax.shard_map(loss, ...)) with loss = {loss}" for variant, (_, loss) in VARIANTS.items()},
    )


def _shard_map() -> Any:
    if hasattr(jax, "shard_map"):
        return jax.shard_map
    from jax.experimental.shard_map import shard_map  # before 0.6

    return shard_map


def _run(order: ReplicaRequest) -> Sequence[Replica]:
    """All replicas. Shards of one length are asked for: short ones are padded with rows that a mask leaves out."""
    task, longest = order.task, max(order.task.shards)
    shards = list(task.split())
    inputs, targets = (np.concatenate([_padded(rows, longest) for rows in part]) for part in zip(*((s.inputs, s.targets) for s in shards)))
    mask = np.concatenate([_padded(np.ones((len(s.inputs), 1), inputs.dtype), longest) for s in shards])
    traced: set[bool] = set()

    def shard_loss(parameters: jax.Array, inputs: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
        traced.add(isinstance(inputs, jax.core.Tracer))
        return VARIANTS[order.variant][0](jnp.square(inputs @ parameters - targets), mask)

    rows = PartitionSpec(AXIS)
    mesh = Mesh(np.array(jax.devices("cpu")[: len(shards)]), (AXIS,))
    loss = _shard_map()(shard_loss, mesh=mesh, in_specs=(PartitionSpec(), rows, rows, rows), out_specs=PartitionSpec())
    value, gradient = jax.jit(jax.value_and_grad(loss))(task.parameters, inputs, targets, mask)
    mode = "jit" if traced == {True} else "eager"
    held = zip(gradient.addressable_shards, value.addressable_shards)
    return [Replica(i, place(g.data), mode, np.asarray(g.data), np.asarray(v.data)) for i, (g, v) in enumerate(held)]


def _padded(rows: Array, length: int) -> Array:
    return np.concatenate([rows, np.zeros((length - len(rows), *rows.shape[1:]), rows.dtype)])


if __name__ == "__main__":
    serve(_run)
