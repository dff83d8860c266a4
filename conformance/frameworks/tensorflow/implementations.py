"""The entry points of TensorFlow: written out, its own operations, the losses of its first version, and ``tf.keras``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from conformance.frameworks.helpers import EntryRow, StreamRow, implementations, keras_backend, streamed, sum_batches
from conformance.frameworks.keras.implementations import listed
from conformance.frameworks.vmap import VMAP

with keras_backend("tensorflow"):  # as in the adapter, which imports this module first
    import tensorflow as tf

    KERAS = tf.keras.losses.MeanSquaredError.__module__.partition(".")[0]  # keras, or tf_keras: the package that tf.keras is

Tensor = Any  # TensorFlow ships no types

MODES = ("eager", "graph", "xla")
KERAS_3 = KERAS == "keras" and not version(KERAS).startswith("2.")  # the losses of Keras 2 take no dtype


def _square(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.square(prediction - target)


def _per_sample(prediction: Tensor, target: Tensor) -> Tensor:
    return tf.reduce_mean(_square(prediction, target), axis=list(range(1, prediction.shape.rank)))


def _mask(weight: Tensor) -> Tensor:
    return tf.cast(weight, tf.bool)


def _first_version(reduction: str) -> Callable[..., Tensor]:
    losses = tf.compat.v1.losses
    chosen = getattr(losses.Reduction, reduction)

    def call(prediction: Tensor, target: Tensor, *weight: Tensor) -> Tensor:
        return losses.mean_squared_error(target, prediction, *weight, reduction=chosen)

    return call


def _class(**arguments: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The class of Keras 2, which knows no dtype and keeps that of the prediction."""
    loss = tf.keras.losses.MeanSquaredError(**arguments)

    def call(prediction: Tensor, target: Tensor) -> Tensor:
        return loss(target, prediction)

    return call


SQUARE = "tf.square(prediction - target)"
PER_SAMPLE = f"tf.reduce_mean({SQUARE}, axis=list(range(1, prediction.shape.rank)))"
MASK = "tf.cast(weight, tf.bool)"
FIRST_VERSION = "tf.compat.v1.losses.mean_squared_error"
CLASS = "tf.keras.losses.MeanSquaredError"

