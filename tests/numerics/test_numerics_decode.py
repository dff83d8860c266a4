"""From bits to integers: every pattern of the short formats, random ones of the long, and exact sums over the whole exponent range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from drawing import from_bits, random_bits, width
from hypothesis import strategies as st
from reference import read, same

from conformance.numerics.exact.decode import decode, fractions
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
