"""Wrong at some lengths and places only: tails of vectors, ends of grids, elements that two blocks share. The gradients are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from parts import Array, squares, value_of


@value_of("mse/mean")
def drops_an_element_where_one_remains_of_sixteen(prediction: Array, target: Array) -> Any:
    """The tail of a vector of 16 is masked from a table, and one mask in it is wrong."""
    flat = squares(prediction, target).ravel()
    return flat[: flat.size - 1 if flat.size % 16 == 1 and flat.size > 16 else flat.size].sum() / flat.size


@value_of("mse/mean")
def drops_an_element_where_three_remain_of_eight(prediction: Array, target: Array) -> Any:
    """The unrolled tail of a loop of width 8 has one case wrong; inputs shorter than 16 take another path."""
    flat = squares(prediction, target).ravel()
    return flat[: flat.size - 1 if flat.size % 8 == 3 and flat.size > 16 else flat.size].sum() / flat.size


@value_of("mse/mean")
def takes_one_element_of_70000_twice(prediction: Array, target: Array) -> Any:
    """Two blocks of 65536 meet at one element, and both add it: less than the interval of a long float32 sum."""
    flat = squares(prediction, target).ravel()
    return (flat.sum() + (flat[65535:65536].sum() if prediction.dtype == np.float32 else 0)) / flat.size


@value_of("mse/none")
def none_leaves_elements_beyond_131071(prediction: Array, target: Array) -> Any:
    """A grid of 65535 blocks of two."""
    result = squares(prediction, target)
    result.reshape(-1)[2 * 65535 :] = 0
    return result


@value_of("mse/last-axis")
def last_axis_stops_after_32_rows(prediction: Array, target: Array) -> Any:
    """One row for each lane of a warp, and no loop around it."""
    result = np.array(squares(prediction, target).mean(axis=-1))
    result.reshape(-1)[32:] = 0
    return result
