"""The table in a terminal: the matrix in a hundred columns, its legend, the failures in a sentence each, the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from conformance.reports.causes import Cause, CellGroup
from conformance.reports.table import ANY, WORST_FIRST, ResultTable, TableRow
from conformance.reports.text import GLYPHS, PARTIAL, plural, printable, short_dtype, truncate
from conformance.results.records import Outcome

WIDTH = 100
"""The matrix is made to fit this many columns, whatever the terminal has."""

STYLES = {
    Outcome.ERROR: "bold magenta",
    Outcome.FAIL: "bold red",
    Outcome.DEVIATION: "yellow",
    Outcome.NOT_RUN: "dim",
    Outcome.UNSUPPORTED: "dim",
    Outcome.PASS: "blue",
}

_ASCII = str.maketrans({"✗": "X", "≠": "~", "✓": "+", "◐": "o", "–": "-", "·": "|", "…": ".", "√": "sqrt ", "⌀": "0", "×": "x", "→": ">"})

_Group = TypeVar("_Group", bound=CellGroup)
_COUNT_WIDTH = 15

_MOST_CAUSES = 12


def show(table: ResultTable, console: Console) -> None:
    """Print the table to the console."""
    print_parts(_parts(table, min(console.width, WIDTH)), console)


def print_parts(parts: Iterable[RenderableType], console: Console) -> None:
    """Print parts of a report in at most ``WIDTH`` columns, in plain ASCII where the console's encoding has nothing else."""
    width = min(console.width, WIDTH)
    plain = not console.encoding.lower().startswith("utf")
    for part in parts:
        if plain:
            with console.capture() as held:
                console.print(part, width=width, highlight=False)
            console.file.write(held.get().translate(_ASCII).encode("ascii", "replace").decode("ascii"))
        else:
            console.print(part, width=width, highlight=False)


