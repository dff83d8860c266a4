"""JAX on replicas: ``shard_map`` over logical devices of the CPU, the whole step under ``jax.jit``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

try:
    from jax import shard_map
except ImportError:
    from jax.experimental.shard_map import shard_map  # where it was before 0.6

from conformance.frameworks.child_processes import Replica, ReplicaLauncher, serve
from conformance.frameworks.jax.tensors import place
from conformance.numerics.formats import Array
from conformance.numerics.tasks import ReplicasTask

AXIS = "replica"

VARIANTS: Mapping[str, tuple[Callable[[jax.Array, jax.Array], jax.Array], str]] = {
    "pmean": (
        lambda squares, mask: jax.lax.pmean(jnp.sum(squares * mask) / (jnp.sum(mask) * squares.shape[1]), AXIS),
        'jax.lax.pmean(sum(mask * squares) / count(mask), "replica")',
    ),
    "psum": (
        lambda squares, mask: jax.lax.psum(jnp.sum(squares * mask), AXIS) / (jax.lax.psum(jnp.sum(mask), AXIS) * squares.shape[1]),
        'jax.lax.psum(sum(mask * squares), "replica") / jax.lax.psum(count(mask), "replica")',
    ),
}


def _environment(replicas: int) -> Mapping[str, str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={replicas}"
    return {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"}


IMPLEMENTATIONS = ReplicaLauncher("conformance.frameworks.jax.replicas", _environment).implementations(
    "shard_map", "jit", {name: f"jax.value_and_grad(jax.shard_map(loss, ...)) with loss = {loss}" for name, (_, loss) in VARIANTS.items()}
)


def _run(task: ReplicasTask, variant: str) -> Sequence[Replica]:
    """All replicas. Shards of one length are asked for: short ones are padded with rows that a mask leaves out."""
    replicas, longest = len(task.shards), max(task.shards)
    places = np.concatenate([index * longest + np.arange(rows) for index, rows in enumerate(task.shards)])
    traced: set[bool] = set()

    def padded(rows: Array) -> Array:
        spread = np.zeros((replicas * longest, *rows.shape[1:]), rows.dtype)
        spread[places] = rows
        return spread

    def shard_loss(parameters: jax.Array, inputs: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
        traced.add(isinstance(inputs, jax.core.Tracer))
        return VARIANTS[variant][0](jnp.square(inputs @ parameters - targets), mask)

    rows = PartitionSpec(AXIS)
    mesh = Mesh(np.array(jax.devices("cpu")[:replicas]), (AXIS,))
    loss = shard_map(shard_loss, mesh=mesh, in_specs=(PartitionSpec(), rows, rows, rows), out_specs=PartitionSpec())
    value, gradient = jax.jit(jax.value_and_grad(loss))(
        task.parameters, padded(task.inputs), padded(task.targets), padded(np.ones_like(task.inputs[:, :1]))
    )
    mode = "jit" if traced == {True} else "eager"
    held = zip(gradient.addressable_shards, value.addressable_shards)
    return [Replica(i, place(g.data), mode, np.asarray(g.data), np.asarray(v.data)) for i, (g, v) in enumerate(held)]


if __name__ == "__main__":
    serve(_run)
