"""The table as one HTML file: no request, complete as plain tables without scripts, every foreign string escaped by the template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.reports import text
from conformance.reports.behaviours import BehaviourQuestion
from conformance.reports.diff.model import HEADINGS, Diff
from conformance.reports.page import plots
from conformance.reports.page.cells import LETTERS, EncodedCells, encode
from conformance.reports.page.matrix import by_operation, overview
from conformance.reports.reproduce import reproducer
from conformance.reports.table import WORST_FIRST, ResultTable, Section, Summary
from conformance.results.records import Outcome

if TYPE_CHECKING:
    from conformance.reports.background import Background  # imports the checks

_SCRIPTS = ("page-data.js", "page-matrix.js", "page-cell.js", "page.js")
"""In this order they become one script, each building on those before it."""


class BarSegment(NamedTuple):
    """One outcome's share of all cells, in thousandths of the width."""

    style: str
    start: float
    width: float


class PageSection(NamedTuple):
    """A section with its place in the page."""

    section: Section
    anchor: str


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
    around, cells = "", EncodedCells("", 0)
    for breadth in _NARROWER:
        around = _around(table, background, diff, breadth)
        room = LIMIT - len(around.encode()) - 1000
        cells = encode(table, background, room, diff.changes if diff else ())
        if len(cells.text) <= room:
            break
    return around.replace(_WITHOUT, str(cells.without)).replace(_CELLS, cells.text)


def _around(table: ResultTable, background: Background | None, diff: Diff | None, breadth: TableLimits) -> str:
    """The page without the cells that open."""
    script = '"use strict";\n(() => {\n' + "\n".join(_resource(name) for name in _SCRIPTS) + "})();\n"
    of_results = table.results[0].header.specs_digest if table.results else ""
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            table=table,
            parts=[PageSection(section, f"framework-{n}") for n, section in enumerate(table.sections, start=1)],
            headline=headline(table),
            overview=overview(table),
            operations=by_operation(table),
            breadth=breadth,
            growth=plots.growth(table),
            agreement=plots.agreement(table),
            bounds=plots.bounds(table),
            versions=plots.versions(table),
            colours=plots.legend(table.sections),
            bar=_bar(table.total),
            cells=_CELLS,
            without=_WITHOUT,
            diff=diff,
            changed=[(category, HEADINGS[category], groups) for category, groups in diff.groups.items()] if diff else [],
            elsewhere=bool(background and of_results and background.digest != of_results),
            said=background.said if background else lambda _: None,
            program=lambda cell: reproducer(cell, table.entry(cell)),
            style=style(),
            script=Markup(script),  # noqa: S704 - our own files
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


@cache
def _resource(name: str) -> str:
    return files("conformance.reports.page").joinpath(name).read_text("utf-8")


def style() -> Markup:
    """The style sheet of all pages."""
    return Markup(_resource("page.css"))  # noqa: S704 - our own file


def template_environment(package: str, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """What renders a page: the templates of a package, everything escaped; the filters of all pages, and these."""
    loader = FunctionLoader(lambda name: files(package).joinpath(name).read_text("utf-8"))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"visible": text.printable, "plural": text.plural, "linked": linked, **filters}
    environment.filters["replay"] = lambda cell: text.replay_command(cell.id, 2000)
    return environment


@cache
def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {
        "source": text.source,
        "shortest": text.shortest,
        "runs": lambda numerals: [(numeral, len(list(times))) for numeral, times in groupby(numerals)],
        "figure": text.format_error,
        "capped": text.truncate,
        "decimal": text.decimal,
        "dtype": text.short_dtype,
        "outcome_class": LETTERS.__getitem__,
        "moment": _moment,
        "letters": _letters,
    }
    environment = template_environment("conformance.reports.page", filters)
    environment.globals |= {
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
    broken = verdicts.count("does not conform")
    found = f"{good + deviating} of {len(ran)} {'versions and runs' if several else 'frameworks'} conform"
    found += ", with documented deviations" if deviating else ""
    found += (f"; {broken} do not" if broken > 1 else "; one does not") if broken else ""
    return found + (f"; {incomplete} incomplete" if incomplete else "")


def linked(words: str, limit: int = 400) -> Markup:
    """Escape the words; addresses of pages in them become links."""
    link = Markup('<a href="{0}" rel="noreferrer">{0}</a>')
    pieces = text.split_links(text.printable(words, limit))
    return Markup("").join(link.format(piece) if is_link else escape(piece) for piece, is_link in pieces)


def _bar(total: Summary) -> list[BarSegment]:
    """Share the width among the outcomes that occur, each at least wide enough to be seen."""
    wide = [(outcome, max(count / total.tally.total, 0.004)) for outcome, count in total.tally.items() if count][::-1]
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


def _letters(asked: BehaviourQuestion, framework: str) -> str:
    """The answers that a framework gives to a question: ``A`` is the most frequent one."""
    given = [
        chr(ord("A") + min(n, 25)) for n, answer in enumerate(asked.answers) if any(c.target.framework == framework for c in answer.cells)
    ]
    return "".join(dict.fromkeys(given))
