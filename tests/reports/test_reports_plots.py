"""The plots: every target has its mark, what is drawn is where its numbers put it, hostile names stay names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from sample_run import full_run
from test_reports_rendering import HOSTILE, hostile_results

from conformance.reports.page import plots
from conformance.reports.table import ResultTable
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome


def elements(picture: str, name: str) -> list[ET.Element]:
    return [element for element in ET.fromstring(picture).iter() if element.tag == name]  # noqa: S314 - our own picture


def titles(picture: str) -> list[str]:
    return [element.text or "" for element in elements(picture, "title")]


@pytest.fixture(scope="module")
def table() -> ResultTable:
    return ResultTable.of(full_run())


def test_the_growth_of_every_target_is_drawn(table: ResultTable) -> None:
    found = plots.growth(table)
    assert [plot.title for plot in found[:4]] == [f"mse/mean · {dtype}" for dtype in ("float16", "bfloat16", "float32", "float64")]
    measured = [c for c in table.total.cells if c.growth and (c.operation, c.target.dtype) == ("mse/mean", "float32")]
    lines = [words for words in titles(found[2].picture) if " u at n = 100,000" in words]
    assert len(lines) == len(measured) > 5
    assert any("torch" in words and "compile" in words for words in lines)
    assert {"faithful", "O(1)", "O(log n)", "O(√n)", "bound"} <= {element.text for element in elements(found[2].picture, "text")}


def test_a_larger_error_is_drawn_higher_and_further_right_with_n(table: ResultTable) -> None:
    picture = plots.growth(table)[2].picture
    for group in elements(picture, "g"):
        title = group.findtext("title") or ""
        figures = [float(f.replace(",", "")) for f in re.findall(r"([\d.,]+) u at", title)]
        dots = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in group.iter("circle")]
        assert dots == sorted(dots)
        assert figures == sorted(figures)
        assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)


def test_results_without_sizes_show_the_worst_error_alone(table: ResultTable) -> None:
    witness = next(cell.witness for cell in table.total.cells if cell.witness)
    cells = [c.model_copy(update={"growth": (), "witness": witness}) for part in full_run() for c in part.cells if c.growth]
    part = full_run()[0]
    (plot, *_) = plots.growth(ResultTable.of([Results(part.path, part.header, tuple(cells), part.footer)]))
    assert all(words.count(" u at n = ") == 1 for words in titles(plot.picture))


def test_the_bounds_have_a_place_for_each_operation_and_target_that_measured(table: ResultTable) -> None:
    plot = plots.bounds(table)
    assert plot is not None
    places = {
        (c.operation, c.target.framework, c.target.mode)
        for c in table.total.cells
        if c.outcome is Outcome.PASS and c.error_over_bound is not None
    }
    assert len(elements(plot.picture, "rect")) == len(places)


def test_several_versions_of_a_framework_are_drawn_side_by_side(table: ResultTable) -> None:
    assert plots.versions(table) == []
    (plot,) = plots.versions(
        ResultTable.of([*full_run(), *(_older(part) for part in full_run() if part.header.environment.framework == "jax")])
    )
    assert plot.title == "jax"
    assert any("jax 0.1, float32" in words for words in titles(plot.picture))
    assert any("0.10.2" in (element.text or "") for element in elements(plot.picture, "text"))


def _older(part: Results) -> Results:
    cells: list[Cell] = [c.model_copy(update={"target": c.target.model_copy(update={"version": "0.1"})}) for c in part.cells]
    return Results(part.path, part.header, tuple(cells), part.footer)


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 2))
def test_hostile_names_stay_names(first: int) -> None:
    held = hostile_results(HOSTILE[first:] + HOSTILE[:first])
    cells = tuple(
        cell.model_copy(update={"check": "mse/x/bound/growth", "outcome": Outcome.PASS, "grade": None, "error_over_bound": 0.5})
        for cell in held.cells
    )
    other = tuple(cell.model_copy(update={"target": cell.target.model_copy(update={"version": "1"})}) for cell in cells)
    table = ResultTable.of([Results(held.path, held.header, cells, held.footer), Results(held.path, held.header, other, held.footer)])
    bounds = plots.bounds(table)
    assert bounds is not None
    pictures = [bounds.picture, *(plot.picture for plot in (*plots.growth(table), *plots.versions(table)))]
    known = {"svg", "g", "title", "text", "line", "polyline", "circle", "rect"}
    for picture in pictures:
        assert {element.tag for element in ET.fromstring(picture).iter()} <= known  # noqa: S314 - our own picture


def test_an_empty_table_has_no_plots() -> None:
    table = ResultTable.of([])
    assert (plots.growth(table), plots.bounds(table), plots.versions(table)) == ([], None, [])
