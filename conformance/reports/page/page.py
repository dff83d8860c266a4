"""The table as one HTML file: no request, complete as plain tables without scripts, every foreign string escaped by the template."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from shlex import quote
from typing import NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.reports import text
from conformance.reports.background import Background, Nothing
from conformance.reports.behaviours import Asked
from conformance.reports.causes import Cause
from conformance.reports.diff.model import HEADINGS, Diff
from conformance.reports.page import plots
from conformance.reports.page.cells import LETTERS, Packed, keys, packed
from conformance.reports.page.matrix import by_operation, overview
from conformance.reports.page.plots import agreement
from conformance.reports.reproduce import reproducer
from conformance.reports.table import ANY, WORST_FIRST, ResultTable, Section, Summary
from conformance.results.records import Cell, Outcome

_LINK = re.compile(r"https?://[A-Za-z0-9.\-]+(?:/[A-Za-z0-9./_~%#?&=+\-]*)?")
_SCRIPTS = ("page-data.js", "page-matrix.js", "page-cell.js", "page.js")
"""In this order they become one script, each building on those before it."""


class BarSegment(NamedTuple):
    """One outcome's share of all cells, in thousandths of the width."""

    style: str
    start: float
    width: float


class Part(NamedTuple):
    """A section with its place in the page, and what a view's address calls it."""

    section: Section
    anchor: str
    key: str


class TableLimits(NamedTuple):
    """How much of the longest tables is shown: so many rows of each operation, so many groups of targets of each answer."""

    rows: int
    places: int


LIMIT = 1_500_000
"""As many bytes may the page have: what the tables leave of them is for the cells that open."""

_NARROWER = (TableLimits(10**9, 20), TableLimits(12, 3), TableLimits(0, 0))
"""Tried in this order, once even the fewest details of the cells find no room. The matrix itself is never cut."""

_CELLS = "\0cells\0"
_WITHOUT = "\0without\0"
"""Where they go in the page: no string of a results file keeps a control character."""


def page(table: ResultTable, background: Background | None = None, diff: Diff | None = None) -> str:
    """Render the table; what its checks are for comes from the background, what changed since an earlier run from the comparison."""
    behind = background or Nothing()
    around, cells = "", Packed("", 0)
    for breadth in _NARROWER:
        around = _around(table, behind, diff, breadth)
        room = LIMIT - len(around.encode()) - 1000
        cells = packed(table, behind, room, diff.changes if diff else ())
        if len(cells.text) <= room:
            break
    return around.replace(_WITHOUT, str(cells.without)).replace(_CELLS, cells.text)


