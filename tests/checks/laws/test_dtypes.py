"""Laws of dtypes: two float formats in one call, integers, integers beside floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_target import cells_of

from conformance.numerics.formats import Array
from conformance.results.records import Cell, Outcome


def wide(p: Array, t: Array) -> Any:
    """In float64, and rounded to the wider of the formats: right for whatever it is given."""
    result = np.mean(np.square(p.astype(np.float64) - t.astype(np.float64)))
    both = {p.dtype.name, t.dtype.name}
    return result.astype(p.dtype if len(both) == 1 and p.dtype.kind in "fV" else np.float64)


def refuses(p: Array, t: Array) -> Any:
    if p.dtype != t.dtype or p.dtype.kind in "biu":
        raise TypeError("one float format, please")
    return wide(p, t)


def casts_the_target(p: Array, t: Array) -> Any:
    return wide(p, t.astype(p.dtype)).astype(np.float64)


def own_arithmetic(p: Array, t: Array) -> Any:
    return np.mean(np.square(p ^ t if p.dtype == bool else p - t))


def floor(p: Array, t: Array) -> Any:
    found = wide(p, t)
    return np.floor(found).astype(p.dtype) if p.dtype.kind in "biu" else found


def law(name: str, call: Any) -> Cell:
    (cell,) = cells_of(f"mse/mean/law/{name}", call)
    return cell


LAWS = ("mixed-dtypes", "integer-inputs", "integer-range", "integers-beside-floats")


@pytest.mark.parametrize("name", LAWS)
def test_what_computes_in_something_wide_enough_keeps_them(name: str) -> None:
    cell = law(name, wide)
    assert cell.outcome is Outcome.PASS, cell.reason


@pytest.mark.parametrize("name", LAWS)
def test_to_refuse_is_no_failure(name: str) -> None:
    assert law(name, refuses).outcome is Outcome.UNSUPPORTED


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("mixed-dtypes", casts_the_target),
        ("integer-inputs", floor),
        ("integer-range", own_arithmetic),
        ("integers-beside-floats", casts_the_target),
    ],
)
def test_each_sees_what_it_is_about(name: str, call: Any) -> None:
    cell = law(name, call)
    assert cell.outcome is Outcome.FAIL, cell.reason
    assert "expected" in cell.reason