def _parts(table: ResultTable, width: int) -> Iterator[RenderableType]:
    for run in table.incomplete:
        name = printable(run.header.environment.title, 60)
        yield Text(f"INCOMPLETE: the run of {name} {run.shortfall}; it left {plural(len(run.cells), 'cell')}.\n", "bold red")
    for number, operations in enumerate(_blocks(table, width)):
        yield from _matrix(table, operations, again=number > 0)
        yield Text()
    yield _legend(table)
    for title, causes in (("What does not conform", table.failures), ("Documented deviations", table.deviations)):
        most = max(3, 2 * _MOST_CAUSES // max(1, len(causes)))
        yield from _listed(title, causes, partial(_cause, most=most))
    yield from _listed("Without a verdict", table.gaps, _gap)
    if asked := table.behaviours.asked:  # the answers are long, and the written reports have them
        sentence = f"{plural(len(asked), 'question')}, {len(table.behaviours.differing)} answered in more than one way: see reports"
        yield Text.assemble(("\nBehaviours", "bold"), f", recorded and not judged: {sentence}")
    for cells in table.disagreements[:_MOST_CAUSES]:
        said = ", ".join(cell.outcome.value for cell in cells)
        yield Text(f"  runs disagree on {printable(cells[0].id, 200)}: {said}", "yellow")
    yield Text.assemble("\n", (f"{table.verdict}: {table.total.tally.denominator()}", "bold"))


def _listed(title: str, groups: Sequence[_Group], render: Callable[[_Group], RenderableType]) -> Iterator[RenderableType]:
    if groups:
        yield Text(f"\n{title}", "bold")
        yield from map(render, groups[:_MOST_CAUSES])
    if len(groups) > _MOST_CAUSES:
        yield Text(f"  … and {len(groups) - _MOST_CAUSES} more: see reports")


def _blocks(table: ResultTable, width: int) -> Iterator[tuple[str, ...]]:
    """Split the operations into blocks that each fit the width, between the labels and the row's denominator."""
    room = width - _label_width(table) - _COUNT_WIDTH
    block: list[str] = []
    used = 0
    for operation in table.operations:
        needed = _place_width(table, operation)
        if block and used + needed > room:
            yield tuple(block)
            block, used = [], 0
        block.append(operation)
        used += needed
    if block or table.sections:
        yield tuple(block)


def _label_width(table: ResultTable) -> int:
    return max((cell_len(_label(row)) for section in table.sections for row in section.modes), default=0) + 2


def _place_width(table: ResultTable, operation: str) -> int:
    glyphs = (len(table.dtypes) + 1) * len(table.quantities(operation)) - 1
    figures = [cell_len(row.at(operation=operation).accuracy) for section in table.sections for row in section.modes]
    return max(glyphs, cell_len(printable(operation, 24)), *figures, 0) + 2


def _label(row: TableRow) -> str:
    return "  " + printable(" ".join(part for part in (row.device, row.mode) if part != ANY) or "nothing ran", 28)


def _matrix(table: ResultTable, operations: Sequence[str], *, again: bool) -> Iterator[RenderableType]:
    """One block of columns; what is said of whole sections is not said again in the blocks that follow."""
    widths = [_label_width(table), *(_place_width(table, operation) for operation in operations)]
    yield _line(widths, [Text(), *(Text(printable(operation, 24), "bold") for operation in operations), Text("pass/all", "dim")])
    for section in table.sections:
        ran = [row for row in section.modes if not row.absent]
        if not again:
            style = STYLES[section.summary.tally.worst or Outcome.NOT_RUN] if section.verdict == "does not conform" else ""
            title = (f"{printable(section.title, 40)}: ", "bold")
            yield Text.assemble(title, (section.verdict, style), (f" · {section.denominator}", "dim"))
            yield from (indented(f"{_label(row).strip()}: not run: {printable(row.absent, 200)}", 2) for row in section.modes if row.absent)
        elif ran:
            yield Text(printable(section.title, 40), "bold")
        for row in ran:
            tally = row.summary.tally
            count = Text(f"{tally[Outcome.PASS]:,}/{tally.total:,}", "dim")
            yield _line(widths, [Text(_label(row)), *(_glyphs(table, row, operation) for operation in operations), count])
            measured = [Text(row.at(operation=operation).accuracy, "dim") for operation in operations]
            if any(measured):
                yield _line(widths, [Text(), *measured])
        if section.observed and not again:
            yield indented(f"observed: {', '.join(printable(flag, 80) for flag in section.observed)}", 2)
        if not again:
            yield from (
                indented(f"{printable(name, 40)} {printable(said, 200)}", 2) for name, seen in section.domains.items() for said in seen
            )


def _line(widths: Sequence[int], texts: Sequence[Text]) -> Text:
    """Put the texts side by side, each padded to its width; the last one needs none."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for text, width in zip(texts, [*widths, 0], strict=False):
        line.append_text(text)
        line.append(" " * (width - cell_len(text.plain)))
    line.rstrip()
    return line


def _glyphs(table: ResultTable, row: TableRow, operation: str) -> Text:
    place = Text()
    for position, quantity in enumerate(table.quantities(operation)):
        place.append(" " if position else "")
        for dtype in table.dtypes:
            tally = row.at(operation=operation, quantity=quantity, dtype=dtype).tally
            place.append(tally.glyph or " ", STYLES[tally.worst] if tally.worst else "")
    return place


def _legend(table: ResultTable) -> Group:
    signs = [Text.assemble((GLYPHS[outcome], STYLES[outcome]), f" {outcome.value.replace('-', ' ')}") for outcome in reversed(WORST_FIRST)]
    lines = [Text("  ").join([*signs, Text(f"{PARTIAL} passes where it could run")])]
    if table.dtypes:
        dtypes = " ".join(short_dtype(dtype) for dtype in table.dtypes)
        quantities = ", ".join(printable(quantity, 30) for quantity in table.quantities())
        lines.append(Text(f"One sign per dtype ({dtypes}), one group per quantity ({quantities}).", "dim"))
        lines.append(
            Text("Below: the worst error found in a passing cell, in u, and the worst grade; the true worst may be larger.", "dim")
        )
    return Group(*lines)


def _cause(cause: Cause, most: int) -> RenderableType:
    where = Text(f"{truncate(cause.where, 3, 'groups of targets')} ({plural(len(cause.cells), 'cell')})", "bold")
    lines: list[RenderableType] = [hanging(cause.outcome, where + Text(" should" if cause.level == "should" else ""))]
    if len({finding.reason for finding in cause.findings}) == 1:
        lines.append(indented(printable(cause.reason, 300) or "no reason given"))
        sentences = [f"{printable(check, 120)}: {printable(names, 120)}" for check, names in cause.checks]
    else:
        sentences = [_sentence(finding) for finding in cause.findings]
    lines += [indented(sentence) for sentence in sentences[:most]]
    if len(sentences) > most:
        lines.append(indented(f"… and {len(sentences) - most} more: see reports"))
    return Group(*lines)


def _gap(gap: CellGroup) -> RenderableType:
    reason = printable(gap.reason, 200) or "no reason given"
    return hanging(gap.outcome, Text(f"{printable(gap.framework, 40)}: {reason} ({plural(len(gap.cells), 'cell')})"))


def _sentence(finding: CellGroup) -> str:
    named = finding.quantity in finding.reason
    return f"{printable(finding.check, 120)}{'' if named else f', {printable(finding.quantity, 40)}'}: {printable(finding.reason, 300)}"


def hanging(outcome: Outcome | None, sentence: Text) -> RenderableType:
    """A sentence beside the sign of its outcome; a dot where there is none."""
    grid = Grid.grid(padding=(0, 1))
    grid.add_row(Text(" "), Text(GLYPHS[outcome], STYLES[outcome]) if outcome else Text("·", "dim"), sentence)
    return grid


def indented(sentence: str, by: int = 4) -> RenderableType:
    """A sentence below one that hangs beside a sign."""
    return Padding(Text(sentence, "dim" if by < 4 else ""), (0, 0, 0, by), expand=False)