def _around(table: ResultTable, behind: Background, diff: Diff | None, breadth: TableLimits) -> str:
    """The page without the cells that open."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = keys(table.sections)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            table=table,
            parts=[
                Part(section, f"framework-{n}", key) for n, (section, key) in enumerate(zip(table.sections, names, strict=True), start=1)
            ],
            headline=headline(table),
            overview=overview(table),
            operations=by_operation(table),
            breadth=breadth,
            growth=plots.growth(table),
            agreement=agreement(table),
            bounds=plots.bounds(table),
            versions=plots.versions(table),
            colours=plots.legend(table.sections),
            bar=_bar(table.total),
            cells=_CELLS,
            without=_WITHOUT,
            diff=diff,
            changed=[(category, HEADINGS[category], groups) for category, groups in diff.groups.items()] if diff else [],
            elsewhere=bool(behind.digest and table.results and table.results[0].header.specs_digest != behind.digest),
            said=behind.said,
            program=lambda cell: reproducer(cell, table.entry(cell)),
            style=Markup(_resource("page.css")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own files
            script_digest=digest,
        )
    )


@cache
def _resource(name: str) -> str:
    return files("conformance.reports.page").joinpath(name).read_text("utf-8")


@cache
def _script() -> str:
    return '"use strict";\n(() => {\n' + "\n".join(_resource(name) for name in _SCRIPTS) + "})();\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_resource), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "visible": text.printable,
        "source": text.source,
        "shortest": text.shortest,
        "runs": lambda numerals: [(numeral, len(list(times))) for numeral, times in groupby(numerals)],
        "figure": text.format_error,
        "plural": text.plural,
        "capped": text.truncate,
        "decimal": text.decimal,
        "dtype": text.short_dtype,
        "linked": linked,
        "outcome_class": LETTERS.__getitem__,
        "checks": _checks,
        "replay": _replay,
        "moment": _moment,
        "state": state,
        "letters": _letters,
        "question": lambda check: check.rpartition("/")[2],
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


def headline(table: ResultTable) -> str:
    """What came of it, in a sentence: how many frameworks conform, and how many do not."""
    ran = [section for section in table.sections if section.verdict != "not run"]
    if not ran:
        return "Nothing ran"
    if len(ran) == 1:
        verdict = ran[0].verdict
        return f"{text.printable(ran[0].title, 80)} {'is incomplete' if verdict == 'incomplete' else verdict}"
    verdicts = [section.verdict for section in ran]
    good, deviating, incomplete = (verdicts.count(v) for v in ("conforms", "conforms with deviations", "incomplete"))
    if good == len(ran):
        return "Every framework conforms"
    several = len({section.framework for section in ran}) < len(ran)
    found = f"{good + deviating} of {len(ran)} {'versions and runs' if several else 'frameworks'} conform" + (
        ", with documented deviations" if deviating else ""
    )
    broken = verdicts.count("does not conform")
    return "; ".join(
        [
            found,
            *([f"{broken} do not" if broken > 1 else "one does not"] if broken else []),
            *([f"{incomplete} incomplete"] if incomplete else []),
        ]
    )


def linked(words: str, limit: int = 400) -> Markup:
    """Escape the words; addresses of pages in them become links."""
    line = text.printable(words, limit)
    pieces, end = [], 0
    for link in _LINK.finditer(line):
        address = link[0].rstrip(".")
        pieces += [escape(line[end : link.start()]), Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(address)]
        end = link.start() + len(address)
    return Markup("").join([*pieces, escape(line[end:])])


def _bar(total: Summary) -> list[BarSegment]:
    """Share the width among the outcomes that occur, each at least wide enough to be seen."""
    wide = [(outcome, max(count / total.tally.total, 0.004)) for outcome, count in total.tally if count][::-1]
    pieces, start = [], 0.0
    for outcome, share in wide:
        width = 1000 * share / sum(part for _, part in wide)
        pieces.append(BarSegment(LETTERS[outcome], round(start, 1), round(width, 1)))
        start += width
    return pieces


def _moment(written: str) -> str:
    """Write an instant to the minute, in UTC; what is not one stays as it is."""
    try:
        return datetime.fromisoformat(written).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return text.printable(written, 40)


def state(section: Section) -> Outcome:
    """The outcome whose sign and colour stand for a section's verdict."""
    if section.summary.broken:
        return Outcome.FAIL
    return {"conforms": Outcome.PASS, "conforms with deviations": Outcome.DEVIATION}.get(section.verdict, Outcome.NOT_RUN)


def _checks(cause: Cause) -> list[tuple[str, str]]:
    """Return the checks of a cause, each with its quantities."""
    quantities: dict[str, list[str]] = {}
    for finding in cause.findings:
        quantities.setdefault(finding.check, []).append(finding.quantity)
    return [(check, ", ".join(names)) for check, names in quantities.items()]


def _letters(asked: Asked, framework: str) -> str:
    """The answers that a framework gives to a question: ``A`` is the most frequent one."""
    given = [
        chr(ord("A") + min(n, 25)) for n, answer in enumerate(asked.answers) if any(c.target.framework == framework for c in answer.cells)
    ]
    return "".join(dict.fromkeys(given))


def _replay(cell: Cell) -> str:
    return f"conformance replay {quote(text.printable(cell.id, 2000))}"
