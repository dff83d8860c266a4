"""Bounds made together are those made one by one, and so is everything that is worked out from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from drawing import any_inputs, examples, formats, random_bits, seeds
from hypothesis import given
from hypothesis import strategies as st

from conformance.inputs.families import FAMILIES, Descriptor, make
from conformance.numerics.bounds.error_model import Evaluation
from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.bounds.fast_path import gradient_intervals, value_intervals
from conformance.numerics.bounds.gradient import Gradients
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.bounds.value import value_interval
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact import grid as grids
from conformance.numerics.exact.decode import fractions
from conformance.numerics.exact.grid import grid_of
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Format
from conformance.specs.load import load

ERROR_MODEL = load().error_model
SHIPPED = [operation.definition for operation in load().operations.values()]
DEFINITIONS = [replace(definition, factor=definition.factor * factor) for definition in SHIPPED for factor in (1, 3, Fraction(1, 3))]
SHAPES = ((1,), (7,), (3, 5), (2, 3, 4), (70,))
SAME = ("lower", "upper", "center", "ulp_exponent", "nan", "relative", "infinity", "wide_lower")
CLOSE = ("rest", "bound_ulp", "u_per_ulp")
"""Worked out in pairs of floats: in units of the last place within 2^-47."""


def outputs(fmt: Format) -> list[Format]:
    return [other for other in FORMATS.values() if other == fmt or other.is_wider_than(fmt)]


def check(definition: Definition, inputs: Inputs, output: Format, *, flushes: bool) -> list[Sequence[Interval]]:
    together: list[Sequence[Interval]] = []
    for quantity in (Quantity.VALUE, Quantity.GRADIENT_PREDICTION):
        oracle = exact(definition, inputs)
        if quantity is Quantity.VALUE:
            found = value_intervals(Evaluation(oracle, ERROR_MODEL, output, flushes))
            count = range(len(oracle.value.distinct))
            alone = [value_interval(Evaluation(exact(definition, inputs), ERROR_MODEL, output, flushes), i) for i in count]
        else:
            found = gradient_intervals(Evaluation(oracle, ERROR_MODEL, output, flushes), quantity)
            gradients = Gradients(Evaluation(exact(definition, inputs), ERROR_MODEL, output, flushes))
            alone = [gradients.interval(i) for i in range(len(gradients))]
        assert list(map(repr, found)) == list(map(repr, alone)), (definition, inputs, quantity, flushes)  # by words: nan is not nan
        expected = expectation_of(oracle, ERROR_MODEL, quantity, output, flushes=flushes)
        slow = replace(expected, intervals=tuple(alone))
        for one, other in ((expected, slow), (expected.negated(quantity), slow.negated(quantity))):
            for name in CLOSE:
                np.testing.assert_allclose(
                    getattr(one, name), getattr(other, name), rtol=1e-14, atol=2.0**-47, err_msg=f"{name} of {quantity}"
                )
            for name in SAME:
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=f"{name} of {quantity}")
            assert (one.allowances, one.plain) == (other.allowances, other.plain)
        together.append(found)
    return together


@examples(300)
@given(st.data())
def test_families_of_every_operation(data: st.DataObject) -> None:
    definition, fmt = data.draw(st.sampled_from(DEFINITIONS)), data.draw(formats)
    shape = data.draw(st.sampled_from([shape for shape in SHAPES if len(shape) >= definition.least_rank]))
    family = FAMILIES[data.draw(st.sampled_from(list(FAMILIES)))]
    drawn = Descriptor(data.draw(seeds), shape, data.draw(st.integers(0, 8)), data.draw(st.integers(0, 3)))
    check(
        definition,
        make(family, drawn, definition, fmt.name),
        data.draw(st.sampled_from(outputs(fmt))),
        flushes=data.draw(st.booleans()),
    )


@examples(200)
@given(st.data())
def test_any_bits(data: st.DataObject) -> None:
    definition, fmt = data.draw(st.sampled_from(DEFINITIONS)), data.draw(formats)
    check(definition, data.draw(any_inputs(definition, fmt)), fmt, flushes=data.draw(st.booleans()))


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize("over", Over)
def test_ordinary_numbers_are_made_together(over: Over, fmt: Format) -> None:
    """Otherwise the equality above would hold because nothing is."""
    definition = Definition(Fraction(1), over, Divisor.COUNT, Weights.NONE)
    inputs = make(FAMILIES["cancellation"], Descriptor(1, (3, 5), 2, 0), definition, fmt.name)
    for intervals in check(definition, inputs, fmt, flushes=False):
        assert isinstance(intervals, RelativeIntervals)
        assert not intervals.exceptions


@examples(100)
@given(fmt=formats, seed=seeds, count=st.integers(0, 20), few=st.sampled_from([0, 99]))
def test_a_grid_holds_what_the_array_does(fmt: Format, seed: int, count: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "_SCALAR", few)
    finite = random_bits(seed, count, fmt, finite=True)
    found = grid_of(finite)
    assert found is not None
    assert list(found) == fractions(finite)
    assert list(-found) == [-x for x in found]
    low, high = found.exponents
    assert all(Fraction(2) ** low <= abs(x) < Fraction(2) ** (high + 1) for x in found if x)
    if count:
        finite[seed % count] = np.inf
        assert grid_of(finite) is None
