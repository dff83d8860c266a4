"""The table as one HTML file: no request, complete as plain tables without scripts, every foreign string escaped by the template."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from shlex import quote
from typing import NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.reports import text
from conformance.reports.causes import Cause
from conformance.reports.reproduce import reproducer
from conformance.reports.summary import BEST_GRADE_FIRST, WORST_FIRST, Summary
from conformance.reports.table import ANY, Column, Row, Section, Table
from conformance.results import Cell, Outcome

_LINK = re.compile(r"https?://[A-Za-z0-9.\-]+(?:/[A-Za-z0-9./_~%#?&=+\-]*)?")
_CLASSES: Mapping[Outcome, str] = {
    Outcome.ERROR: "e",
    Outcome.FAIL: "f",
    Outcome.DEVIATION: "d",
    Outcome.NOT_RUN: "n",
    Outcome.UNSUPPORTED: "u",
    Outcome.PASS: "p",
}


class Mark(NamedTuple):
    """One dtype in a place of the matrix."""

    dtype: str
    glyph: str
    style: str


class Strip(NamedTuple):
    """A place of the matrix: its marks, said in words for those who do not see them, and what was measured."""

    marks: tuple[Mark, ...]
    words: str
    title: str
    error: str
    grade: str
    step: int


class Piece(NamedTuple):
    """One outcome's share of all cells, in thousandths of the width."""

    style: str
    start: float
    width: float


class Shortfall(NamedTuple):
    """Checks of one row that did not pass, for one reason."""

    row: Row
    outcome: Outcome
    reason: str
    checks: str
    cells: int


class Part(NamedTuple):
    """A section with its place in the page and its place in the order of the worst."""

    section: Section
    anchor: str
    rank: int


def page(table: Table) -> str:
    """Render the table."""
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    ranks = {id(section): rank for rank, section in enumerate(table.worst_first)}
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            table=table,
            parts=[Part(section, f"framework-{n}", ranks[id(section)]) for n, section in enumerate(table.sections, start=1)],
            quantities=tuple(dict.fromkeys(column.quantity for column in table.columns)),
            groups=(groups := _groups(table.columns)),
            firsts=[columns[0] for columns in groups.values()],
            bar=_bar(table.total),
            strip=lambda row, operation=None, quantity=None: _strip(table.dtypes, row, operation, quantity),
            program=lambda cell: reproducer(cell, table.entry(cell)),
            style=Markup(_resource("page.css")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_digest=digest,
        )
    )


@cache
def _resource(name: str) -> str:
    return files("conformance.reports").joinpath(name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_resource), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "visible": text.visible,
        "source": text.source,
        "shortest": text.shortest,
        "runs": lambda numerals: [(numeral, len(list(times))) for numeral, times in groupby(numerals)],
        "figure": text.figure,
        "plural": text.plural,
        "capped": text.capped,
        "decimal": text.decimal,
        "dtype": text.short_dtype,
        "linked": linked,
        "outcome_class": _CLASSES.__getitem__,
        "checks": _checks,
        "replay": _replay,
        "shortfalls": _shortfalls,
        "moment": _moment,
        "verdict_class": _verdict_class,
    }
    environment.globals |= {
        "ANY": ANY,
        "GLYPHS": text.GLYPHS,
        "MEANING": text.MEANING,
        "PARTIAL": text.PARTIAL,
        "GRADE_SHORT": text.GRADE_SHORT,
        "GRADE_MEANING": text.GRADE_MEANING,
        "WORST_FIRST": WORST_FIRST,
        "Outcome": Outcome,
    }
    return environment


def linked(words: str, limit: int = 400) -> Markup:
    """Escape the words; addresses of pages in them become links."""
    line = text.visible(words, limit)
    pieces, end = [], 0
    for link in _LINK.finditer(line):
        address = link[0].rstrip(".")
        pieces += [escape(line[end : link.start()]), Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(address)]
        end = link.start() + len(address)
    return Markup("").join([*pieces, escape(line[end:])])


