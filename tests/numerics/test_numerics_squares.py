"""Sums of squared differences against a slow sum: the whole exponent range, every chunk size, limbs and bins."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from drawing import random_bits, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.numerics.exact import squares as module
from conformance.numerics.exact.squares import sum_of_squared_differences
from conformance.numerics.formats import FORMATS, Array, Format

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


def test_chunks_and_blocks_are_small_enough() -> None:
    """bincount adds pieces of at most 2^27 in float64, exactly while their sum stays below 2^53."""
    assert module._CHUNK * 2**27 <= 2**53
    assert module._BLOCK * 2 ** (2 * min(module._WIDTHS)) < 2**53
    assert module._CHUNK // module._BLOCK * 2**53 < 2**63
    assert module._CHUNK % module._BLOCK == 0
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
@pytest.mark.parametrize("limbs", [16, 0], ids=["limbs", "bins"])
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


def _wide(rng: np.random.Generator, p: Array, spread: int) -> Array:
    """Of either sign, and smaller by up to ``spread`` binary orders."""
    found: Array = np.ldexp(rng.permutation(p), -rng.integers(0, spread + 1, p.size)) * rng.choice([-1, 1], p.size)
    return found


TARGETS: dict[str, Callable[[np.random.Generator, Array, int], Array]] = {
    "wide": _wide,
    "cancellation": lambda rng, p, spread: p + np.spacing(p) * rng.integers(-spread, spread + 1, p.size),
    "half of them equal": lambda rng, p, spread: np.where(rng.random(p.size) < 0.5, p, _wide(rng, p, spread)),
    "zeros": lambda rng, p, spread: _wide(rng, p, spread) * (rng.random(p.size) < 0.1),
    "nothing but ties": lambda rng, p, spread: p - np.ldexp(p.max(), -spread) * (rng.integers(-8, 9, p.size) + 0.5),
    "lost below the ulp": lambda rng, p, spread: np.ldexp(_wide(rng, p, spread), -50),
}
PREDICTIONS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "all equal": lambda rng, n: np.full(n, rng.normal()),
    "all bits set": lambda rng, n: rng.choice([-1, 1], n) * (2 - 2.0**-52),
    "whole": lambda rng, n: rng.integers(-1000, 1000, n).astype(np.float64),
    "one far larger": lambda rng, n: np.where(np.arange(n) == n // 2, 2.0**90, rng.normal(size=n)),
}


@every_format
@settings(max_examples=60, deadline=None)
@given(
    made=st.sampled_from(list(PREDICTIONS)),
    against=st.sampled_from(list(TARGETS)),
    chunk=st.sampled_from([128, 200, 384, 1 << 16]),
    beyond=st.integers(-2, 2),
    spread=st.sampled_from([1, 10, 30, 60, 100, 200, 500, 1000]),
    centre=st.sampled_from([0, 0, 60, -60, 300, -300, 1020, -1000]),
    seed=seeds,
)
def test_adversarial_arrays_have_exact_sums(
    fmt: Format, made: str, against: str, chunk: int, beyond: int, spread: int, centre: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        base = PREDICTIONS[made](rng, 400 + beyond)
        both = np.ldexp([base, TARGETS[against](rng, base, spread)], centre).astype(fmt.dtype)
    p, t = np.where(np.isfinite(both), both, np.asarray(fmt.largest, np.float64).astype(fmt.dtype))
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="raise"):
        patch.setattr(module, "_FEW", 0)
        patch.setattr(module, "_CHUNK", chunk)
        assert sum_of_squared_differences(p, t) == sum_of_squared_differences(t, p) == slow_sum(p, t)


@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_the_chunks_as_they_are_join_without_a_seam(name: str, beyond: int) -> None:
    p, t = np.random.default_rng(beyond + 1).normal(size=(2, module._CHUNK + beyond)).astype(name)
    assert sum_of_squared_differences(p, t) == slow_sum(p, t)


def test_the_formats_may_differ() -> None:
    p, t = np.random.default_rng(0).normal(size=(2, 1000))
    for one in FORMATS.values():
        for other in FORMATS.values():
            assert sum_of_squared_differences(p.astype(one.dtype), t.astype(other.dtype)) == slow_sum(
                p.astype(one.dtype), t.astype(other.dtype)
            )


@pytest.mark.parametrize(("units", "used"), [(2**23 - 1, True), (2**23, False), (2**26, False), (math.nan, False), (math.inf, False)])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_dot_products_that_may_be_rounded_are_not_used(units: float, used: bool, row: int) -> None:  # noqa: FBT001 - a parameter
    """2^7 squares of 2^23 units are 2^53 of them."""
    limbs = np.ones((3, 2 * module._BLOCK)) * [[1.0], [2.0**-24], [2.0**-48]]
    limbs[row, module._BLOCK :] *= units
    totals: dict[int, int] = {}
    with np.errstate(all="ignore"):
        assert module._added(limbs, 0, 24, totals) == used
    found = sum((total * Fraction(2) ** exponent for exponent, total in totals.items()), Fraction(0))
    assert found == (sum(sum(map(Fraction, column)) ** 2 for column in limbs.T.tolist()) if used else 0)


def test_unlucky_numbers_are_split_into_narrower_limbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first limb leaves is half of its unit every time, which is 2^23 of the second with 24 bits: 2^7 squares are 2^53."""
    split, bits = module._Limbs._split, []

    def watched(self: module._Limbs, p: Array, t: Array, top: int, width: int, count: int) -> Array:
        bits.append(width)
        return split(self, p, t, top, width, count)

    monkeypatch.setattr(module._Limbs, "_split", watched)
    p, t = np.full(300, 1 + 2.0**-23), np.zeros(300)
    assert sum_of_squared_differences(p, t) == slow_sum(p, t)
    assert bits == [24, 22]


@pytest.mark.parametrize("centre", [-1000, -540, -400, -300, -281, -280, -279, 300, 478, 479, 480, 481, 520, 900])
def test_numbers_near_the_ends_of_the_range(centre: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where products of limbs would over- or underflow in float64, and next to there."""
    monkeypatch.setattr(module, "_FEW", 0)
    for spread in (0, 100):
        rng = np.random.default_rng(spread)
        p, t = np.ldexp(rng.normal(size=(2, 2000)), centre - rng.integers(0, spread + 1, (2, 2000)))
        assert sum_of_squared_differences(p, t) == slow_sum(p, t)


@pytest.mark.parametrize("spread", [0, 40, 100, 200])
def test_limbs_are_what_ordinary_data_takes(spread: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bins are exact too, and slow: here they would not be noticed."""

    def refuse(*_: object) -> None:
        raise AssertionError("ordinary numbers were added in bins")

    monkeypatch.setattr(module, "_added_in_bins", refuse)
    rng = np.random.default_rng(spread)
    for fmt in FORMATS.values():
        p, t = np.ldexp(rng.normal(size=(2, 5000)), -rng.integers(0, spread + 1, (2, 5000))).astype(fmt.dtype)
        assert sum_of_squared_differences(p, t) == slow_sum(p, t)
