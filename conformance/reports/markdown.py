"""The table as GitHub Markdown: the matrix first, then what does not conform, then the implementations, as far as the size allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from conformance.reports.behaviours import Behaviours
from conformance.reports.causes import Cause, CellGroup
from conformance.reports.table import ANY, WORST_FIRST, ResultTable, Section, TableRow
from conformance.reports.text import (
    GLYPHS,
    GRADE_MEANING,
    GRADE_SHORT,
    MEANING,
    PARTIAL,
    plural,
    printable,
    short_dtype,
    split_links,
    truncate,
)
from conformance.results.records import Header

_SPECIAL = re.compile(r"[\\`*_\[\]~|#$!@]")
_MOST_FINDINGS = 12
_MOST_MESSAGES = 3


def markdown(table: ResultTable, changes: Iterable[str] = ()) -> str:
    """Render the table, and below the matrix what changed since another run; what no longer fits is left out, and that is said."""
    return fitted(_blocks(table, changes), "index.html")


def escaped(text: str, limit: int = 400) -> str:
    """Text that Markdown shows as it is, on one line; addresses of pages become links."""
    pieces = split_links(printable(text, limit))
    return "".join(f"<{piece}>" if is_link else _plain(piece) for piece, is_link in pieces)


def _plain(text: str) -> str:
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "|`$@" else f"\\{found[0]}", entities)


def _blocks(table: ResultTable, changes: Iterable[str]) -> Iterator[Block]:
    yield Block("# Conformance of mean squared error\n\n", _head(table), "")
    yield Block(_header(["target", *(escaped(operation, 60) for operation in table.operations), "pass / all"]), _matrix(table))
    yield Block(_legend(table), closing="")
    if told := list(changes):
        yield Block("## What changed\n\n", told, "\n", 40_000)
    yield from _listed("What does not conform", [_cause(cause) for cause in table.failures], 60_000)
    yield from _listed("Documented deviations", [_cause(cause) for cause in table.deviations], 50_000)
    disagreements = [f"- {escaped(cells[0].id)}: {', '.join(cell.outcome.value for cell in cells)}\n" for cells in table.disagreements]
    yield from _listed("Runs that disagree", disagreements, 10_000)
    yield from _listed("Without a verdict", [_gap(gap, "cell") for gap in table.gaps], 30_000)
    yield from _behaviours(table)
    facts = (_environment(part.header) for part in table.results)
    yield Block("<details><summary>Environments</summary>\n\n", facts, "\n</details>\n\n", 20_000)
    for section in table.sections:
        yield _implementations(table, section)


def _head(table: ResultTable) -> Iterator[str]:
    headers = [part.header for part in table.results]
    yield f"**{table.verdict.capitalize()}**: {table.total.tally.denominator()}"
    if headers:
        profiles = sorted({header.profile for header in headers})
        yield " · " + escaped(
            f"{min(header.started for header in headers)} · profile {', '.join(profiles)} · suite {headers[0].suite_version}"
        )
    yield "\n\n"
    for run in table.incomplete:
        yield (
            f"> [!WARNING]\n> **Incomplete**: the run of {escaped(run.header.environment.title, 80)} "
            f"{run.shortfall}; it left {plural(len(run.cells), 'cell')}.\n\n"
        )


def _matrix(table: ResultTable) -> Iterator[str]:
    for section in table.sections:
        yield _line([f"**{escaped(section.title, 60)}** {section.verdict}", *("" for _ in table.operations), section.denominator])
        for row in section.modes:
            if row.absent:
                places = [f"not run: {escaped(row.absent, 160)}", *("" for _ in table.operations[1:])] if table.operations else []
            else:
                places = [_place(table, row, operation) for operation in table.operations]
            yield _line([_label(row), *places, row.summary.tally.denominator()])


def _place(table: ResultTable, row: TableRow, operation: str, quantities: Sequence[str] | None = None) -> str:
    columns = quantities or table.quantities(operation)
    glyphs = " ".join(_strip(table, row, operation, quantity) for quantity in columns).strip()
    measured = row.at(operation=operation, quantity=quantities[0] if quantities else None).accuracy
    return f"{glyphs}<br>{measured}" if measured else glyphs


def _strip(table: ResultTable, row: TableRow, operation: str, quantity: str) -> str:
    signs = [row.at(operation=operation, quantity=quantity, dtype=dtype).tally.glyph or "·" for dtype in table.dtypes]
    return "" if set(signs) == {"·"} else "".join(signs)


def _label(row: TableRow) -> str:
    return escaped(" · ".join(part for part in (row.device, row.mode) if part != ANY), 60) or "nothing ran"


def _legend(table: ResultTable) -> str:
    quantities = ", ".join(escaped(quantity, 40) for quantity in table.quantities())
    dtypes = " ".join(escaped(short_dtype(dtype)) for dtype in table.dtypes)
    lines = [
        f"One sign per dtype ({dtypes}), one group per quantity ({quantities}); ",
        "below, the worst error found in a passing cell in u (below the normal range, 2 u for each ulp), and the worst grade. ",
        "The true worst may be larger.\n\n",
        "<details><summary>Legend</summary>\n\n",
    ]
    lines += [f"- {GLYPHS[outcome]} {outcome.value}: {MEANING[outcome]}\n" for outcome in reversed(WORST_FIRST)]
    lines += [f"- {PARTIAL} some cells pass, the others have no verdict\n"]
    lines += [f"- {GRADE_SHORT[grade]} {grade.value}: {meaning}\n" for grade, meaning in GRADE_MEANING.items()]
    return "".join([*lines, "\n</details>\n\n"])


def _listed(title: str, entries: Sequence[str], most: int) -> Iterator[Block]:
    if entries:
        yield Block(f"## {title}\n\n", entries, "\n", most)


def _gap(gap: CellGroup, noun: str) -> str:
    counted = f"{plural(len(gap.cells), noun)}: {escaped(truncate(gap.where, 3, 'groups of targets'))}"
    return f"- {GLYPHS[gap.outcome]} **{escaped(gap.framework, 60)}**: {escaped(gap.reason) or 'no reason given'} ({counted})\n"


def _cause(cause: Cause) -> str:
    level = " (should)" if cause.level == "should" else ""
    where = escaped(truncate(cause.where, 3, "groups of targets"))
    lines = [f"- {GLYPHS[cause.outcome]} **{where}**{level}, {plural(len(cause.cells), 'cell')}: "]
    lines += [f"{escaped(cause.reason) or 'no reason given'}\n"]
    names = [f"{check} ({quantities})" for check, quantities in cause.checks]
    lines += [f"  - {escaped(name)}\n" for name in names[:_MOST_FINDINGS]]
    if len(names) > _MOST_FINDINGS:
        lines += [f"  - … and {len(names) - _MOST_FINDINGS} more checks\n"]
    return "".join(lines)


def _behaviours(table: ResultTable) -> Iterator[Block]:
    found = table.behaviours
    if found:
        counted = f"{plural(len(found.asked), 'question')}, {len(found.differing)} answered in more than one way"
        opening = f"## Behaviours\n\nRecorded and compared, not judged: {counted}.\n\n<details><summary>Questions and answers</summary>\n\n"
        yield Block(opening, _answers(found), "\n</details>\n\n", 30_000)


def _answers(found: Behaviours) -> Iterator[str]:
    if found.agreed:
        yield f"- Answered in one way: {escaped(truncate([asked.check for asked in found.agreed], 60), 4000)}\n"
    for asked in found.differing:
        lines = [f"- **{escaped(asked.title, 200)}** ({escaped(asked.check, 120)})\n"]
        for answer in asked.answers:
            words = "; or ".join(escaped(each, 300) for each in answer.words[:_MOST_MESSAGES])
            more = f"; or {len(answer.words) - _MOST_MESSAGES} more messages" if len(answer.words) > _MOST_MESSAGES else ""
            lines.append(f"  - {words}{more}: {escaped(truncate(answer.where, 5, 'groups of targets'))}\n")
        yield "".join(lines)
    yield from (_gap(gap, "missing answer") for gap in found.unanswered)


def _implementations(table: ResultTable, section: Section) -> Block:
    quantities = table.quantities()
    opening = f"<details><summary>{escaped(section.title, 60)}: {plural(len(section.rows), 'row')} by implementation</summary>\n\n"
    if section.observed:
        flags = [f"{escaped(flag, 80)} ({plural(len(rows), 'row')})" for flag, rows in section.observed.items()]
        opening += f"Observed: {', '.join(flags)}.\n\n"
    if section.domains:
        said = [f"- {escaped(name, 80)} {escaped(one, 200)}\n" for name, seen in section.domains.items() for one in seen]
        opening += "".join([*said, "\n"])
    header = _header(["implementation", "operation", "device · mode", *(escaped(quantity, 40) for quantity in quantities), "pass / all"])
    return Block(opening + header, _by_implementation(table, section), "\n</details>\n\n")


def _by_implementation(table: ResultTable, section: Section) -> Iterator[str]:
    for row in section.rows:
        for operation in row.operations:
            places = [_place(table, row, operation, (quantity,)) for quantity in table.quantities()]
            name = "–" if row.implementation == ANY else escaped(row.implementation, 80)
            tally = row.at(operation=operation).tally
            yield _line([name, "–" if operation == ANY else escaped(operation, 60), _label(row), *places, tally.denominator()])


def _environment(header: Header) -> str:
    ran = header.environment
    named = ", ".join(f"{name} {value}" for name, value in ran.facts.items() if value)
    return f"- **{escaped(ran.title, 80)}** ({escaped(header.run, 80)}): {escaped(named, 1000)}\n"


def _header(names: Sequence[str]) -> str:
    return _line(names) + "|" + " --- |" * len(names) + "\n"


def _line(places: Sequence[str]) -> str:
    return "| " + " | ".join(places) + " |\n"


MAX_BYTES = 200_000
"""A step summary may hold 1 MiB; a person reads much less."""


_RESERVE = 300
"""Room for the sentences that say what is missing."""


class Block(NamedTuple):
    """A part of a page that may be cut between two of its entries, never within one, and always ends with its closing.

    Entries that are made one by one are made only as long as they fit.
    """

    opening: str
    entries: Iterable[str] = ()
    closing: str = "\n"
    most: int = MAX_BYTES


def fitted(blocks: Iterable[Block], elsewhere: str) -> str:
    """Put the blocks together in fewer than ``MAX_BYTES`` bytes; ``elsewhere`` names what holds more."""
    pieces: list[str] = []
    left, missing = MAX_BYTES - _RESERVE, False
    for block in blocks:
        room = min(block.most, left) - _size(block.opening) - _size(block.closing) - _RESERVE
        held: list[str] = []
        for entry in block.entries:
            room -= _size(entry)
            if room < 0:
                break
            held.append(entry)
        if room < 0 and not held:
            missing = True
            continue
        if room < 0:
            count = f"{len(block.entries) - len(held):,} " if isinstance(block.entries, Sequence) else ""
            held.append(f"\n*… and {count}more: see {elsewhere}.*\n")
        part = "".join([block.opening, *held, block.closing])
        pieces.append(part)
        left -= _size(part)
    if missing:
        pieces.append(f"\n*The rest is too long for this page: see {elsewhere}.*\n")
    return "".join(pieces)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
