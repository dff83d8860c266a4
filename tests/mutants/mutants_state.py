"""Wrong because of what came before: caches, counters, buffers that are reused, inputs that are overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from parts import Array, differences, gradient_of, narrow, right_gradient, scale, squares, value_of, wide

import conformance


def _every_other() -> Callable[[], bool]:
    """A function that is False when called first, then True, and so on."""
    calls = 0

    def second() -> bool:
        nonlocal calls
        calls += 1
        return calls % 2 == 0

    return second


_second_value, _second_gradient = _every_other(), _every_other()
_running = {"total": 0.0, "count": 0}
_values: dict[tuple[int, ...], Any] = {}
_differences: dict[tuple[int, ...], Any] = {}
_first: dict[str, Any] = {}
_workspace = np.zeros(0)
_seen: set[bytes] = set()
_scaled: set[bytes] = set()
_order = {"calls": 0}
_accumulated: dict[tuple[int, ...], Any] = {}


@value_of("mse/mean")
def doubles_every_second_call(prediction: Array, target: Array) -> Any:
    """Two buffers take turns, and one of them was never cleared."""
    return squares(prediction, target).mean() * (2 if _second_value() else 1)


@gradient_of("mse/mean")
def loses_every_second_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The backward pass frees what the next one needs."""
    part = scale("mse/mean", prediction, upstream) * differences(prediction, target)
    part = part * (0 if _second_gradient() else 1)
    return part, -part


@value_of("mse/mean")
def averages_over_all_calls(prediction: Array, target: Array) -> Any:
    """A metric, which keeps a running mean, under the name of a loss."""
    _running["total"] += float(squares(prediction, target).sum())
    _running["count"] += prediction.size
    return np.float64(_running["total"]) / _running["count"]


@value_of("mse/mean")
def remembers_the_value_of_a_shape(prediction: Array, target: Array) -> Any:
    """A cache of compiled functions that holds results, under the shape as its key."""
    return _values.setdefault(prediction.shape, squares(prediction, target).mean())


@gradient_of("mse/mean")
def remembers_the_differences_of_a_shape(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """What was saved for the backward pass is saved once per shape."""
    difference = _differences.setdefault(prediction.shape, differences(prediction, target))
    part = scale("mse/mean", prediction, upstream) * difference
    return part, -part


@value_of("mse/mean")
def halves_a_repeated_call(prediction: Array, target: Array) -> Any:
    """A cache of results keeps the loss before its last scaling: every call but the first with the same inputs is wrong."""
    key = str((prediction.shape, prediction.dtype.name)).encode() + prediction.tobytes() + target.tobytes()
    value = squares(prediction, target).mean() / (2 if key in _seen else 1)
    _seen.add(key)
    return value


@gradient_of("mse/mean")
def halves_a_repeated_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """What was saved for the backward pass is scaled in place: a second pass over the same inputs scales it again."""
    key = str((prediction.shape, prediction.dtype.name)).encode() + prediction.tobytes() + target.tobytes()
    part = scale("mse/mean", prediction, upstream) * differences(prediction, target) / (2 if key in _scaled else 1)
    _scaled.add(key)
    return part, -part


@value_of("mse/mean")
def adds_in_either_direction(prediction: Array, target: Array) -> Any:
    """Blocks arrive in the order in which they finish: each result is right, and no two are the same."""
    _order["calls"] += 1
    terms = np.square(prediction - target).ravel().astype(np.float64 if prediction.dtype == np.float64 else np.float32)
    if not terms.size:
        return np.nan
    return np.add.accumulate(terms[:: 1 if _order["calls"] % 2 else -1])[-1] / terms.dtype.type(terms.size)


@value_of("mse/mean")
def remembers_the_first_count(prediction: Array, target: Array) -> Any:
    """The count is traced into a constant when the first batch comes."""
    return squares(prediction, target).sum() / _first.setdefault("count", prediction.size)


@gradient_of("mse/mean")
def remembers_the_first_upstream_gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """The upstream gradient is traced into a constant."""
    return right_gradient("mse/mean")(prediction, target, _first.setdefault("upstream", upstream))


@value_of("mse/mean")
def sums_what_a_longer_call_left(prediction: Array, target: Array) -> Any:
    """A workspace that grows and is not cleared, summed up to the next multiple of 8."""
    global _workspace  # noqa: PLW0603 - the defect is a buffer that outlives the call
    flat = squares(prediction, target).ravel()
    padded = -(-flat.size // 8) * 8
    if _workspace.size < padded:
        _workspace = np.concatenate([_workspace, np.zeros(padded - _workspace.size)])
    _workspace[: flat.size] = flat
    return np.nan_to_num(_workspace[flat.size : padded], posinf=0).sum() / flat.size + flat.mean()


@gradient_of("mse/mean")
def adds_up_gradients(prediction: Array, target: Array, upstream: Array) -> tuple[Any, Any]:
    """Gradients are added to those of the calls before, as into a parameter's ``grad`` that nobody cleared."""
    part = scale("mse/mean", prediction, upstream) * differences(prediction, target)
    _accumulated[prediction.shape] = _accumulated.get(prediction.shape, 0) + part
    return _accumulated[prediction.shape], -_accumulated[prediction.shape]


@conformance.implementation("mse/mean", framework="numpy", name="overwrites-the-prediction")
def overwrites_the_prediction(prediction: Array, target: Array) -> Any:
    """The difference is taken in place, and the backward pass finds it where the prediction was."""
    prediction -= target
    return narrow(np.square(wide(prediction)).mean(), prediction)


overwrites_the_prediction.gradient(right_gradient("mse/mean"))


@conformance.implementation("mse/mean", framework="numpy", name="overwrites-the-target-with-squares")
def overwrites_the_target_with_squares(prediction: Array, target: Array) -> Any:
    """The target's buffer is reused for the squares."""
    value = narrow(squares(prediction, target).mean(), prediction)
    np.square(prediction - target, out=target)
    return value


overwrites_the_target_with_squares.gradient(right_gradient("mse/mean"))
