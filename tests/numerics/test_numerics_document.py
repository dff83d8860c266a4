"""docs/numerics.md: its numbers are computed again, and its listings are what ``conformance explain`` prints."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conformance.checks.catalogue import all_checks
from conformance.checks.explain import explain
from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array
from conformance.specs.load import load

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "numerics.md").read_text(encoding="utf-8")
SPECS = load()
CHECKS = all_checks(SPECS)
MEAN = Definition(Fraction(1), Over.ALL, Divisor.COUNT, Weights.NONE)
LISTINGS = re.findall(r"`conformance explain (\S+) --dtype (\w+)`[^`]*?```text\n(.*?)```", TEXT, re.DOTALL)


def interval(prediction: Array, target: Array) -> Interval:
    """Of the mean."""
    inputs = Inputs(prediction, target, None, np.ones((), prediction.dtype))
    return expectation_of(exact(MEAN, inputs), SPECS.error_model, Quantity.VALUE).at(0)


def says(*parts: str) -> None:
    for part in parts:
        assert part in TEXT


def test_every_listing_is_held_to_its_command() -> None:
    assert len(LISTINGS) == TEXT.count("```text")


@pytest.mark.parametrize(("identifier", "dtype", "listing"), LISTINGS, ids=[f"{i}-{d}" for i, d, _ in LISTINGS])
def test_a_listing_is_what_the_command_prints(identifier: str, dtype: str, listing: str) -> None:
    """Its lines are among those printed, in their order; one that ends with an ellipsis is the beginning of one."""
    printed = iter(explain(SPECS, CHECKS, identifier, dtype=dtype))
    for line in listing.splitlines():
        assert any(p.startswith(line[:-1]) if line.endswith("…") else p == line for p in printed), line


def test_the_table_of_formats() -> None:
    rows = {
        cells[0]: cells[2:]
        for line in TEXT.splitlines()
        if (cells := [c.strip() for c in line.strip("|").split("|")])[0] in "pνM" and cells[0]
    }
    expected = {
        "p": [str(f.precision) for f in FORMATS.values()],
        "ν": [f"{float(f.smallest_normal):.1e}" for f in FORMATS.values()],
    }
    for name, numbers in expected.items():
        assert [plain(cell) for cell in rows[name]] == [plain(number) for number in numbers]
    (units,) = re.findall(r"^\| u = 2\^−p \|.*$", TEXT, re.MULTILINE)
    (smallest,) = re.findall(r"^\| λ = 2uν \|.*$", TEXT, re.MULTILINE)
    for fmt in FORMATS.values():
        assert plain(f"{float(fmt.unit_roundoff):.1e}") in plain(units)
        assert plain(f"{float(fmt.smallest_subnormal):.1e}") in plain(smallest)
        assert fmt.smallest_subnormal == 2 * fmt.unit_roundoff * fmt.smallest_normal


def plain(number: str) -> str:
    """1.2e-05 as people write it."""
    return re.sub(r"e-0(\d)", r"e-\1", number)


def test_the_example_by_hand() -> None:
    """Step by step in bfloat16 and float32, as frameworks round."""
    fmt = FORMATS["bfloat16"]
    p, t = (np.asarray(x).astype(fmt.dtype) for x in ([200, 15, 10], [-61, -4, 0]))
    difference = p - t
    assert [float(x) for x in difference] == [260, 19, 10]
    square = np.square(difference)
    assert [float(x) for x in square] == [67584, 360, 100]
    total = square.astype(np.float32).sum()
    assert total == 68044
    third = total / np.float32(3)
    assert abs(float(third) - 22681.33) < 0.01
    result = float(third.astype(fmt.dtype))
    assert result == 22656
    exact = Fraction(261**2 + 19**2 + 10**2, 3)
    assert exact == Fraction(68582, 3)
    says("68582/3 = 22860.67", "off by 204.67, or 1.6 ulp of 128")
    assert (f"{float(exact):.2f}", f"{float(exact) - result:.2f}", f"{(float(exact) - result) / 128:.1f}") == ("22860.67", "204.67", "1.6")
    off = [(261 - 260) / 261, (67600 - 67584) / 67600, (361 - 360) / 361, (22681.33 - 22656) / 22681.33, 1 - 260**2 / 261**2]
    assert [f"{100 * x:.2g}" for x in off] == ["0.38", "0.024", "0.28", "0.11", "0.76"]
    found = interval(p, t)
    assert found.exact == exact
    assert f"{100 * ((1 + 1 / 257) ** 4 - 1):.3f}" == "1.566"
    assert f"{float(found.bound):.1f}" == "357.9"
    assert (f"{float(found.lower):.1f}", f"{float(found.upper):.1f}") == ("22502.8", "23218.6")
    says("1.566 %", "± 357.9", "from 22502.8 to 23218.6", "22528, 22656, 22784, 22912, 23040, 23168")
    assert [x for x in range(22016, 24064, 128) if found.contains(Fraction(x))] == [22528, 22656, 22784, 22912, 23040, 23168]
    assert float(total / np.float32(2)) > 34000
    says("n − 1 gives 34291", "= 34241", "22827.33, would be inside")
    assert (68582 / 2, (261**2 + 19**2) / 2, round((261**2 + 19**2) / 3, 2)) == (34291, 34241, 22827.33)
    assert not found.contains(Fraction(34291))
    assert found.contains(Fraction(261**2 + 19**2, 3))


def test_the_example_of_a_tolerance() -> None:
    for residual in (0.001, 1000.0):
        p = np.full(16, residual, np.float32)
        found = interval(p, 0 * p)
        assert isinstance(found.exact, Fraction)
        assert round(float(found.bound / found.exact / FORMATS["float32"].unit_roundoff)) == 18
        wrong = np.square(p).sum() / np.float32(15)
        assert not found.contains(Fraction(float(wrong)))
    says("18 roundings wide", "1.067·10⁻⁶", "6.7·10⁻⁸")
    right, too_large = 1e-6, 16e-6 / 15
    assert (f"{too_large:.3e}", f"{too_large - right:.1e}") == ("1.067e-06", "6.7e-08")
    assert too_large - right < 1e-5


def test_what_is_said_beside_the_listings() -> None:
    """In units of u = 2⁻²⁴, from the bounds themselves."""
    u = FORMATS["float32"].unit_roundoff

    def bounds(identifier: str) -> list[Fraction]:
        check, _, quantity = identifier.partition(":")
        case = CHECKS[check].case  # type: ignore[attr-defined]  # only checks of cases are asked for
        definition = SPECS.operations[check.partition("/case/")[0]].definition
        made = expectation_of(exact(definition, case.inputs("float32")), SPECS.error_model, Quantity(quantity))
        return [found.bound for found in made.intervals]

    def in_u(number: Fraction) -> float:
        return round(float(number / u), 2)

    weighted, rooted = "mse/weighted-mean/case/weighted-mean-thirds", "mse/root-mean/case/root-mean-whole"
    assert in_u(bounds(f"{weighted}:value")[0]) == 33
    assert in_u(bounds(f"{weighted}:gradient/weight")[0]) == 27
    assert in_u(bounds(f"{rooted}:value")[0]) == 25
    assert in_u(bounds(f"{rooted}:gradient/prediction")[0] * 10) == 11
    for said, number in (("1.97e-6", 33 * u), ("1.61e-6", 27 * u), ("1.49e-6", 25 * u), ("6.56e-8", 11 * u / 10)):
        says(said)
        assert plain(f"{float(number):.2e}") == said
