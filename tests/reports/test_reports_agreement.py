"""Which targets agree bit for bit: groups by digest, how far two groups agree, and the picture of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from sample_run import full_run
from test_reports_rendering import HOSTILE, hostile_results

from conformance.reports.page.plots import agreement, groups
from conformance.reports.table import ResultTable
from conformance.results.records import AtSize, Outcome


@pytest.fixture(scope="module")
def table() -> ResultTable:
    return ResultTable.of(full_run())


def test_targets_with_the_same_digests_everywhere_stand_together(table: ResultTable) -> None:
    cells = [c for c in table.total.cells if c.growth and (c.operation, c.target.dtype) == ("mse/mean", "float32")]
    found = groups(cells)
    together = next(group for group in found if any(t.framework == "numpy" for t in group.targets))
    assert {t.framework for t in together.targets} == {"numpy", "jax"}
    assert sum(len(group.targets) for group in found) == len(cells)
    for other in found:
        assert together.shared(other) == ((3, 3) if other is together else (1, 3))  # ten numbers are added alike by everybody


def test_what_did_not_pass_or_has_no_digest_is_in_no_group(table: ResultTable) -> None:
    cell = next(c for c in table.total.cells if c.growth)
    failing = cell.model_copy(update={"outcome": Outcome.FAIL})
    bare = cell.model_copy(update={"growth": (AtSize(n=10, error_u=1.0),)})
    assert groups([failing, bare]) == []


def test_sizes_that_only_one_of_two_measured_are_not_compared(table: ResultTable) -> None:
    cell = next(c for c in table.total.cells if len(c.growth) > 1)
    first, second = groups([cell, cell.model_copy(update={"growth": cell.growth[:1]})])
    assert first.shared(second) == (1, 1)


def test_a_picture_for_each_operation_and_dtype(table: ResultTable) -> None:
    plots = agreement(table)
    assert [plot.title for plot in plots[:4]] == [f"mse/mean · {dtype}" for dtype in ("float16", "bfloat16", "float32", "float64")]
    root = ET.fromstring(plots[2].picture)  # noqa: S314 - our own picture
    words = [element.text or "" for element in root.iter("text")]
    assert "1/3" in words
    assert any(name.startswith(("numpy", "jax")) for name in words)
    assert any("× " in name for name in words)


def test_one_target_alone_agrees_with_nobody(table: ResultTable) -> None:
    part = full_run()[0]
    cells = [c for c in part.cells if c.growth][:1]
    assert agreement(ResultTable.of([type(part)(part.path, part.header, tuple(cells), part.footer)])) == []


def test_hostile_names_stay_names() -> None:
    part = hostile_results(HOSTILE)
    grown = [
        c.model_copy(update={"outcome": Outcome.PASS, "growth": (AtSize(n=10, error_u=1.0, bits=HOSTILE[0]),)}) for c in part.cells[:2]
    ]
    other = grown[0].model_copy(update={"target": grown[0].target.model_copy(update={"mode": HOSTILE[1]})})
    plots = agreement(ResultTable.of([type(part)(part.path, part.header, (*grown, other), part.footer)]))
    for plot in plots:
        ET.fromstring(plot.picture)  # noqa: S314 - our own picture
        assert "<script" not in plot.picture
    assert plots
