"""The entry points of Keras 3, also as ``tf.keras``: the class with each reduction, weighted and masked, and the metrics.

Keras has its backend since it was imported, so the tables are made of the module. Metrics keep a state, which a compiled function cannot
make anew: those that are no stream are called eagerly, each call on a metric of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from conformance.frameworks.base import Implementation, Stream
from conformance.frameworks.helpers import DTYPES, EntryRow, implementations, streamed

Call = Callable[..., Any]

METRICS: tuple[EntryRow, ...] = (
    (
        "metrics.MeanSquaredError.sample-weighted-mean",
        "sample-weighted-mean",
        "keras.metrics.MeanSquaredError()(target, prediction, sample_weight=weight)",
    ),
    ("metrics.RootMeanSquaredError", "root-mean", "keras.metrics.RootMeanSquaredError()(target, prediction)"),
)


def listed(
    keras: Any, names: dict[str, Any], modes: Sequence[str], functions: Sequence[EntryRow], spelled: str = "keras"
) -> tuple[Implementation, ...]:
    """The losses, in all of the modes; of ``tf.keras``, which is the same code, the plain ones and its own ``functions``."""
    rows = (*_plain(keras, spelled), *functions, *(_further(keras) if spelled == "keras" else ()))
    return implementations(rows, names, modes)


def metrics(keras: Any, modes: Sequence[str]) -> tuple[Implementation, ...]:
    """The metrics: that of the mean as a stream, the others eagerly."""
    updates = "*(m.update_state(t, p) for p, t in batches)"
    entry = f"[m := keras.metrics.MeanSquaredError({{}}), {updates}][0].result()"
    rows: tuple[EntryRow, ...] = (
        ("metrics.MeanSquaredError", "mean", entry.format(""), _updates(keras)),
        ("metrics.MeanSquaredError.dtype", "mean", entry.format("dtype=dtype"), _updates_with_dtype(keras)),
    )
    names = {"keras": keras}
    captured = tuple(mode for mode in modes if mode != "compile")  # torch.compile cannot capture what a metric writes to its state
    return (*streamed(rows, names, captured), *implementations(METRICS, names, ("eager",)))


def _updates(keras: Any, **arguments: Any) -> Stream:
    """One metric, as a training loop keeps it: reset, updated with each batch, and asked for its result.

    On JAX as Keras' own loops do it: the state is handed on, since a traced function may not write to it.
    """
    metric = keras.metrics.MeanSquaredError(**arguments)
    # Before there was a reset without state: as the metric was made, with zeros.
    start = getattr(metric, "stateless_reset_state", lambda: [variable.value for variable in metric.variables])

    def updated(batches: Sequence[tuple[Any, Any]]) -> Any:
        metric.reset_state()
        for prediction, target in batches:
            metric.update_state(target, prediction)
        return metric.result()

    def handed_on(batches: Sequence[tuple[Any, Any]]) -> Any:
        state = start()
        for prediction, target in batches:
            state = metric.stateless_update_state(state, target, prediction)
        return metric.stateless_result(state)

    return handed_on if keras.src.backend.backend() == "jax" else updated


def _updates_with_dtype(keras: Any) -> Stream:
    """A metric of the dtype of its first prediction; of none for integers and lists."""
    name_of: Callable[[Any], str] = keras.src.backend.standardize_dtype
    undecided, known = _updates(keras), {dtype: _updates(keras, dtype=dtype) for dtype in DTYPES}

    def updated(batches: Sequence[tuple[Any, Any]]) -> Any:
        prediction = batches[0][0]
        return known.get(name_of(prediction.dtype) if hasattr(prediction, "dtype") else "", undecided)(batches)

    return updated


def _plain(keras: Any, spelled: str) -> tuple[EntryRow, ...]:
    class_, said = f"{spelled}.losses.MeanSquaredError", _said(keras, spelled)
    default = keras.losses.MeanSquaredError()
    return (
        ("MeanSquaredError.dtype", "mean", said("", "target, prediction"), _with_dtype(keras)),
        ("MeanSquaredError", "mean", f"{class_}()(target, prediction)", lambda p, t: default(t, p)),
        ("MeanSquaredError.none", "last-axis", said("reduction=None", "target, prediction"), _with_dtype(keras, reduction=None)),
    )


def _further(keras: Any) -> tuple[EntryRow, ...]:
    said = _said(keras, "keras")
    weight = "sample_weight=keras.ops.reshape(weight, (-1, *[1] * (len(prediction.shape) - 2)))"
    column = "sample_weight=keras.ops.reshape(weight, (-1, *[1] * (len(prediction.shape) - 1)))"
    mask = 'keras.ops.cast(keras.ops.reshape(weight, (-1, *[1] * (len(prediction.shape) - 2))), "bool")'
    mask = f"keras.ops.broadcast_to({mask}, keras.ops.shape(prediction)[:-1])"
    given = f"keras.src.backend.set_keras_mask(prediction, {mask})"
    masked = f"({given}, {said('', 'target, prediction')})[1]"
    return (
        ("MeanSquaredError.sum", "sum-of-row-means", said('reduction="sum"', "target, prediction"), _with_dtype(keras, reduction="sum")),
        (
            "MeanSquaredError.sample-weighted-sum",
            "sample-weighted-sum",
            said('reduction="sum"', f"target, prediction, {weight}"),
            _weighted(keras, _with_dtype(keras, reduction="sum")),
        ),
        (
            "MeanSquaredError.sample-weighted-by-count",
            "sample-weighted-by-count",
            said("", f"target, prediction, {weight}"),
            _weighted(keras, _with_dtype(keras)),
        ),
        (
            "MeanSquaredError.column.sample-weighted-by-count",
            "sample-weighted-by-count",
            said("", f"target, prediction, {column}"),
            _column(keras, _with_dtype(keras)),
        ),
        *(
            (("MeanSquaredError.sample-masked-mean", "sample-masked-mean", masked, _masked(keras, _with_dtype(keras))),)
            if hasattr(keras.src.backend, "set_keras_mask")  # before, only a layer could give a tensor its mask
            else ()
        ),
        *(
            (
                (
                    "MeanSquaredError.sample-weighted-mean",
                    "sample-weighted-mean",
                    said('reduction="mean_with_sample_weight"', f"target, prediction, {weight}"),
                    _weighted(keras, _with_dtype(keras, reduction="mean_with_sample_weight")),
                ),
            )
            if _has_reduction(keras, "mean_with_sample_weight")
            else ()
        ),
    )


def _has_reduction(keras: Any, reduction: str) -> bool:
    try:
        keras.losses.MeanSquaredError(reduction=reduction)
    except ValueError:  # from a version that does not know it
        return False
    return True


def _takes_dtype(keras: Any) -> bool:
    """Whether a loss can be told its dtype. Before Keras 3.4 it had the floatx of the moment in which it was made."""
    return "dtype" in signature(keras.losses.MeanSquaredError).parameters


def _said(keras: Any, spelled: str) -> Callable[[str, str], str]:
    """How a person writes the class with the dtype of the prediction: from its other arguments, and from those it is called with."""
    class_ = f"{spelled}.losses.MeanSquaredError"
    if _takes_dtype(keras):
        return lambda made_with, called_with: f"{class_}({made_with}{', ' if made_with else ''}dtype=dtype)({called_with})"
    return lambda made_with, called_with: f"({spelled}.config.set_floatx(dtype), {class_}({made_with})({called_with}))[1]"


def _of_dtype(keras: Any, dtype: str, **arguments: Any) -> Any:
    if _takes_dtype(keras):
        return keras.losses.MeanSquaredError(dtype=dtype, **arguments)
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        return keras.losses.MeanSquaredError(**arguments)
    finally:
        keras.config.set_floatx(before)


def _with_dtype(keras: Any, **arguments: Any) -> Call:
    """The class with the dtype of the prediction, constructed beforehand for each tested one; without one for integers and lists."""
    known = {dtype: _of_dtype(keras, dtype, **arguments) for dtype in DTYPES}
    undecided = keras.losses.MeanSquaredError(**arguments)
    name_of: Callable[[Any], str] = keras.src.backend.standardize_dtype

    def call(prediction: Any, target: Any, weight: Any = None) -> Any:
        dtype = name_of(prediction.dtype) if hasattr(prediction, "dtype") else ""  # a list has none
        loss = known.get(dtype, undecided)  # nor has a loss of integers
        return loss(target, prediction, sample_weight=weight)

    return call


def _per_row(keras: Any, weight: Any, prediction: Any) -> Any:
    """A weight for each sample with the axes of the rows: (N, 1, …), which is broadcast against their means. Anything else as it is."""
    is_vector = len(getattr(weight, "shape", ())) == 1
    return keras.ops.reshape(weight, (-1, *[1] * (len(prediction.shape) - 2))) if is_vector else weight


def _column(keras: Any, loss: Call) -> Call:
    """A weight for each sample with as many axes as the prediction has: one more than the means of its rows."""

    def call(prediction: Any, target: Any, weight: Any) -> Any:
        return loss(prediction, target, keras.ops.reshape(weight, (-1, *[1] * (len(prediction.shape) - 1))))

    return call


def _weighted(keras: Any, loss: Call) -> Call:
    def call(prediction: Any, target: Any, weight: Any) -> Any:
        return loss(prediction, target, _per_row(keras, weight, prediction))

    return call


def _masked(keras: Any, loss: Call) -> Call:
    """The mask of a prediction, as a layer that masks leaves it: one truth value for each row."""

    def call(prediction: Any, target: Any, weight: Any) -> Any:
        mask = keras.ops.cast(_per_row(keras, weight, prediction), "bool")
        keras.src.backend.set_keras_mask(prediction, keras.ops.broadcast_to(mask, keras.ops.shape(prediction)[:-1]))
        return loss(prediction, target)

    return call
