"""Adversarial families: from a seed and a shape to host arrays. Each aims at one way of going wrong.

A descriptor is what Hypothesis draws; NumPy turns it into a stack of inputs, all at once, the same bits for every framework. A family is
given the shape of the stack, the first axis of which is that of its members.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from conformance.inputs.weights import HEAVIEST, Generator, exact_weights, weights
from conformance.numerics.definition import Definition, Inputs, Shape
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.numerics.stack import Stack

ArrayPair = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Descriptor:
    """One drawn example: it stands for many inputs, made from its seed and their number.

    ``spread`` widens the family's range; ``upstream`` is 0 for an upstream gradient of one, 1 for powers of two, 2 for any
    number of moderate size, 3 for such numbers too, but in every fourth member of a stack for any of the format's range.
    """

    seed: int
    shape: Shape
    spread: int
    upstream: int

    def recipe(self, family: str, position: int, count: int) -> str:
        """The words from which the same bits can be made again: the input at a position of a stack of so many."""
        shape = "x".join(map(str, self.shape)) or "scalar"
        drawn = f"family={family} seed={self.seed} shape={shape} spread={self.spread} upstream={self.upstream}"
        return f"{drawn} position={position} of={count}"


def _mantissas(rng: Generator, shape: Shape) -> npt.NDArray[np.float64]:
    return np.asarray(rng.uniform(1, 2, shape) * rng.choice([-1.0, 1.0], shape), dtype=np.float64)


def _one_each(shape: Shape) -> Shape:
    """The shape of one number for each member of a stack, which broadcasts against the stack."""
    return (*shape[:1], *(1,) * (len(shape) - 1))


def ordinary(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:  # noqa: ARG001 - every family takes the format
    """Full mantissas of moderate size: what training data looks like."""
    scale = np.ldexp(1.0, rng.integers(-spread, spread + 1, _one_each(shape)))
    return rng.normal(size=shape) * scale, rng.normal(size=shape) * scale


def wide_exponents(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:
    """Exponents drawn over the range in which squares stay finite: absorbs, underflows, and shows absolute floors."""
    low, high = fmt.emin - fmt.precision, fmt.emax // 2 - 4
    middle = rng.integers(low, high + 1, _one_each(shape))
    width = max(2, (high - low) * spread // 8)

    def draw() -> npt.NDArray[np.float64]:
        exponents = np.clip(middle + rng.integers(-width, width + 1, shape), low, high)
        return np.asarray(np.ldexp(_mantissas(rng, shape), exponents))

    return draw(), draw()


def cancellation(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:
    """Nearly equal numbers: the difference is exact, the expanded formula p² − 2pt + t² is not."""
    base = 2.0 ** (fmt.precision - 2)
    target = base + rng.integers(0, 2 ** min(spread + 1, fmt.precision - 3), shape)
    return np.asarray(target + rng.integers(-3, 4, shape), dtype=np.float64), np.asarray(target, dtype=np.float64)


def integers(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:
    """Whole numbers that every format holds."""
    limit = 2 ** min(spread + 1, fmt.precision - 1)
    return rng.integers(-limit, limit + 1, shape).astype(np.float64), rng.integers(-limit, limit + 1, shape).astype(np.float64)


def constant_residual(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:  # noqa: ARG001 - every family takes the format
    """The same residual everywhere: rounding errors of a sum add up instead of averaging out."""
    residual = np.ldexp(rng.uniform(1, 2, _one_each(shape)), rng.integers(-spread, 1, _one_each(shape)))
    return np.broadcast_to(residual, shape), np.zeros(shape)


def special_values(fmt: Format) -> list[float]:
    """Both zeros, both ends of the range, where squares begin to overflow, ordinary numbers, and last NaN and the infinities."""
    small, normal, large = float(fmt.smallest_subnormal), float(fmt.smallest_normal), float(fmt.largest)
    root = 2.0 ** (fmt.emax // 2)
    finite = [0.0, -0.0, small, -small, normal, -normal, normal - small, 1.0, -1.0, root, -root, root / 2, large, -large, large / 2]
    return [*finite, math.nan, math.inf, -math.inf]


def extremes(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:
    """The ends of the range: zeros of both signs, subnormals, the largest numbers, a lone nan or infinity."""
    pool = special_values(fmt)[:-3]
    chosen = rng.choice(pool[: max(4, min(len(pool), 3 * spread))], (2, *shape))
    if spread >= 6 and chosen.size:
        members = chosen.reshape(2, shape[0], -1)
        places = rng.integers(2, size=shape[0]), np.arange(shape[0]), rng.integers(members.shape[2], size=shape[0])
        members[places] = rng.choice([np.nan, np.inf, -np.inf], shape[0])
    return chosen[0], chosen[1]


def exact_data(rng: Generator, shape: Shape, fmt: Format, spread: int, *, weight: float = 0.0) -> ArrayPair:
    """All differences, squares and partial sums representable: the sum is exact in any order, in every format allowed.

    ``weight`` is the sum of the magnitudes of all weights of a member, where there are some.
    """
    size = math.prod(shape[1:])
    limit = 2.0**fmt.precision
    largest = int(np.sqrt(limit / max(size, 2 * weight, 1)))  # size·largest² ≤ 2^p, and twice that weight too, since gradients subtract
    if largest < 1:  # more elements than the format counts: only some may differ
        difference = np.zeros((shape[0], size))
        few = int(limit) - 1 if not weight else int(limit) // (4 * HEAVIEST)
        for row in difference:
            row[rng.choice(size, few, replace=False)] = 1.0
    else:
        difference = rng.integers(-largest, largest + 1, (shape[0], size)).astype(np.float64)
    room = int(2 ** (fmt.precision - 1)) - largest
    target = rng.integers(-min(room, 2**spread), min(room, 2**spread) + 1, (shape[0], size)).astype(np.float64)
    return (target + difference).reshape(shape), target.reshape(shape)


def opposite(rng: Generator, shape: Shape, fmt: Format, spread: int) -> ArrayPair:  # noqa: ARG001 - every family takes the format
    """Full mantissas of opposite sign, 1 ≤ |x| < 2: no difference cancels, no square comes near under- or overflow."""
    sign = rng.choice([-1.0, 1.0], shape)
    return np.asarray(sign * rng.uniform(1, 2, shape)), np.asarray(-sign * rng.uniform(1, 2, shape))


InputFamily = Callable[[Generator, Shape, Format, int], ArrayPair]
"""From the shape of a stack: what is drawn once for each member has the shape :func:`_one_each`, so that members differ."""

FAMILIES: dict[str, InputFamily] = {
    "ordinary": ordinary,
    "wide-exponents": wide_exponents,
    "cancellation": cancellation,
    "integers": integers,
    "constant-residual": constant_residual,
    "extremes": extremes,
}


def _to_format(values: npt.NDArray[np.float64], fmt: Format) -> Array:
    with np.errstate(over="ignore"):
        rounded: Array = np.asarray(values).astype(fmt.dtype)
    return rounded


_FEW = 64
"""Upstream gradients over the whole range make every element's interval a case of its own: as many as are worth it."""
_ONE_IN = 4
"""Every how many-th member of a stack has them, beginning with the first."""


