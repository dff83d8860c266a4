"""The entry points of TensorFlow: written out, its own operations, the losses of its first version, and ``tf.keras``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from conformance.frameworks.helpers import EntryRow, implementations, keras_backend, streamed
from conformance.frameworks.keras.implementations import listed
from conformance.frameworks.tensorflow.tensors import Tensor, tf
from conformance.frameworks.vmap import VMAP

with keras_backend("tensorflow"):  # Keras is imported when it is first asked for
    KERAS = tf.keras.losses.MeanSquaredError.__module__.partition(".")[0]  # keras, or tf_keras: the package that tf.keras is

MODES = ("eager", "graph", "xla")
NAMES = {"tf": tf}
KERAS_3 = KERAS == "keras" and not version(KERAS).startswith("2.")  # the losses of Keras 2 take no dtype


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
    ("written-out.mean", "mean", f"tf.reduce_mean({SQUARE})"),
    ("written-out.sum", "sum", f"tf.reduce_sum({SQUARE})"),
    ("written-out.none", "none", SQUARE),
    ("written-out.last-axis", "last-axis", f"tf.reduce_mean({SQUARE}, axis=-1)"),
    ("written-out.half-none", "half-none", f"{SQUARE} / 2"),
    ("written-out.per-sample", "per-sample", PER_SAMPLE),
    ("written-out.sum-of-row-means", "sum-of-row-means", f"tf.reduce_sum(tf.reduce_mean({SQUARE}, axis=-1))"),
    ("written-out.root-mean", "root-mean", f"tf.sqrt(tf.reduce_mean({SQUARE}))"),
    ("written-out.weighted-none", "weighted-none", f"weight * {SQUARE}"),
    ("written-out.weighted-sum", "weighted-sum", f"tf.reduce_sum(weight * {SQUARE})"),
    ("written-out.weighted-by-count", "weighted-by-count", f"tf.reduce_mean(weight * {SQUARE})"),
    ("written-out.weighted-mean", "weighted-mean", f"tf.reduce_sum(weight * {SQUARE}) / tf.reduce_sum(weight)"),
    (
        "written-out.weighted-by-nonzero",
        "weighted-by-nonzero",
        f"tf.reduce_sum(weight * {SQUARE}) / tf.math.count_nonzero(weight, dtype=weight.dtype)",
    ),
    ("written-out.sample-weighted-by-count", "sample-weighted-by-count", f"tf.reduce_mean(weight * {PER_SAMPLE})"),
    ("written-out.sample-weighted-mean", "sample-weighted-mean", f"tf.reduce_sum(weight * {PER_SAMPLE}) / tf.reduce_sum(weight)"),
    ("written-out.sample-weighted-sum", "sample-weighted-sum", f"tf.reduce_sum(weight * tf.transpose(tf.reduce_mean({SQUARE}, axis=-1)))"),
    ("boolean_mask.masked-mean", "masked-mean", f"tf.reduce_mean(tf.boolean_mask({SQUARE}, {MASK}))"),
    ("boolean_mask.sample-masked-mean", "sample-masked-mean", f"tf.reduce_mean(tf.boolean_mask({SQUARE}, {MASK}))"),
)
OWN: tuple[EntryRow, ...] = (
    ("l2_loss", "half-sum", "tf.nn.l2_loss(prediction - target)"),
    ("squared_difference", "none", "tf.math.squared_difference(prediction, target)"),
    *(
        (
            f"v1.{operation}",
            operation,
            f"{FIRST_VERSION}(target, prediction{weight}, reduction=tf.compat.v1.losses.Reduction.{reduction})",
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
FUNCTIONS: tuple[EntryRow, ...] = (("MSE", "last-axis", "tf.keras.losses.MSE(target, prediction)"),)
KERAS_2: tuple[EntryRow, ...] = (
    ("MeanSquaredError", "mean", f"{CLASS}()(target, prediction)", _class()),
    ("MeanSquaredError.none", "last-axis", f'{CLASS}(reduction="none")(target, prediction)', _class(reduction="none")),
    *FUNCTIONS,
)

IN_DOUBLE = "tf.reduce_sum(tf.square(tf.cast(p, tf.float64) - tf.cast(t, tf.float64)))"
COUNTED = "tf.cast(tf.size(p), tf.float64)"
STREAMS: tuple[EntryRow, ...] = (
    ("written-out.by-batch", "mean", f"sum({IN_DOUBLE} for p, t in batches) / sum({COUNTED} for p, t in batches)"),
)

IMPLEMENTATIONS = (
    *implementations((*WRITTEN_OUT, *OWN), NAMES, (*MODES, VMAP)),
    *streamed(STREAMS, NAMES, MODES),
    *(listed(importlib.import_module(KERAS), NAMES, MODES, FUNCTIONS, "tf.keras") if KERAS_3 else implementations(KERAS_2, NAMES, MODES)),
)
