"""Badges: the verdict in words, an honest denominator, safe names, and colours that can be read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_run import full_run
from test_reports_page import contrast
from test_reports_rendering import HOSTILE, hostile_results
from test_reports_table import cell, results

from conformance.reports.badges import Badge, badges
from conformance.reports.table import ResultTable
from conformance.reports.write import write_all
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome

PASSES = "00639c"


def badge_of(cells: list[Cell], *, complete: bool = True) -> Badge:
    (badge,) = badges(ResultTable.of([results(cells, complete=complete)]))
    return badge


def drawn(badge: Badge) -> ET.Element:
    """The root of the picture, which names nothing outside itself."""
    root = ET.fromstring(badge.svg)  # noqa: S314 - our own document
    tags = {node.tag.removeprefix("{http://www.w3.org/2000/svg}") for node in root.iter()}
    assert tags == {"svg", "title", "rect", "path", "g", "text"}
    assert {name for node in root.iter() for name in node.attrib} <= {
        *("width", "height", "role", "aria-label", "rx", "fill", "d", "font-family", "font-size", "x", "y", "textLength")
    }
    return root


def test_a_badge_says_the_verdict_and_the_denominator() -> None:
    cells = [cell(check=str(number)) for number in range(186)]
    cells += [cell(Outcome.UNSUPPORTED, check=f"u{number}") for number in range(17)]
    cells += [cell(Outcome.NOT_RUN, check=f"n{number}") for number in range(18)]
    badge = badge_of(cells)
    assert json.loads(badge.endpoint) == {"schemaVersion": 1, "label": "MSE · a", "message": "conforms · 186/221", "color": PASSES}
    root = drawn(badge)
    assert root.get("role") == "img"
    title = "Mean squared error in a 1: conforms, 186/221 · 18 not run · 17 unsupported"
    assert root.get("aria-label") == root.findtext("{*}title") == title
    assert [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")] == ["MSE · a", "conforms · 186/221"]


@pytest.mark.parametrize(
    ("cells", "complete", "message"),
    [
        ([cell()], False, "incomplete · 1/1 so far"),
        ([cell(Outcome.FAIL)], False, "does not conform · 0/1 so far"),
        ([cell(Outcome.FAIL)], True, "does not conform · 0/1"),
        ([cell(), cell(Outcome.DEVIATION, check="y")], True, "conforms with deviations · 1/2"),
        ([cell(Outcome.UNSUPPORTED)], True, "not run · 0/1"),
        ([], True, "not run · 0/0"),
    ],
)
def test_nothing_else_looks_like_a_pass(cells: list[Cell], complete: bool, message: str) -> None:  # noqa: FBT001 - pytest passes it
    badge = badge_of(cells, complete=complete)
    assert badge.message == message
    assert badge.color != PASSES
    assert PASSES not in badge.svg


def test_the_text_can_be_read_on_every_colour() -> None:
    colours = {badge.color for parts in (full_run(), full_run(complete=False)) for badge in badges(ResultTable.of(parts))}
    colours.add(badge_of([cell(Outcome.DEVIATION)]).color)
    colours |= set(re.findall(r'<rect[^>]* fill="#([0-9a-f]+)"', badge_of([cell()]).svg))
    assert len(colours) == 5
    for colour in colours:
        assert contrast("#ffffff", f"#{colour}") >= 4.5


def test_each_version_has_a_badge_where_there_are_several() -> None:
    newer = cell(target=cell().target.model_copy(update={"version": "2.1+cpu"}))
    assert [badge.name for badge in badges(ResultTable.of([results([cell()]), results([newer])]))] == ["a-1", "a-2.1-cpu"]
    twice = [results([cell()]), results([cell()], "r1")]
    assert len({badge.name for badge in badges(ResultTable.of(twice))}) == 2


@pytest.mark.parametrize("first", range(len(HOSTILE)))
def test_no_text_breaks_a_badge_or_leaves_the_folder(first: int, tmp_path: Path) -> None:
    part = hostile_results(HOSTILE[first:] + HOSTILE[:first])
    other = Results(part.path, part.header, tuple(one.model_copy(update={"check": f"{one.check} again"}) for one in part.cells), None)
    folder = tmp_path / "reports"
    write_all(ResultTable.of([part, other]), folder)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("badges/*"))
    assert len(names) >= 2
    assert all(re.fullmatch(r"reports/badges/[a-z0-9][a-z0-9.-]*\.(svg|json)", name) for name in names)
    for path in folder.glob("badges/*.json"):
        assert set(json.loads(path.read_text("utf-8"))) == {"schemaVersion", "label", "message", "color"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reports"]


@given(st.lists(st.text(st.characters(), max_size=60), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40)
def test_any_name_can_be_drawn(texts: list[str]) -> None:
    for badge in badges(ResultTable.of([hostile_results(texts)])):
        drawn(badge)


def test_every_framework_has_a_picture_and_its_json(tmp_path: Path) -> None:
    write_all(ResultTable.of(full_run()), tmp_path)
    frameworks = {"jax", "keras-jax", "keras-tensorflow", "keras-torch", "numpy", "tensorflow", "torch"}
    for suffix in ("svg", "json"):
        assert {path.stem for path in (tmp_path / "badges").glob(f"*.{suffix}")} == frameworks


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_badges_of_frameworks_that_left_are_deleted_and_no_other_file_is(tmp_path: Path) -> None:
    one, other = results([cell()]), results([cell(target=cell().target.model_copy(update={"framework": "b"}))])
    write_all(ResultTable.of([one, other]), tmp_path)
    assert {"badges/a.svg", "badges/a.json", "badges/b.svg", "badges/b.json"} <= files_in(tmp_path)
    mine = {"badges/mine.svg", "badges/mine.json", "badges/b.png"}
    for name in mine:
        (tmp_path / name).write_text(Badge.of(ResultTable.of([one]).sections[0], "mine").endpoint)
    write_all(ResultTable.of([one]), tmp_path)
    assert {name for name in files_in(tmp_path) if name.startswith("badges/")} == {"badges/a.svg", "badges/a.json", *mine}


@pytest.mark.parametrize(
    "made", ['["../victim", "/victim", ".", "", "victim"]', "7", '[7, "victim"]', "null", '{"victim": 1', "[" * 100_000]
)
def test_what_somebody_wrote_into_the_last_table_deletes_nothing_outside_the_badges(made: str, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    (tmp_path / "victim.svg").write_text("kept")
    (folder / "victim.json").write_text("kept")
    (folder / "table.json").write_text(f'{{"badges": {made}}}')
    write_all(ResultTable.of([results([cell()])]), folder)
    assert json.loads((folder / "table.json").read_text("utf-8"))["badges"] == ["a"]
    assert {"victim.svg", "reports/victim.json", "reports/badges/a.svg"} <= files_in(tmp_path)