def _upstream(rng: Generator, shape: Shape, fmt: Format, kind: int) -> Array:
    match kind:
        case 0:
            return np.ones(shape, fmt.dtype)
        case 1:
            return _to_format(rng.choice([-2.0, -1.0, 0.5, 1.0, 4.0], shape), fmt)
        case 2:
            return _to_format(np.asarray(rng.normal(size=shape)), fmt)
        case _:
            drawn = np.asarray(rng.normal(size=shape))
            if math.prod(shape[1:]) <= _FEW:
                wide = drawn[::_ONE_IN]
                wide[...] = np.ldexp(_mantissas(rng, wide.shape), rng.integers(fmt.emin, fmt.emax, wide.shape))
            return _to_format(drawn, fmt)


@lru_cache(maxsize=1024)
def make_stack(family: InputFamily, descriptor: Descriptor, count: int, definition: Definition, dtype: str) -> Stack:
    """So many inputs of a descriptor: the same bits wherever and whenever they are made; nobody may write to them."""
    fmt = FORMATS[dtype]
    rng = np.random.default_rng([descriptor.seed, count])
    shape = (count, *descriptor.shape)
    if definition.weight_shape(descriptor.shape) is not None:
        members = [_weighted(family, rng, descriptor, definition, fmt) for _ in range(count)]
        prediction, target, weight = (np.concatenate(part) for part in zip(*members, strict=True))
    else:
        weight = None
        prediction, target = family(rng, shape, fmt, descriptor.spread)
    upstream = _upstream(rng, (count, *definition.value_shape(descriptor.shape)), fmt, descriptor.upstream)
    made = Stack(Inputs(_to_format(prediction, fmt), _to_format(target, fmt), weight, upstream))
    for array in (made.arrays.prediction, made.arrays.target, made.arrays.weight, made.arrays.upstream):
        if array is not None:
            array.flags.writeable = False
    return made


def _weighted(
    family: InputFamily, rng: Generator, descriptor: Descriptor, definition: Definition, fmt: Format
) -> tuple[Array, Array, Array]:
    """A stack of one, with its weights: how large exact data may be depends on theirs."""
    shape = descriptor.shape
    if family is not exact_data:
        prediction, target = family(rng, (1, *shape), fmt, descriptor.spread)
        weight = weights(rng, definition, shape, fmt)
    else:
        weight = exact_weights(rng, definition, shape, fmt)
        assert weight is not None
        row = math.prod(shape) / max(weight.size, 1)
        total = float(np.abs(weight.astype(np.float64)).sum()) * row * row  # spread over a row, and a row's gradients are added
        prediction, target = exact_data(rng, (1, *shape), fmt, descriptor.spread, weight=total)
    assert weight is not None
    return prediction, target, weight[None]


def make(family: InputFamily, descriptor: Descriptor, definition: Definition, dtype: str) -> Inputs:
    """The inputs of a descriptor that stands for one alone."""
    return make_stack(family, descriptor, 1, definition, dtype).member(0)
