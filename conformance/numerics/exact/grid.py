"""Exact numbers as integers: whole multiples of one positive rational, so that adding, comparing and bounding them takes integers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import overload

import numpy as np

from conformance.numerics.exact.decode import decode
from conformance.numerics.formats import Array, floor_log2, format_of, power_of_two

_ROOM = 63
"""Bits of a shifted mantissa that int64 holds, its sign apart."""


@dataclass(frozen=True)
class ScaledIntegers(Sequence[Fraction]):
    """The numbers ``whole[i]·unit``, each made a Fraction only when it is asked for."""

    whole: Sequence[int]
    unit: Fraction

    def __post_init__(self) -> None:
        assert self.unit > 0

    def __len__(self) -> int:
        return len(self.whole)

    @overload
    def __getitem__(self, at: int) -> Fraction: ...
    @overload
    def __getitem__(self, at: slice) -> ScaledIntegers: ...
    def __getitem__(self, at: int | slice) -> Fraction | ScaledIntegers:
        if isinstance(at, slice):
            return ScaledIntegers(self.whole[at], self.unit)
        return Fraction(self.whole[at] * self.unit.numerator, self.unit.denominator)

    def __iter__(self) -> Iterator[Fraction]:
        return (Fraction(x * self.unit.numerator, self.unit.denominator) for x in self.whole)

    def __neg__(self) -> ScaledIntegers:
        return self.scaled(Fraction(-1))

    def squared(self) -> ScaledIntegers:
        """The square of each."""
        return ScaledIntegers([x * x for x in self.whole], self.unit * self.unit)

    def times(self, other: Sequence[int], unit: Fraction) -> ScaledIntegers:
        """The products with the numbers ``other[i]·unit``."""
        return ScaledIntegers([a * b for a, b in zip(self.whole, other, strict=True)], self.unit * unit)

    def scaled(self, factor: Fraction) -> ScaledIntegers:
        """The numbers times one factor other than zero."""
        whole = self.whole if factor > 0 else [-x for x in self.whole]
        return ScaledIntegers(whole, self.unit * abs(factor))

    @property
    def exponents(self) -> tuple[int, int]:
        """2^low ≤ |x| < 2^(high+1) for every x that is not zero; both 0 where all are zero."""
        sizes = {*map(int.bit_length, self.whole)} - {0}
        if not sizes:
            return 0, 0
        unit = floor_log2(self.unit)
        return min(sizes) - 1 + unit, max(sizes) + unit


_SCALAR = 8
"""Up to so many elements, Python reads the bits faster than NumPy is called."""


def _read(array: Array) -> ScaledIntegers | None:
    """:func:`grid_of` of few elements."""
    fmt, width = format_of(array), 8 * array.dtype.itemsize
    digits = fmt.precision - 1
    numbers = []
    for bits in np.ascontiguousarray(array).ravel().view(f"u{array.dtype.itemsize}").tolist():
        field = (bits >> digits) & (2 * fmt.emax + 1)
        if field == 2 * fmt.emax + 1:
            return None
        mantissa = bits & ((1 << digits) - 1) | (bool(field) << digits)
        numbers.append((-mantissa if bits >> (width - 1) else mantissa, max(field, 1)))
    lowest = min((field for mantissa, field in numbers if mantissa), default=0)
    whole = [mantissa << (field - lowest) if mantissa else 0 for mantissa, field in numbers]
    return ScaledIntegers(whole, power_of_two(lowest - fmt.emax - digits))


def to_scaled_integers(*arrays: Array) -> tuple[list[list[int]], int] | None:
    """The elements of arrays of one format as whole multiples of one power of two, and its exponent; None where one is not finite."""
    sizes = [array.size for array in arrays]
    mantissa, exponent, finite = decode(arrays[0].ravel() if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays]))
    if not finite.all():
        return None
    used = exponent[mantissa != 0]  # a zero is a multiple of everything
    if not used.size:
        return [[0] * size for size in sizes], 0
    lowest, highest = int(used.min()), int(used.max())
    shift = np.maximum(exponent - lowest, 0)
    if highest - lowest + format_of(arrays[0]).precision <= _ROOM:
        whole = (mantissa << np.where(mantissa != 0, shift, 0)).tolist()
    else:
        whole = [m << s for m, s in zip(mantissa.tolist(), shift.tolist(), strict=True)]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [whole[end - size : end] for end, size in zip(ends, sizes, strict=True)], lowest


def grid_of(array: Array) -> ScaledIntegers | None:
    """The elements of an array in C order; None where one is not finite."""
    if array.size <= _SCALAR:
        return _read(array)
    found = to_scaled_integers(array)
    return None if found is None else ScaledIntegers(found[0][0], power_of_two(found[1]))