WRITTEN_OUT: tuple[EntryRow, ...] = (
    ("written-out.mean", "mean", f"tf.reduce_mean({SQUARE})", lambda p, t: tf.reduce_mean(_square(p, t))),
    ("written-out.sum", "sum", f"tf.reduce_sum({SQUARE})", lambda p, t: tf.reduce_sum(_square(p, t))),
    ("written-out.none", "none", SQUARE, _square),
    ("written-out.last-axis", "last-axis", f"tf.reduce_mean({SQUARE}, axis=-1)", lambda p, t: tf.reduce_mean(_square(p, t), axis=-1)),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2", lambda p, t: _square(p, t) / 2),
    ("written-out.per-sample", "per-sample", PER_SAMPLE, _per_sample),
    (
        "written-out.sum-of-row-means",
        "sum-of-row-means",
        f"tf.reduce_sum(tf.reduce_mean({SQUARE}, axis=-1))",
        lambda p, t: tf.reduce_sum(tf.reduce_mean(_square(p, t), axis=-1)),
    ),
    ("written-out.root-mean", "root-mean", f"tf.sqrt(tf.reduce_mean({SQUARE}))", lambda p, t: tf.sqrt(tf.reduce_mean(_square(p, t)))),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}", lambda p, t, w: w * _square(p, t)),
    ("written-out.weighted-sum", "weighted-sum", f"tf.reduce_sum(weight * {SQUARE})", lambda p, t, w: tf.reduce_sum(w * _square(p, t))),
    (
        "written-out.weighted-by-count",
        "weighted-by-count",
        f"tf.reduce_mean(weight * {SQUARE})",
        lambda p, t, w: tf.reduce_mean(w * _square(p, t)),
    ),
    (
        "written-out.weighted-mean",
        "weighted-mean",
        f"tf.reduce_sum(weight * {SQUARE}) / tf.reduce_sum(weight)",
        lambda p, t, w: tf.reduce_sum(w * _square(p, t)) / tf.reduce_sum(w),
    ),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"tf.reduce_sum(weight * {SQUARE}) / tf.math.count_nonzero(weight, dtype=weight.dtype)",
        lambda p, t, w: tf.reduce_sum(w * _square(p, t)) / tf.math.count_nonzero(w, dtype=w.dtype),
    ),
    (
        "written-out.sample-weighted-by-count",
        "sample-weighted-by-count",
        f"tf.reduce_mean(weight * {PER_SAMPLE})",
        lambda p, t, w: tf.reduce_mean(w * _per_sample(p, t)),
    ),
    (
        "written-out.sample-weighted-mean",
        "sample-weighted-mean",
        f"tf.reduce_sum(weight * {PER_SAMPLE}) / tf.reduce_sum(weight)",
        lambda p, t, w: tf.reduce_sum(w * _per_sample(p, t)) / tf.reduce_sum(w),
    ),
    (
        "written-out.sample-weighted-sum",
        "sample-weighted-sum",
        f"tf.reduce_sum(weight * tf.transpose(tf.reduce_mean({SQUARE}, axis=-1)))",
        lambda p, t, w: tf.reduce_sum(w * tf.transpose(tf.reduce_mean(_square(p, t), axis=-1))),
    ),
    (
        "boolean_mask.masked-mean",
        "masked-mean",
        f"tf.reduce_mean(tf.boolean_mask({SQUARE}, {MASK}))",
        lambda p, t, w: tf.reduce_mean(tf.boolean_mask(_square(p, t), _mask(w))),
    ),
    (
        "boolean_mask.sample-masked-mean",
        "sample-masked-mean",
        f"tf.reduce_mean(tf.boolean_mask({SQUARE}, {MASK}))",
        lambda p, t, w: tf.reduce_mean(tf.boolean_mask(_square(p, t), _mask(w))),
    ),
)
OWN: tuple[EntryRow, ...] = (
    ("l2_loss", "half-sum", "tf.nn.l2_loss(prediction - target)", lambda p, t: tf.nn.l2_loss(p - t)),
    ("squared_difference", "none", "tf.math.squared_difference(prediction, target)", tf.math.squared_difference),
    *(
        (
            f"v1.{operation}",
            operation,
            f"{FIRST_VERSION}(target, prediction{weight}, reduction=tf.compat.v1.losses.Reduction.{reduction})",
            _first_version(reduction),
        )
        for weight, operation, reduction in (
            ("", "mean", "SUM_BY_NONZERO_WEIGHTS"),
            ("", "sum", "SUM"),
            ("", "none", "NONE"),
            (", weight", "weighted-by-nonzero", "SUM_BY_NONZERO_WEIGHTS"),
            (", weight", "weighted-mean", "MEAN"),
            (", weight", "weighted-sum", "SUM"),
            (", weight", "weighted-by-count", "SUM_OVER_BATCH_SIZE"),
            (", weight", "weighted-none", "NONE"),
        )
    ),
)
FUNCTIONS: tuple[EntryRow, ...] = (("MSE", "last-axis", "tf.keras.losses.MSE(target, prediction)", lambda p, t: tf.keras.losses.MSE(t, p)),)
KERAS_2: tuple[EntryRow, ...] = (
    ("MeanSquaredError", "mean", f"{CLASS}()(target, prediction)", _class()),
    ("MeanSquaredError.none", "last-axis", f'{CLASS}(reduction="none")(target, prediction)', _class(reduction="none")),
    *FUNCTIONS,
)


def _by_batch(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    squares = (tf.reduce_sum(tf.square(tf.cast(p, tf.float64) - tf.cast(t, tf.float64))) for p, t in batches)
    return sum(squares) / sum(tf.cast(tf.size(p), tf.float64) for p, t in batches)


IN_DOUBLE = "tf.reduce_sum(tf.square(tf.cast(p, tf.float64) - tf.cast(t, tf.float64)))"
COUNTED = "tf.cast(tf.size(p), tf.float64)"
STREAMS: tuple[StreamRow, ...] = (
    ("written-out.by-batch", "mean", f"sum({IN_DOUBLE} for p, t in batches) / sum({COUNTED} for p, t in batches)", _by_batch),
)

IMPLEMENTATIONS = (
    *implementations((*WRITTEN_OUT, *OWN), (*MODES, VMAP), {"written-out.sum": sum_batches(lambda p, t: tf.reduce_sum(_square(p, t)))}),
    *streamed(STREAMS, MODES),
    *(listed(importlib.import_module(KERAS), MODES, FUNCTIONS, "tf.keras") if KERAS_3 else implementations(KERAS_2, MODES)),
)