def _groups(columns: Sequence[Column]) -> dict[str, list[Column]]:
    groups: dict[str, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.operation, []).append(column)
    return groups


def _strip(dtypes: Iterable[str], row: Row, operation: str | None, quantity: str | None) -> Strip | None:
    whole = row.at(operation=operation, quantity=quantity)
    if not whole:
        return None
    held = [(dtype, row.at(operation=operation, quantity=quantity, dtype=dtype)) for dtype in (*dtypes, ANY)]
    shown = held[:-1] if any(summary for _, summary in held[:-1]) else held[-1:]
    marks = tuple(_mark(dtype, summary) for dtype, summary in shown)
    grade = whole.worst_grade
    said: dict[str, list[str]] = {}
    for dtype, summary in held:
        if summary.tally.worst:
            said.setdefault("passes where it could run" if summary.tally.partial else summary.tally.worst.value, []).append(dtype)
    words = [f"{outcome} in {text.visible(', '.join(names), 200)}" if len(said) > 1 else outcome for outcome, names in said.items()]
    return Strip(
        marks,
        "; ".join(words),
        ""
        if whole.tally.worst is Outcome.PASS
        else text.visible("; ".join(f"{text.short_dtype(d)} {s.tally.denominator()}" for d, s in held if s)),
        f"{text.figure(whole.worst_error_u)} u" if whole.worst_error_u is not None else "",
        text.GRADE_SHORT[grade] if grade else "",
        len(BEST_GRADE_FIRST) - BEST_GRADE_FIRST.index(grade) if grade else 0,
    )


def _bar(total: Summary) -> list[Piece]:
    """Share the width among the outcomes that occur, each at least wide enough to be seen."""
    wide = [(outcome, max(count / total.tally.total, 0.004)) for outcome, count in total.tally if count][::-1]
    pieces, start = [], 0.0
    for outcome, share in wide:
        width = 1000 * share / sum(part for _, part in wide)
        pieces.append(Piece(_CLASSES[outcome], round(start, 1), round(width, 1)))
        start += width
    return pieces


def _moment(written: str) -> str:
    """Write an instant to the minute, in UTC; what is not one stays as it is."""
    try:
        return datetime.fromisoformat(written).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return text.visible(written, 40)


def _verdict_class(part: Part) -> str:
    if part.section.summary.broken:
        return "bad"
    return {"conforms": "good", "conforms with deviations": "deviates"}.get(part.section.verdict, "none")


def _mark(dtype: str, summary: Summary) -> Mark:
    tally = summary.tally
    style = "" if tally.worst is None else "h" if tally.partial else _CLASSES[tally.worst]
    return Mark(dtype, tally.glyph, style)


def _checks(cause: Cause) -> list[tuple[str, str]]:
    """Return the checks of a cause, each with its quantities."""
    quantities: dict[str, list[str]] = {}
    for finding in cause.findings:
        quantities.setdefault(finding.check, []).append(finding.quantity)
    return [(check, ", ".join(names)) for check, names in quantities.items()]


def _replay(cell: Cell) -> str:
    return f"conformance replay {quote(text.visible(cell.id, 2000))}"


def _shortfalls(section: Section, most: int = 200) -> list[Shortfall]:
    """Return what did not pass, row by row, checks with one reason together."""
    found = []
    for row in section.rows:
        grouped: dict[tuple[Outcome, str], list[Cell]] = {}
        for cell in row.cells:
            if cell.outcome is not Outcome.PASS:
                grouped.setdefault((cell.outcome, text.without_numbers(cell.reason)), []).append(cell)
        for (outcome, _), cells in grouped.items():
            checks = list(dict.fromkeys(f"{cell.check} {cell.quantity}" for cell in cells if cell.check != ANY))
            found.append(Shortfall(row, outcome, cells[0].reason, text.capped(checks, 6), len(cells)))
    return found[:most]
