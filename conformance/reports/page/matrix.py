"""Places of the page's matrix: the marks of each dtype, said in words for those who do not see them, and what was measured there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from conformance.reports.page.cells import LETTERS, rounded
from conformance.reports.table import ANY, BEST_GRADE_FIRST, ResultTable, Section, Summary, TableRow
from conformance.reports.text import GRADE_SHORT, format_error, group_by, plural, printable


class Mark(NamedTuple):
    """One dtype in a place of the matrix."""

    glyph: str
    style: str


class MatrixEntry(NamedTuple):
    """A place of the matrix."""

    marks: tuple[Mark, ...]
    words: str
    error: str
    grade: str
    step: int


class OperationRow(NamedTuple):
    """The targets of an operation of which the same is to be told: a place for each quantity. ``absent``: why none of them ran."""

    implementations: tuple[str, ...]
    where: tuple[str, ...]
    places: tuple[MatrixEntry | None, ...]
    absent: str
    denominator: str


class OperationTable(NamedTuple):
    """All there is about one operation: a column for each quantity, a row for each target, dtypes inside; what could not be named apart."""

    operation: str
    summary: Summary
    quantities: tuple[str, ...]
    groups: tuple[tuple[str, tuple[OperationRow, ...]], ...]
    absent: tuple[str, ...]

    def first(self, most: int) -> OperationTable:
        """The same with so many rows at most."""
        groups, left = [], most
        for title, rows in self.groups:
            groups.append((title, rows[:left]))
            left -= len(rows[:left])
        return self._replace(groups=tuple(group for group in groups if group[1]))

    @property
    def size(self) -> int:
        """How many rows it has."""
        return sum(len(rows) for _, rows in self.groups)


def place(dtypes: Sequence[str], row: TableRow, operation: str | None, quantity: str | None) -> MatrixEntry | None:
    """One place; None where there is no cell."""
    whole = row.at(operation=operation, quantity=quantity)
    if not whole:
        return None
    held = [(dtype, row.at(operation=operation, quantity=quantity, dtype=dtype)) for dtype in (*dtypes, ANY)]
    shown = held[:-1] if any(summary for _, summary in held[:-1]) else held[-1:]
    grade = whole.worst_grade
    occurring = [(dtype, summary.tally) for dtype, summary in held if summary.tally.worst]
    said = group_by(occurring, lambda pair: "passes where it could run" if pair[1].partial else str(pair[1].worst))
    words = [f"{outcome} in {printable(', '.join(dtype for dtype, _ in alike), 200)}" for outcome, alike in said.items()]
    return MatrixEntry(
        tuple(Mark(t.glyph, "" if t.worst is None else "h" if t.partial else LETTERS[t.worst]) for t in (s.tally for _, s in shown)),
        "; ".join(words if len(said) > 1 else said),
        f"{format_error(rounded(whole.worst_error_u))} u" if whole.worst_error_u is not None else "",
        GRADE_SHORT[grade] if grade else "",
        BEST_GRADE_FIRST.index(grade) + 1 if grade else 0,
    )


def overview(table: ResultTable) -> list[tuple[str, Summary, list[MatrixEntry | None]]]:
    """The matrix at its widest: a row for each operation, a place for each section."""
    whole = [TableRow("", "", "", "", section.cells) for section in table.sections]
    return [
        (
            operation,
            Summary(tuple(cell for row in whole for cell in row.at(operation=operation).cells)),
            [place(table.dtypes, row, operation, None) for row in whole],
        )
        for operation in table.operations
    ]


def by_operation(table: ResultTable) -> list[OperationTable]:
    """The same in full, operation by operation: what a page without scripts has to offer. Versions that are alike share their rows."""
    rows = [(section, row) for section in table.sections for row in section.rows]
    return [_operation(table, operation, rows) for operation in table.operations]


def _operation(table: ResultTable, operation: str, rows: Sequence[tuple[Section, TableRow]]) -> OperationTable:
    quantities = table.quantities(operation)
    here = [(section, row) for section, row in rows if operation in row.operations]
    named = [(section, row) for section, row in here if row.implementation != ANY]
    absent: Counter[str] = Counter()
    for section, row in here:
        if row.implementation == ANY:
            absent[f"{printable(section.framework, 60)} {printable(row.device, 40)}"] += len(row.at(operation=operation).cells)
    return OperationTable(
        operation,
        Summary(tuple(cell for _, row in here for cell in row.at(operation=operation).cells)),
        quantities,
        _versions(
            (section, _once(_operation_row(table, operation, quantities, row) for _, row in rows))
            for section, rows in groupby(named, key=itemgetter(0))
        ),
        tuple(f"{where}: {plural(cells, 'cell')}" for where, cells in absent.items()),
    )


def _operation_row(table: ResultTable, operation: str, quantities: Sequence[str], row: TableRow) -> OperationRow:
    places = tuple(place(table.dtypes, row, operation, quantity) for quantity in quantities)
    where = row.device if row.mode == ANY else f"{row.device} {row.mode}"
    return OperationRow((row.implementation,), (where,), places, row.absent, row.at(operation=operation).tally.denominator())


def _once(rows: Iterable[OperationRow]) -> tuple[OperationRow, ...]:
    """What is the same in several modes of an implementation is told once, and then what is the same for several implementations."""
    modes: dict[OperationRow, list[str]] = {}
    for row in rows:
        modes.setdefault(row._replace(where=()), []).extend(row.where)
    names: dict[OperationRow, list[str]] = {}
    for row, where in modes.items():
        names.setdefault(row._replace(implementations=(), where=tuple(where)), []).extend(row.implementations)
    return tuple(row._replace(implementations=tuple(held)) for row, held in names.items())


def _versions(groups: Iterable[tuple[Section, tuple[OperationRow, ...]]]) -> tuple[tuple[str, tuple[OperationRow, ...]], ...]:
    """What is the same in several versions of a framework is told once, below the names of them all."""
    pairs = ((section, row) for section, rows in groups for row in rows)
    alike = group_by(pairs, lambda pair: (pair[0].framework, pair[1]))
    told: dict[str, list[OperationRow]] = {}
    for (framework, row), ((first, _), *others) in alike.items():
        title = ", ".join([first.title, *(other.title.removeprefix(framework).strip() for other, _ in others)])
        told.setdefault(title, []).append(row)
    return tuple((title, tuple(rows)) for title, rows in told.items())
