"""Makes failing inputs small and simple: fewer elements, then plainer numbers, as long as they still fail.

Hypothesis shrinks what it draws, and it draws seeds; from there on the arrays themselves are shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from conformance.numerics.definition import Definition, Inputs
from conformance.numerics.formats import Array

_BUDGET = 250


class _Spent(Exception):
    pass


def shrink(definition: Definition, inputs: Inputs, fails: Callable[[Inputs], bool]) -> Inputs:
    """The simplest inputs found that still fail; at most 250 candidates are tried.

    ``fails`` must be true of ``inputs``. Returns ``inputs`` itself when nothing simpler fails.
    """
    tried = 0

    def still_fails(candidate: Inputs) -> bool:
        nonlocal tried
        if tried >= _BUDGET:
            raise _Spent
        tried += 1
        return fails(candidate)

    best = inputs
    try:
        improved = True
        while improved:
            improved = False
            for candidate in (*_shorter(definition, best), *_plainer_arrays(best)):
                if still_fails(candidate):
                    best, improved = candidate, True
                    break
        if best.prediction.size <= 16:
            best = _plainer_elements(best, still_fails)
    except _Spent:
        pass
    return best


def _shorter(definition: Definition, inputs: Inputs) -> Iterator[Inputs]:
    """Cut halves, then single elements, off each axis."""
    for axis, length in enumerate(inputs.shape):
        half = length // 2
        cuts = [slice(0, half), slice(half, length)] if half else []
        if 1 < length <= 8:
            cuts += [slice(0, length - 1), slice(1, length)]
        for cut in cuts:
            index = tuple(cut if i == axis else slice(None) for i in range(len(inputs.shape)))
            prediction, target = inputs.prediction[index].copy(), inputs.target[index].copy()
            yield Inputs(
                prediction,
                target,
                _cut(inputs.weight, index, definition.weight_shape(prediction.shape)),
                _fit(inputs.upstream, index, definition.value_shape(prediction.shape)),
            )


def _cut(array: Array | None, index: tuple[slice, ...], shape: tuple[int, ...] | None) -> Array | None:
    return None if array is None or shape is None else _fit(array, index, shape)


def _fit(array: Array, index: tuple[slice, ...], shape: tuple[int, ...]) -> Array:
    cut = array[index[: array.ndim]].copy()
    return cut if cut.shape == shape else np.ones(shape, array.dtype)


def _plainer_arrays(inputs: Inputs) -> Iterator[Inputs]:
    """Whole arrays at a time: upstream of one, target of zero, the same number everywhere."""
    if not np.all(inputs.upstream.astype(np.float64) == 1):
        yield replace(inputs, upstream=np.ones_like(inputs.upstream))
    if np.any(inputs.target.astype(np.float64) != 0):
        yield replace(inputs, target=np.zeros_like(inputs.target))
    for to_whole in (np.rint, _outwards):
        for which, array in (("prediction", inputs.prediction), ("target", inputs.target)):
            with np.errstate(over="ignore", invalid="ignore"):
                rounded = to_whole(array.astype(np.float64)).astype(array.dtype)
            if not np.array_equal(rounded, array, equal_nan=True):
                yield replace(inputs, prediction=rounded) if which == "prediction" else replace(inputs, target=rounded)


def _outwards(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """To the next whole number away from zero: what fails beyond a threshold stays beyond it."""
    return np.copysign(np.ceil(np.abs(x)), x)


def _plainer_elements(inputs: Inputs, still_fails: Callable[[Inputs], bool]) -> Inputs:
    for which in ("prediction", "target"):
        for flat in range(inputs.prediction.size):
            for plain in (0.0, 1.0, 2.0, -1.0):
                array: Array = getattr(inputs, which)
                if float(array.ravel()[flat]) == plain:
                    break
                changed = array.copy()
                changed.reshape(-1)[flat] = plain
                candidate = replace(inputs, prediction=changed) if which == "prediction" else replace(inputs, target=changed)
                if still_fails(candidate):
                    inputs = candidate
                    break
    return inputs
