"""The cells in columns: every judged cell comes back, distinct things are there once, what does not fit is left out and counted."""

from __future__ import annotations

import base64
import gzip
import json
from itertools import chain, repeat
from typing import Any

import pytest
from sample_background import SampleBackground
from sample_run import full_run
from test_reports_rendering import HOSTILE, everything_fails, hostile_results

from conformance.reports.page.cells import LETTERS, encode, rounded
from conformance.reports.reproduce import blanks, filled, reproducer
from conformance.reports.table import BEST_GRADE_FIRST, ResultTable, error_in_u
from conformance.reports.text import printable
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome


def unpacked(text: str) -> dict[str, Any]:
    document = json.loads(gzip.decompress(base64.b64decode(text)))
    assert isinstance(document, dict)
    return document


def spread(runs: list[int]) -> list[int]:
    return list(chain.from_iterable(repeat(number, times) for number, times in zip(runs[::2], runs[1::2], strict=True)))


def rows(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Each cell as the page's script sees it."""
    cells, values = document["cells"], [*document["values"], None]
    found = []
    columns = (spread(cells["target"]), cells["pair"], cells["outcome"], spread(cells["reason"]), spread(cells["flags"]))
    measured = (cells["error"], cells["ulp"], cells["share"], cells["grade"])
    for target, pair, outcome, reason, flags, error, ulp, share, grade in zip(*columns, *measured, strict=True):
        section, framework, named, device, mode, dtype = document["targets"][target]
        check, quantity = document["pairs"][pair]
        name, kind, level, operation = document["checks"][check]
        where = (document["sections"][section][1], framework, document["implementations"][named][0], device, mode, dtype)
        what = (name, kind, level, document["operations"][operation], document["quantities"][quantity])
        said = (outcome, document["reasons"][reason], tuple(document["flags"][flags]))
        found.append((*where, *what, *said, values[error], values[ulp], values[share], int(grade)))
    return found


def expected(table: ResultTable) -> list[tuple[Any, ...]]:
    found = []
    for section in table.sections:
        for cell in section.cells:
            t = cell.target
            where = (printable(section.title, 80), t.framework, t.implementation, t.device, t.mode, t.dtype)
            what = (cell.check, cell.kind, cell.level, cell.operation, cell.quantity)
            said = (LETTERS[cell.outcome], printable(cell.reason), cell.flags)
            error = rounded(error_in_u(cell)) if cell.error_u is not None else None
            grade = BEST_GRADE_FIRST.index(cell.grade) + 1 if cell.grade else 0
            found.append((*where, *what, *said, error, rounded(cell.error_ulp), rounded(cell.error_over_bound), grade))
    return found


def test_every_judged_cell_comes_back_from_the_columns() -> None:
    table = ResultTable.of(full_run(complete=False))
    document = unpacked(encode(table, None, 10**9).text)
    assert sorted(rows(document), key=str) == sorted(expected(table), key=str)
    assert len(rows(document)) == table.total.tally.total


def test_what_does_not_pass_brings_its_witness_and_each_place_its_worst() -> None:
    table = ResultTable.of(full_run())
    document = unpacked(encode(table, None, 10**9).text)
    outcomes = [document["cells"]["outcome"][row[0]] for row in document["details"]]
    witnessed = [cell for cell in table.total.cells if cell.witness]
    assert outcomes.count("f") == sum(cell.outcome is Outcome.FAIL for cell in witnessed) > 0
    first = document["details"][0]
    arrays = [document["arrays"][index] for index in first[2:6]]
    assert first[1] == [2]
    assert arrays[0] == ["0x1.921fb54442d18p+1 -0x1p-3", "3.141592653589793 -0.125"]


def test_of_the_passing_cells_of_a_place_the_worst_brings_its_witness() -> None:
    (part, *_) = full_run()
    witness = everything_fails()[0].cells[0].witness
    kept = [cell.model_copy(update={"witness": witness}) for cell in part.cells]
    document = unpacked(encode(ResultTable.of([Results(part.path, part.header, tuple(kept), part.footer)]), None, 10**9).text)
    worst: dict[tuple[Any, ...], float] = {}
    for cell in kept:
        place = (cell.target, cell.operation, cell.quantity)
        if cell.outcome is Outcome.PASS:
            worst[place] = max(worst.get(place, 0.0), rounded(error_in_u(cell)) or 0.0)
    passing = [row[0] for row in document["details"] if document["cells"]["outcome"][row[0]] == "p"]
    assert len(passing) == len(worst)
    assert sorted(document["values"][document["cells"]["error"][cell]] for cell in passing) == sorted(worst.values())


def test_the_template_of_a_failing_cell_makes_its_program() -> None:
    table = ResultTable.of(full_run())
    document = unpacked(encode(table, SampleBackground(), 10**9).text)
    cell = next(cell for cell in table.total.cells if cell.outcome is Outcome.FAIL and cell.target.framework == "keras-torch")
    wanted = ("keras-torch", "float64", cell.check, "f")
    index = next(n for n, row in enumerate(rows(document)) if (row[1], row[5], row[6], row[11]) == wanted)
    target = spread(document["cells"]["target"])[index]
    operation, quantity = document["operations"].index(cell.operation), document["quantities"].index(cell.quantity)
    template = document["templates"][document["programs"][f"{target}:{operation}:{quantity}:0"]]
    assert cell.witness is not None
    written = filled("\n".join(document["lines"][line] for line in template), blanks(cell, cell.witness))
    assert written == reproducer(cell, table.entry(cell))
    assert "os.environ['KERAS_BACKEND'] = 'torch'" in written


def test_the_background_says_what_checks_are_and_pins_their_inputs() -> None:
    document = unpacked(encode(ResultTable.of(full_run()), SampleBackground(), 10**9).text)
    assert document["said"][0][0].startswith("Because of ")
    (first, *_) = [row for row in document["pinned"] if document["checks"][row[0]][0] == "mse/mean/case/thirds"]
    assert first[1] == ["bfloat16", "float32", "float64"]
    assert document["arrays"][first[3]][1] == "1.5 -2.0 0.25 float('nan')"
    assert first[7] == {"value": "11/3"}
    assert document["derivations"][f"{document['operations'].index('mse/mean')}:value:float32:2x2:1"] == [[[0, 2, "float32"]], 3.5]


def test_two_versions_of_a_framework_have_names_of_their_own() -> None:
    older = [_of_version(part, "1.0") for part in full_run() if part.header.environment.framework == "torch"]
    assert ResultTable.of([*full_run(), *older]).names[-2:] == ["torch 1.0", "torch 2.13.0+cpu"]


def _of_version(part: Results, version: str) -> Results:
    cells = [cell.model_copy(update={"target": cell.target.model_copy(update={"version": version})}) for cell in part.cells]
    return Results(part.path, part.header, tuple(cells), part.footer)


def test_what_does_not_fit_the_budget_is_left_out_and_counted() -> None:
    table = ResultTable.of(everything_fails())
    whole = encode(table, None, 10**9)
    less = encode(table, None, len(whole.text) - 1)
    assert (whole.without, less.without) == (0, len(table.total.cells) - 2000)
    assert len(less.text) < len(whole.text)
    assert len(rows(unpacked(less.text))) == len(table.total.cells)
    least = encode(table, None, 1)
    assert least.without == len(table.total.cells)
    assert len(rows(unpacked(least.text))) == len(table.total.cells)


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 3))
def test_hostile_text_is_made_visible_before_it_travels(first: int) -> None:
    document = unpacked(encode(ResultTable.of([hostile_results(HOSTILE[first:] + HOSTILE[:first])]), SampleBackground(), 10**9).text)
    assert all(text.replace("\x00", "").replace(" ", "").isprintable() for text in _strings(document))


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _strings(part)]
    return [text for part in value for text in _strings(part)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def test_nothing_at_all_can_be_packed() -> None:
    assert rows(unpacked(encode(ResultTable.of([]), None, 10**9).text)) == []


def many(cells: int) -> list[Results]:
    """The made-up run again and again under other names, until there are so many cells."""
    found: list[Results] = []
    count = copy = 0
    while count < cells:
        for part in full_run():
            renamed = [_renamed(cell, copy) for cell in part.cells]
            found.append(Results(part.path, part.header, tuple(renamed), part.footer))
            count += len(renamed)
        copy += 1
    return found


def _renamed(cell: Cell, copy: int) -> Cell:
    name = f"{cell.target.implementation}-{copy}"
    return cell.model_copy(update={"target": cell.target.model_copy(update={"implementation": name})})


def test_many_cells_stay_small() -> None:
    table = ResultTable.of(many(100_000))
    text = encode(table, None, 10**9).text
    assert table.total.tally.total >= 100_000
    assert len(text) < 900_000
