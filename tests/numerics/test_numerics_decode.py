"""From bits to integers: every pattern of the short formats, random ones of the long, and exact sums over the whole exponent range."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from drawing import from_bits, random_bits, seeds, width
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import read, same

from conformance.numerics import decode as module
from conformance.numerics.decode import decode, fractions, sum_of_squared_differences
from conformance.numerics.formats import FORMATS, Array, Format

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
every_size = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 100, 1000, 3000])


def check_decoding(array: Array) -> None:
    with np.errstate(invalid="ignore"):  # a signalling nan
        wide = array.astype(np.float64)
    mantissa, exponent, finite = decode(array)
    assert (finite == np.isfinite(wide)).all()
    assert (mantissa[~finite] == 0).all()
    assert (np.abs(mantissa) < 2 ** FORMATS[array.dtype.name].precision).all()
    # ldexp is exact here: the mantissa has at most 53 bits, and the result is a number of the format.
    assert (np.ldexp(mantissa[finite].astype(np.float64), exponent[finite]) == wide[finite]).all()


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_number_of_a_half_format(name: str) -> None:
    array = from_bits(np.arange(2**16, dtype=np.uint64), FORMATS[name])
    check_decoding(array)
    assert all(map(same, fractions(array), map(read, array)))


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_numbers_of_a_long_format_over_all_exponents(name: str) -> None:
    fmt = FORMATS[name]
    exponents = np.arange(2 ** (width(fmt) - fmt.precision), dtype=np.uint64) << np.uint64(fmt.precision - 1)
    signs = np.array([0, 1 << (width(fmt) - 1)], dtype=np.uint64)
    mantissas = np.array([0, 1, 2, 2 ** (fmt.precision - 2), 2 ** (fmt.precision - 1) - 1], dtype=np.uint64)
    check_decoding(from_bits((exponents[:, None, None] | signs[:, None] | mantissas).ravel(), fmt))
    check_decoding(random_bits(1, 200_000, fmt, finite=False))
    some = random_bits(2, 5000, fmt, finite=False)
    assert all(map(same, fractions(some), map(read, some)))


@every_format
def test_decoding_takes_any_memory_order(fmt: Format) -> None:
    array = random_bits(3, 60, fmt, finite=True).reshape(3, 4, 5)
    for view in (array.T, array[:, ::-1, ::2], np.broadcast_to(array[0, 0, 0], (2, 3)), array[1, 2, 3, ...]):
        mantissa, exponent, _ = decode(view)
        assert mantissa.shape == exponent.shape == view.shape
        assert [m * Fraction(2) ** e for m, e in zip(mantissa.ravel().tolist(), exponent.ravel().tolist(), strict=True)] == [
            read(x) for x in view.ravel()
        ]


def slow_sum(prediction: Array, target: Array) -> Fraction:
    return sum(((Fraction(float(p)) - Fraction(float(t))) ** 2 for p, t in zip(prediction, target, strict=True)), Fraction(0))


@every_format
@settings(max_examples=25)
@given(size=every_size, seed=seeds)
def test_the_sum_is_exact_over_the_whole_exponent_range(fmt: Format, size: int, seed: int) -> None:
    both = random_bits(seed, 2 * size, fmt, finite=True)
    assert sum_of_squared_differences(both[:size], both[size:]) == slow_sum(both[:size], both[size:])


@every_format
@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_chunks_join_without_a_seam(fmt: Format, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    for size in (1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 1):
        both = random_bits(size, 2 * size, fmt, finite=True)
        assert sum_of_squared_differences(both[:size], both[size:]) == slow_sum(both[:size], both[size:])


@every_format
def test_the_largest_integers_of_a_full_bin_stay_exact(fmt: Format) -> None:
    """One exponent, all mantissa bits set, opposite signs: the largest integers that a bin can be asked to add."""
    size = 1 << 16
    x = np.full(size, 2 - 2.0 ** (1 - fmt.precision)).astype(fmt.dtype)
    d = 2 * Fraction(float(x[0]))
    assert sum_of_squared_differences(x, -x) == size * d * d
    assert sum_of_squared_differences(x, x) == 0


def test_the_chunk_is_small_enough_for_bincount() -> None:
    """bincount adds pieces of at most 2^27 in float64, exactly while their sum stays below 2^53."""
    assert module._CHUNK * 2**27 <= 2**53
    largest = 2**53 - 1
    for mantissa in (largest, -largest, 2**27, -(2**27), 2**27 - 1, 1, 0):
        pieces = module._pieces(np.array([mantissa]))
        assert sum(int(piece[0]) << shift for piece, shift in pieces) == mantissa
        assert all(abs(int(piece[0])) <= 2**27 for piece, _ in pieces)


def test_nothing_is_lost_between_the_ends_of_the_range() -> None:
    fmt = FORMATS["float64"]
    ends = np.array([float(fmt.largest), -float(fmt.largest), float(fmt.smallest_subnormal), math.ulp(1.0)])
    zeros = np.zeros(4)
    assert sum_of_squared_differences(ends, zeros) == 2 * fmt.largest**2 + fmt.smallest_subnormal**2 + Fraction(2) ** -104
    assert sum_of_squared_differences(ends[:2], ends[1::-1]) == 8 * fmt.largest**2
