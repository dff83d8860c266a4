"""What the tests of the numerics draw: numbers of a format, arrays of bits, and situations where bounds can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from reference import Index, value_shape, weight_shape

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Weights
from conformance.numerics.formats import FORMATS, Array, Format

formats = st.sampled_from(list(FORMATS.values()))
seeds = st.integers(0, 2**32 - 1)
SHAPES: tuple[Index, ...] = ((), (1,), (0,), (3,), (7,), (2, 3), (0, 3), (3, 0), (1, 4), (2, 2, 3), (2, 0, 2), (2, 1, 3, 2), (1, 1, 1, 1))


def width(fmt: Format) -> int:
    """Bits of a number."""
    return fmt.dtype.itemsize * 8


def from_bits(patterns: Array, fmt: Format) -> Array:
    """Bit patterns as numbers."""
    array: Array = patterns.astype(f"u{width(fmt) // 8}").view(fmt.dtype)
    return array


def random_bits(seed: int, count: int, fmt: Format, *, finite: bool) -> Array:
    """Any bits at all: all exponents are equally likely, subnormals and (unless ``finite``) nan and infinities among them."""
    array = from_bits(np.random.default_rng(seed).integers(0, 2 ** width(fmt), count, dtype=np.uint64, endpoint=False), fmt)
    if finite:
        with np.errstate(invalid="ignore"):  # a signalling nan
            array[~np.isfinite(array)] = 1
    return array


@st.composite
def bit_arrays(draw: st.DrawFn, fmt: Format, shape: Index) -> Array:
    """An array of arbitrary bits, of small whole numbers, or of special ones."""
    count = int(np.prod(shape, dtype=np.int64))
    match draw(st.sampled_from(["whole", "bits", "finite bits", "special"])):
        case "whole":
            array = np.asarray(draw(st.lists(st.sampled_from([0.0, -0.0, 1, -1, 2, 0.5, 3]), min_size=count, max_size=count))).astype(
                fmt.dtype
            )
        case "special":
            pool = [0.0, -0.0, 1, -2, np.inf, -np.inf, np.nan]
            array = np.asarray(draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count))).astype(fmt.dtype)
        case kind:
            array = random_bits(draw(seeds), count, fmt, finite=kind == "finite bits")
    return array.reshape(shape)


@st.composite
def numbers(draw: st.DrawFn, fmt: Format, centre: int, spread: int) -> Fraction:
    """A number of the format with an exponent near ``centre``; its significand is simple, next to a power of two, or anything."""
    last = 2**fmt.precision
    significand = draw(
        st.sampled_from([0, 1, 1, 3, 5, 7]).map(Fraction)
        | st.integers(1, 9).map(lambda k: 1 + Fraction(2 * k, last))
        | st.integers(1, 9).map(lambda k: 2 - Fraction(2 * k, last))
        | st.integers(last // 2, last - 1).map(lambda k: Fraction(2 * k, last))
    )
    exponent = min(max(centre + draw(st.integers(-spread, spread)), fmt.emin - fmt.precision - 2), fmt.emax + 1)
    x = fmt.round(significand * Fraction(2) ** exponent)
    x = fmt.largest if isinstance(x, float) else x
    return -x if draw(st.booleans()) else x


def to_array(values: list[Fraction], fmt: Format) -> Array:
    """Numbers of a format as its array."""
    array: Array = np.array([float(x) for x in values]).astype(fmt.dtype)
    return array


@dataclass(frozen=True)
class Situation:
    """An operation on drawn inputs, as arrays and as the numbers they hold."""

    definition: Definition
    prediction: list[Fraction]
    target: list[Fraction]
    weight: list[Fraction] | None
    upstream: list[Fraction]
    format: Format

    @property
    def inputs(self) -> Inputs:
        """The same as host arrays."""
        shape = () if self.definition.over is Over.ALL else (len(self.upstream),)
        p, t, g = (to_array(x, self.format) for x in (self.prediction, self.target, self.upstream))
        return Inputs(p, t, None if self.weight is None else to_array(self.weight, self.format), g.reshape(shape))


def _regions(fmt: Format) -> st.SearchStrategy[tuple[int, int]]:
    """Where exponents lie (of inputs, of scales): in the middle, where squares under- or overflow, at the ends, anywhere."""
    low, high = fmt.emin, fmt.emax
    anywhere = st.integers(low - fmt.precision, high)
    return st.one_of(
        st.just((0, 0)),
        st.tuples(st.sampled_from([low // 2, low]), st.sampled_from([0, low // 2, low])),
        st.tuples(st.sampled_from([high // 2, high]), st.sampled_from([0, high // 2])),
        st.tuples(anywhere, anywhere),
    )


@st.composite
def situations(draw: st.DrawFn, *, weighted: bool, factored: bool) -> Situation:
    """A vector of up to seven elements, summed or not."""
    fmt = draw(formats)
    divisor = draw(st.sampled_from(list(Divisor) if weighted else [Divisor.ONE, Divisor.COUNT]))
    factor = Fraction(draw(st.sampled_from(["1/2", "3", "1/3"]))) if factored else Fraction(1)
    over = draw(st.sampled_from([Over.ALL, Over.NONE]))
    centre, scale = draw(_regions(fmt))
    count = draw(st.integers(1, 7)) if over is Over.ALL else 1
    spread = draw(st.sampled_from([0, 1, 2, 4]))
    near = numbers(fmt, centre, spread)
    prediction = [draw(near) for _ in range(count)]
    target = [draw(st.just(Fraction(0)) | near | _neighbours(fmt, x)) for x in prediction]
    weight = [draw(numbers(fmt, scale, 2)) for _ in range(count)] if weighted else None
    if weight and draw(st.booleans()):
        weight = [abs(w) for w in weight]
    upstream = draw(st.just(Fraction(1)) | numbers(fmt, scale, 2))
    definition = Definition(factor, over, divisor, Weights.ELEMENT if weighted else Weights.NONE)
    return Situation(definition, prediction, target, weight, [upstream], fmt)


def _neighbours(fmt: Format, x: Fraction) -> st.SearchStrategy[Fraction]:
    """A few last places away: the difference cancels."""
    return st.integers(-9, 9).map(lambda k: y if isinstance(y := fmt.round(x + k * fmt.ulp(x)), Fraction) else x)


@st.composite
def masks(draw: st.DrawFn, fmt: Format, shape: Index) -> Array:
    """Zeros, of either sign, and ones."""
    count = int(np.prod(shape, dtype=np.int64))
    drawn = draw(st.lists(st.sampled_from([0.0, -0.0, 1.0]), min_size=count, max_size=count))
    array: Array = np.asarray(drawn).astype(fmt.dtype).reshape(shape)
    return array


@st.composite
def any_inputs(draw: st.DrawFn, definition: Definition, fmt: Format) -> Inputs:
    """Arrays of any rank and any bits."""
    shape = draw(st.sampled_from(SHAPES))
    wanted = weight_shape(definition.weights, shape)
    weights = st.none() if wanted is None else masks(fmt, wanted) if definition.masked else bit_arrays(fmt, wanted)
    return Inputs(
        draw(bit_arrays(fmt, shape)),
        draw(bit_arrays(fmt, shape)),
        draw(weights),
        draw(bit_arrays(fmt, value_shape(definition.over, shape))),
    )


def examples(count: int) -> settings:
    """So many examples, without a deadline: a loaded machine is no failure."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
