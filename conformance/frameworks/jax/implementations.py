"""The entry points of JAX: the forms that people write out with ``jax.numpy``, and optax where it is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import jax
import jax.numpy as jnp

from conformance.frameworks.helpers import EntryRow, implementations, streamed
from conformance.frameworks.vmap import VMAP

MODES = ("eager", "jit")
NAMES: dict[str, Any] = {"jnp": jnp}
HAS_OPTAX = importlib.util.find_spec("optax") is not None
if HAS_OPTAX:
    import optax

    NAMES["optax"] = optax


def _where(prediction: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """The mask has one axis at least, and none that the inputs have not; missing ones come after its own."""
    mask = weight.astype(bool)
    return jnp.mean(jnp.square(prediction - target), where=mask.reshape(mask.shape + (1,) * (prediction.ndim - mask.ndim)))


SQUARE = "jnp.square(prediction - target)"
PER_SAMPLE = f"jnp.mean({SQUARE}, axis=tuple(range(1, prediction.ndim)))"
MASK = "weight.astype(bool)"

WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"jnp.mean({SQUARE})"),
    ("written-out.sum", "sum", f"jnp.sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"jnp.mean({SQUARE}, axis=-1)"),
    ("written-out.half-sum", "half-sum", f"jnp.sum({SQUARE}) / 2"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"jnp.sum(jnp.mean({SQUARE}, axis=-1))"),
    ("written-out.root-mean", "root-mean", f"jnp.sqrt(jnp.mean({SQUARE}))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"jnp.sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"jnp.mean(weight * {SQUARE})"),
    ("average.weighted-mean", "weighted-mean", f"jnp.average({SQUARE}, weights=weight)"),
    ("written-out.weighted-mean", "weighted-mean", f"jnp.sum(weight * {SQUARE}) / jnp.sum(weight)"),
    ("written-out.weighted-by-nonzero", "weighted-by-nonzero", f"jnp.sum(weight * {SQUARE}) / jnp.count_nonzero(weight)"),
    ("written-out.sample-weighted-by-count", "sample-weighted-by-count", f"jnp.mean(weight * {PER_SAMPLE})"),
    ("average.sample-weighted-mean", "sample-weighted-mean", f"jnp.average({PER_SAMPLE}, weights=weight)"),
    ("written-out.sample-weighted-sum", "sample-weighted-sum", f"jnp.sum(weight * jnp.mean({SQUARE}, axis=-1).T)"),
    ("mean-where", "masked-mean", f"jnp.mean({SQUARE}, where={MASK})", _where),
    (
        "mean-where.sample-masked-mean",
        "sample-masked-mean",
        f"jnp.mean({SQUARE}, where={MASK}.reshape(-1, *[1] * (prediction.ndim - 1)))",
        _where,
    ),
)
OPTAX: tuple[EntryRow, ...] = (
    (
        ("optax.squared_error", "none", "optax.squared_error(prediction, target)"),
        ("optax.l2_loss", "half-none", "optax.l2_loss(prediction, target)"),
    )
    if HAS_OPTAX
    else ()
)

STREAMS: tuple[EntryRow, ...] = (
    (
        "written-out.by-batch",
        "mean",
        "sum(jnp.sum(jnp.square(p.astype(jnp.float64) - t.astype(jnp.float64))) for p, t in batches) / sum(p.size for p, t in batches)",
    ),
)

IMPLEMENTATIONS = (
    *implementations((*WRITTEN_OUT, *OPTAX), NAMES, (*MODES, VMAP)),
    *streamed(STREAMS, NAMES, MODES),
)
