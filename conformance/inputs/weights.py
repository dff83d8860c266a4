"""Weights and masks beside the families: everything that weights do to a sum, and weights for which nothing rounds."""

from __future__ import annotations

import math

import numpy as np

from conformance.numerics.definition import Definition, Divisor, Shape
from conformance.numerics.formats import Array, Format

Generator = np.random.Generator
HEAVIEST = 8
"""No exact weight is larger than this, except to fill a sum up to a power of two."""


def weights(rng: Generator, definition: Definition, shape: Shape, fmt: Format) -> Array | None:
    """The weights of inputs of ``shape``: all one, multiples of one half and zeros, any, of both signs, one alone, or of any size.

    A mask leaves some out, never all. None where the operation has no weights.
    """
    wanted = definition.weight_shape(shape)
    if wanted is None:
        return None
    if definition.masked:
        return _chosen(rng, wanted, int(rng.integers(1, math.prod(wanted) + 1)) if math.prod(wanted) else 0).astype(fmt.dtype)
    match int(rng.integers(6)):
        case 0:
            drawn = np.ones(wanted)
        case 1:
            drawn = rng.integers(0, 5, wanted) / 2 + _chosen(rng, wanted, 1)
        case 2:
            drawn = rng.uniform(0.5, 2, wanted)
        case 3:
            drawn = rng.uniform(0.5, 2, wanted) * rng.choice([-1.0, 1.0], wanted)
        case 4:
            drawn = _chosen(rng, wanted, 1) * rng.uniform(0.5, 2, wanted)
        case _:
            drawn = np.ldexp(rng.uniform(1, 2, wanted), rng.integers(fmt.emin // 4, fmt.emax // 4, wanted))
    return np.asarray(drawn).astype(fmt.dtype)


def exact_weights(rng: Generator, definition: Definition, shape: Shape, fmt: Format) -> Array | None:
    """Small whole weights for which neither the sum nor what it is divided by rounds: a divisor that they decide is a power of two."""
    wanted = definition.weight_shape(shape)
    if wanted is None:
        return None
    size = math.prod(wanted)
    powers = [2**k for k in range(size.bit_length()) if 2**k <= size]
    if definition.masked or definition.divisor is Divisor.NONZERO_WEIGHTS:
        kept = _chosen(rng, wanted, int(rng.choice(powers)) if powers else 0)
        return (kept if definition.masked else kept * rng.choice([-2.0, 1.0, 2.0, 3.0], wanted)).astype(fmt.dtype)
    if definition.divisor is not Divisor.WEIGHTS:
        return rng.choice([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], wanted).astype(fmt.dtype)
    drawn = rng.integers(0, 4, size)
    total = int(drawn.sum())
    if size:
        missing = 2 ** max(total - 1, 0).bit_length() - total
        np.add.at(drawn, rng.integers(0, size, missing), 1)
    return drawn.reshape(wanted).astype(np.float64).astype(fmt.dtype)


def _chosen(rng: Generator, shape: Shape, count: int) -> np.typing.NDArray[np.float64]:
    """Ones in ``count`` places, zeros elsewhere; one at least needs an element."""
    ones = np.zeros(math.prod(shape))
    ones[rng.permutation(ones.size)[:count]] = 1.0
    return ones.reshape(shape)
