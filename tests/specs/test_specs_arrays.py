"""Arrays of a spec file: nested lists and generators, their shapes, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.specs.arrays import ones, parse_array
from conformance.specs.literals import LiteralError


@pytest.mark.parametrize(
    ("raw", "shape"),
    [
        (3, ()),
        ("nan", ()),
        ([], (0,)),
        ([[], []], (2, 0)),
        ([[[]]], (1, 1, 0)),
        ([1, 2], (2,)),
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        ({"repeat": [], "shape": [0, 3]}, (0, 3)),
        ({"repeat": [1], "shape": []}, ()),
        ({"repeat": [1], "shape": [2, 0, 3]}, (2, 0, 3)),
    ],
)
def test_shapes(raw: object, shape: tuple[int, ...]) -> None:
    numbers = parse_array(raw, fractions=False)
    assert numbers.shape == shape
    assert numbers.array("float16").shape == shape
    assert numbers.array("float16").dtype == np.float16


@given(st.lists(st.integers(-200, 200), min_size=1, max_size=5), st.lists(st.integers(1, 4), max_size=3), st.data())
def test_a_generator_is_its_cycle_in_c_order(repeat: list[int], shape: list[int], data: st.DataObject) -> None:
    size = int(np.prod(shape, dtype=int))
    at = data.draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(-9, 9)), max_size=3))
    numbers = parse_array(
        {"repeat": repeat, "shape": shape, "at": [{"index": i, "literal": x} for i, x in at]},
        fractions=False,
    )
    flat = [repeat[i % len(repeat)] for i in range(size)]
    for i, x in at:
        flat[i] = x
    assert numbers.array("float64").ravel().tolist() == flat
    assert [numbers.number(i) for i in range(size)] == flat


def test_special_values_reach_the_array() -> None:
    array = parse_array(["-0", "inf", "-inf", "nan", "0x1p-149"], fractions=False).array("float32")
    assert np.signbit(array[0])
    assert array[0] == 0
    assert array[1] == np.inf
    assert array[2] == -np.inf
    assert np.isnan(array[3])
    assert array.view(np.uint32)[4] == 1


def test_ones() -> None:
    assert ones((2, 3)).array("bfloat16").astype(float).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert ones(()).number(0) == Fraction(1)


@pytest.mark.parametrize(
    ("raw", "where", "found"),
    [
        ([[1, 2], [3]], "[1]", "a list of length 1"),
        ([[1], 2], "[1]", "2"),
        ([1, [2]], "[1]", "a list of length 1"),
        ([1, 0.5], "[1]", "0.5"),
        ([[[[[[[[[1]]]]]]]]], "", "lists nested more than 8 deep"),
        ({"repeat": [1]}, "", "{'repeat': [1]}"),
        ({"repeat": 1, "shape": [1]}, "", "{'repeat': 1, 'shape': [1]}"),
        ({"repeat": [1], "shape": [1], "ta": []}, ".ta", "an unknown key"),
        ({"repeat": [], "shape": [2]}, ".repeat", "an empty list"),
        ({"repeat": [1, "x"], "shape": [2]}, ".repeat[1]", '"x"'),
        ({"repeat": [1], "shape": [-1]}, ".shape[0]", "-1"),
        ({"repeat": [1], "shape": [True]}, ".shape[0]", "true"),
        ({"repeat": [1], "shape": [1] * 9}, ".shape", "rank 9"),
        ({"repeat": [1], "shape": [1 << 22, 2]}, ".shape", "[4194304, 2], too many elements"),
        ({"repeat": [1], "shape": [0, 1 << 40]}, ".shape", "[0, 1099511627776], too many elements"),
        ({"repeat": [1], "shape": [2], "at": [{"index": 2, "literal": 1}]}, ".at[0].index", "2"),
        ({"repeat": [1], "shape": [2], "at": [{"index": 0}]}, ".at[0]", "{'index': 0}"),
        ({"repeat": [1], "shape": [2], "at": [{"index": 0, "literal": "y"}]}, ".at[0].literal", '"y"'),
        (None, "", "None"),
        pytest.param(
            {"repeat": [1], "shape": [1 << 20_000]}, ".shape", "a list with an integer of thousands of digits, too many elements", id="huge"
        ),
    ],
)
def test_what_is_no_array(raw: Any, where: str, found: str) -> None:
    with pytest.raises(LiteralError) as error:
        parse_array(raw, fractions=True)
    assert (error.value.where, error.value.found) == (where, found)


def test_the_first_number_that_a_dtype_cannot_hold_is_named() -> None:
    numbers = parse_array({"repeat": [1, 2049], "shape": [4]}, fractions=False)
    numbers.require_held("float32")
    with pytest.raises(LiteralError) as error:
        numbers.require_held("float16")
    assert error.value.where == ".repeat[1]"
