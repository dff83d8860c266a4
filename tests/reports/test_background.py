"""The background of reports: every check of the specs in words, with its source, pinned inputs and counted roundings."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.definition import Quantity
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS
from conformance.reports.background import Background
from conformance.specs.load import load

THIRDS = "mse/mean/case/mean-upstream-loss-scale"


@pytest.fixture(scope="module")
def background() -> Background:
    return Background.of(load())


def test_every_check_is_said_in_words_and_its_source_exists(background: Background) -> None:
    root = Path(__file__).resolve().parents[2]
    assert len(background.checks) > 500
    for check in background.checks:
        said = background.said(check)
        assert said is not None
        assert said.why.endswith((".", "?", "!")), check
        assert (root / said.source.partition(",")[0]).exists(), said.source


def test_a_pinned_case_brings_its_inputs_and_what_its_spec_states(background: Background) -> None:
    pinned = background.pinned(THIRDS, "float16")
    assert pinned is not None
    assert pinned.inputs.shape == (4,)
    assert pinned.inputs.upstream == ("0x1.0000000000000p+10",)
    assert pinned.stated["gradient/prediction"] == "1/8, 0, 0, -3/16"
    said = background.said(THIRDS)
    assert said is not None
    assert any("optimiser" in words for words in said.consequences)


@pytest.mark.parametrize(
    ("check", "dtype"),
    [("nothing", "float32"), ("mse/mean/law/swap", "float32"), (THIRDS, "int8"), ("mse/mean/case/mean-2-20", "float32")],
)
def test_what_is_not_pinned_or_too_long_has_no_inputs(background: Background, check: str, dtype: str) -> None:
    assert background.pinned(check, dtype) is None


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("quantity", [Quantity.VALUE, Quantity.GRADIENT_PREDICTION])
def test_the_roundings_are_those_of_the_interval(background: Background, dtype: str, quantity: Quantity) -> None:
    """The relative half-width of the interval of ordinary numbers is what the derivation comes to, but for the last rounding outwards."""
    operation = background.specs.operations["mse/mean"]
    case = next(case for case in operation.cases if case.id == "mean-thirds")
    inputs = case.inputs(dtype)
    derivation = background.derivation("mse/mean", quantity.value, dtype, inputs.shape, unit_upstream=True)
    assert derivation is not None
    expectation = expectation_of(exact(operation.definition, inputs), background.specs.error_model, quantity, FORMATS[dtype], flushes=False)
    interval = expectation.at(0)
    assert not isinstance(interval.exact, float)
    width = float((interval.upper - interval.exact) / abs(interval.exact) / FORMATS[dtype].unit_roundoff)
    assert abs(width - derivation.together_u) <= 2.0
    assert all(rounding.because for rounding in derivation.roundings)


@pytest.mark.parametrize(
    ("operation", "quantity", "dtype", "shape"),
    [
        ("mse/nothing", "value", "float32", (2,)),
        ("mse/mean", "parameters", "float32", (2,)),
        ("mse/mean", "value", "int8", (2,)),
        ("mse/mean", "value", "float32", (0,)),
        ("mse/last-axis", "value", "float32", ()),
        ("mse/weighted-mean", "value", "float32", (2,)),
    ],
)
def test_where_more_than_the_shape_decides_there_is_no_derivation(
    background: Background, operation: str, quantity: str, dtype: str, shape: tuple[int, ...]
) -> None:
    assert background.derivation(operation, quantity, dtype, shape, unit_upstream=True) is None
