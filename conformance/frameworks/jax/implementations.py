"""The entry points of JAX: the forms that people write out with ``jax.numpy``, and optax where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, streamed, sum_batches
from conformance.frameworks.vmap import VMAP

MODES = ("eager", "jit")
HAS_OPTAX = importlib.util.find_spec("optax") is not None
if HAS_OPTAX:
    import optax


def _square(prediction: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.square(prediction - target)


def _per_sample(prediction: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.mean(_square(prediction, target), axis=tuple(range(1, prediction.ndim)))


def _where(prediction: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """The mask has one axis at least, and none that the inputs have not; missing ones come after its own."""
    return jnp.mean(_square(prediction, target), where=mask.reshape(mask.shape + (1,) * (prediction.ndim - mask.ndim)))


SQUARE = "jnp.square(prediction - target)"
PER_SAMPLE = f"jnp.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"jnp.mean({SQUARE})", lambda p, t: jnp.mean(_square(p, t))),
    ("written-out.sum", "sum", f"jnp.sum({SQUARE})", lambda p, t: jnp.sum(_square(p, t))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"jnp.mean({SQUARE}, axis=-1)", lambda p, t: jnp.mean(_square(p, t), axis=-1)),
    ("written-out.half-sum", "half-sum", f"jnp.sum({SQUARE}) / 2", lambda p, t: jnp.sum(_square(p, t)) / 2),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    (
        "written-out.sum-of-row-means",
        "sum-of-row-means",
        f"jnp.sum(jnp.mean({SQUARE}, axis=-1))",
        lambda p, t: jnp.sum(jnp.mean(_square(p, t), axis=-1)),
    ),
    ("written-out.root-mean", "root-mean", f"jnp.sqrt(jnp.mean({SQUARE}))", lambda p, t: jnp.sqrt(jnp.mean(_square(p, t)))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"jnp.sum(weight * {SQUARE})", lambda p, t, w: jnp.sum(w * _square(p, t))),
    ("written-out.weighted-by-count", "weighted-by-count", f"jnp.mean(weight * {SQUARE})", lambda p, t, w: jnp.mean(w * _square(p, t))),
    (
        "average.weighted-mean",
        "weighted-mean",
        f"jnp.average({SQUARE}, weights=weight)",
        lambda p, t, w: jnp.average(_square(p, t), weights=w),
    ),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"jnp.sum(weight * {SQUARE}) / jnp.sum(weight)",
        lambda p, t, w: jnp.sum(w * _square(p, t)) / jnp.sum(w),
    ),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"jnp.sum(weight * {SQUARE}) / jnp.count_nonzero(weight)",
        lambda p, t, w: jnp.sum(w * _square(p, t)) / jnp.count_nonzero(w),
    ),
    (
        "written-out.sample-weighted-by-count",
        "sample-weighted-by-count",
        f"jnp.mean(weight * {PER_SAMPLE})",
        lambda p, t, w: jnp.mean(w * _per_sample(p, t)),
    ),
    (
        "average.sample-weighted-mean",
        "sample-weighted-mean",
        f"jnp.average({PER_SAMPLE}, weights=weight)",
        lambda p, t, w: jnp.average(_per_sample(p, t), weights=w),
    ),
    (
        "written-out.sample-weighted-sum",
        "sample-weighted-sum",
        f"jnp.sum(weight * jnp.mean({SQUARE}, axis=-1).T)",
        lambda p, t, w: jnp.sum(w * jnp.mean(_square(p, t), axis=-1).T),
    ),
    ("mean-where", "masked-mean", f"jnp.mean({SQUARE}, where={MASK})", lambda p, t, w: _where(p, t, w.astype(bool))),
    (
        "mean-where.sample-masked-mean",
        "sample-masked-mean",
        f"jnp.mean({SQUARE}, where={MASK}.reshape(-1, *[1] * (prediction.ndim - 1)))",
        lambda p, t, w: _where(p, t, w.astype(bool)),
    ),
)
OPTAX: tuple[EntryRow, ...] = (
    (
        ("optax.squared_error", "none", "optax.squared_error(prediction, target)", optax.squared_error),
        ("optax.l2_loss", "half-none", "optax.l2_loss(prediction, target)", optax.l2_loss),
    )
    if HAS_OPTAX
    else ()
)


def _by_batch(batches: Sequence[tuple[jax.Array, jax.Array]]) -> jax.Array:
    squares = (jnp.sum(jnp.square(p.astype(jnp.float64) - t.astype(jnp.float64))) for p, t in batches)
    return sum(squares) / sum(p.size for p, t in batches)


STREAMS: tuple[StreamRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        "sum(jnp.sum(jnp.square(p.astype(jnp.float64) - t.astype(jnp.float64))) for p, t in batches) / sum(p.size for p, t in batches)",
        _by_batch,
    ),
)

IMPLEMENTATIONS = (
    *implementations((*WRITTEN_OUT, *OPTAX), (*MODES, VMAP), {"written-out.sum": sum_batches(lambda p, t: jnp.sum(_square(p, t)))}),
    *streamed(STREAMS, MODES),
)
