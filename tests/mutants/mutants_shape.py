"""Wrong shapes and axes: another axis, axes lost or kept, empty and 0-d inputs. The gradients are right where they can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, squares, value_of

# ---- the mean and the sum ----


@value_of("mse/mean")
def keeps_the_axes(prediction: Array, target: Array) -> Any:
    """``keepdims=True`` left over from a normalisation."""
    return np.asarray(squares(prediction, target).mean(keepdims=True))


@value_of("mse/mean")
def returns_a_vector_of_one(prediction: Array, target: Array) -> Any:
    """A scalar that the kernel's output buffer holds as an array of length 1."""
    return np.array([squares(prediction, target).mean()])


@value_of("mse/mean")
def fails_on_scalars(prediction: Array, target: Array) -> Any:
    """Divides by ``len``, which a 0-d array does not have."""
    return squares(prediction, target).sum() / np.float64(len(prediction) * (prediction.size // max(len(prediction), 1)))


@value_of("mse/mean")
def averages_the_last_axis_only(prediction: Array, target: Array) -> Any:
    """One mean per row, as a loss of another library gives: right for vectors."""
    return np.asarray(squares(prediction, target).mean(axis=-1 if prediction.ndim else None))


@value_of("mse/mean")
def returns_the_mean_of_the_last_row(prediction: Array, target: Array) -> Any:
    """A loop over rows that assigns where it should add."""
    terms = squares(prediction, target)
    return (terms.reshape(-1, terms.shape[-1])[-1] if terms.size and terms.ndim else terms).mean()


@value_of("mse/mean")
def ignores_axes_beyond_the_second(prediction: Array, target: Array) -> Any:
    """Takes everything for a matrix: of further axes it reads the first entry."""
    flat = squares(prediction, target)
    while flat.ndim > 2:
        flat = flat[..., 0] if flat.shape[-1] else flat.sum(axis=-1)
    return flat.mean()


@value_of("mse/mean")
def returns_zero_for_nothing(prediction: Array, target: Array) -> Any:
    """Divides by max(n, 1), so that an empty batch looks perfect."""
    return squares(prediction, target).sum() / max(prediction.size, 1)


@value_of("mse/sum")
def sum_of_nothing_is_nan(prediction: Array, target: Array) -> Any:
    """Multiplies a mean by its count: 0/0·0."""
    return squares(prediction, target).mean() * prediction.size


@value_of("mse/sum")
def sum_keeps_the_first_axis(prediction: Array, target: Array) -> Any:
    """Sums what belongs to a sample, and leaves the batch."""
    flat = squares(prediction, target)
    return np.asarray(flat.sum(axis=tuple(range(1, flat.ndim))))


# ---- element by element ----


@value_of("mse/none")
def none_flattens(prediction: Array, target: Array) -> Any:
    """``ravel`` for the kernel, and no ``reshape`` after it."""
    return squares(prediction, target).ravel()


@value_of("mse/none")
def none_squeezes_axes_of_length_1(prediction: Array, target: Array) -> Any:
    """``squeeze`` without an axis."""
    return squares(prediction, target).squeeze()


@value_of("mse/none")
def none_swaps_rows_and_columns(prediction: Array, target: Array) -> Any:
    """Computes in one memory order and returns in the other: the shape is right, the places are not."""
    result = squares(prediction, target)
    return result.ravel(order="F").reshape(result.shape)


@value_of("mse/none")
def none_adds_an_axis_to_scalars(prediction: Array, target: Array) -> Any:
    """``atleast_1d`` at the door."""
    return np.atleast_1d(squares(prediction, target))


# ---- over the last axis ----


@value_of("mse/last-axis")
def last_axis_is_the_first(prediction: Array, target: Array) -> Any:
    """Axis 0: right for vectors, and of the right shape for square matrices."""
    return np.asarray(squares(prediction, target).mean(axis=0))


@value_of("mse/last-axis")
def last_axis_is_the_second(prediction: Array, target: Array) -> Any:
    """Axis 1: right for matrices, which is all that was tested."""
    return squares(prediction, target).mean(axis=min(1, prediction.ndim - 1))


@value_of("mse/last-axis")
def last_axis_is_kept(prediction: Array, target: Array) -> Any:
    """``keepdims=True``."""
    return np.asarray(squares(prediction, target).mean(axis=-1, keepdims=True))


@value_of("mse/last-axis")
def last_axis_takes_all_but_the_first(prediction: Array, target: Array) -> Any:
    """One mean per sample, where one per row was asked for."""
    flat = squares(prediction, target)
    return np.asarray(flat.mean(axis=tuple(range(min(1, flat.ndim - 1), flat.ndim))))


@value_of("mse/last-axis")
def last_axis_takes_every_axis(prediction: Array, target: Array) -> Any:
    """The axis argument does not arrive."""
    return squares(prediction, target).mean()


@value_of("mse/last-axis")
def last_axis_repeats_the_mean(prediction: Array, target: Array) -> Any:
    """The mean over everything, broadcast to the right shape."""
    return np.full(prediction.shape[:-1], squares(prediction, target).mean())


@value_of("mse/last-axis")
def last_axis_squeezes(prediction: Array, target: Array) -> Any:
    """Axes of length 1 are lost on the way out."""
    return np.asarray(squares(prediction, target).mean(axis=-1)).squeeze()


@value_of("mse/last-axis")
def last_axis_of_empty_rows_is_zero(prediction: Array, target: Array) -> Any:
    """Divides by max(n, 1)."""
    return np.asarray(squares(prediction, target).sum(axis=-1) / max(prediction.shape[-1], 1))


@value_of("mse/mean")
def refuses_more_than_four_axes(prediction: Array, target: Array) -> Any:
    """A kernel's descriptor has room for four dimensions."""
    if prediction.ndim > 4:
        raise ValueError("at most four dimensions")
    return squares(prediction, target).mean()
