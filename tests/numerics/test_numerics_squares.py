"""Sums of squared differences against a slow sum: the whole exponent range, every chunk size, limbs and bins."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from drawing import random_bits, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.numerics import squares as module
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.numerics.squares import sum_of_squared_differences

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
every_size = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 100, 1000, 3000])


def slow_sum(prediction: Array, target: Array) -> Fraction:
    return sum(((Fraction(float(p)) - Fraction(float(t))) ** 2 for p, t in zip(prediction, target, strict=True)), Fraction(0))


@every_format
@settings(max_examples=25, deadline=None)
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
    assert module._CHUNK * 2 ** (2 * module._BITS) <= 2**53
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


@every_format
@pytest.mark.parametrize("spread", [0, 3, 20, 60])
@pytest.mark.parametrize("limbs", [12, 1], ids=["limbs", "bins"])
def test_limbs_and_bins_give_the_same_sum(fmt: Format, spread: int, limbs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of one size, of some sizes and of many, with zeros among them."""
    rng = np.random.default_rng(spread)
    both = np.ldexp(rng.normal(size=6000), rng.integers(-spread, spread + 1, 6000)) * (rng.random(6000) > 0.1)
    with np.errstate(over="ignore"):
        rounded = np.nan_to_num(both.astype(fmt.dtype), posinf=1, neginf=-1)
    monkeypatch.setattr(module, "_FEW", 0)
    monkeypatch.setattr(module, "_CHUNK", 1000)
    monkeypatch.setattr(module, "_LIMBS", limbs)
    p, t = rounded[:3000], rounded[3000:]
    assert sum_of_squared_differences(p, t) == slow_sum(p, t)


@pytest.mark.parametrize("centre", [-1000, -540, -400, -300, -281, -280, -279, 300, 478, 479, 480, 481, 520, 900])
def test_numbers_near_the_ends_of_the_range(centre: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where products of limbs would over- or underflow in float64, and next to there."""
    monkeypatch.setattr(module, "_FEW", 0)
    for spread in (0, 100):
        rng = np.random.default_rng(spread)
        p, t = np.ldexp(rng.normal(size=(2, 2000)), centre - rng.integers(0, spread + 1, (2, 2000)))
        assert sum_of_squared_differences(p, t) == slow_sum(p, t)


def test_limbs_are_what_ordinary_data_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bins are exact too, and slow: here they would not be noticed."""

    def refuse(*_: object) -> None:
        raise AssertionError("ordinary numbers were added in bins")

    monkeypatch.setattr(module, "_added_in_bins", refuse)
    rng = np.random.default_rng(0)
    for fmt in FORMATS.values():
        p, t = rng.normal(size=(2, 20000)).astype(fmt.dtype)
        assert sum_of_squared_differences(p, t) == slow_sum(p, t)
