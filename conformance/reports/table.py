"""The table model: every judged cell of any number of results files, in rows and columns. Every report is a rendering of it.

Rows are targets: per framework and version, one row per implementation, device and mode, and one row per device and mode over all
implementations. Columns are operation × quantity; the dtype is the third axis, inside a place. Nothing here renders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from packaging.version import Version

from conformance.frameworks.domain import is_observation
from conformance.reports.behaviours import Behaviours, behaviours, is_judged
from conformance.reports.causes import Cause, CellGroup, causes, gaps
from conformance.reports.text import GLYPHS, PARTIAL, accuracy_in_words, dtype_order, group_by, without_numbers
from conformance.results.reading import Results
from conformance.results.records import Cell, Grade, Outcome

ANY = "*"
"""What a target, an operation or a quantity is called where nothing could be enumerated."""

_MOST_CAUSES = 1000
"""As many causes go into the plain types; the cells of all of them are in the results files."""

_OF_OPERATIONS = ("value", "gradient/prediction", "gradient/target", "gradient/weight", "curvature", "shape", "dtype")
_QUANTITIES = (*_OF_OPERATIONS, "parameters", "gradient/parameters", "loss", "evaluation", "metric")


class Column(NamedTuple):
    """What is computed and what of it is compared."""

    operation: str
    quantity: str


@dataclass(frozen=True)
class TableRow:
    """The cells of one implementation on one device in one mode, over dtypes; without a name, of all implementations there."""

    implementation: str
    entry: str
    device: str
    mode: str
    cells: tuple[Cell, ...]

    @cached_property
    def summary(self) -> Summary:
        """All cells of the row."""
        return Summary(self.cells)

    @cached_property
    def _index(self) -> Mapping[tuple[str, str, str], Sequence[Cell]]:
        """The cells of each operation, quantity and dtype."""
        return group_by(self.cells, lambda cell: (cell.operation, cell.quantity, cell.target.dtype))

    @cached_property
    def _summaries(self) -> dict[tuple[str | None, str | None, str | None], Summary]:
        return {}

    def at(self, *, operation: str | None = None, quantity: str | None = None, dtype: str | None = None) -> Summary:
        """Summarize the cells of the row at an operation, a quantity and a dtype; what is left out is not restricted."""
        wanted = (operation, quantity, dtype)
        if wanted not in self._summaries:  # several reports ask for the same ones
            found = (cells for key, cells in self._index.items() if all(w in (None, k) for w, k in zip(wanted, key, strict=True)))
            self._summaries[wanted] = Summary(tuple(chain.from_iterable(found)))
        return self._summaries[wanted]

    @property
    def absent(self) -> str:
        """Why nothing of the row ran; empty if anything did."""
        ran = any(cell.outcome is not Outcome.NOT_RUN for cell in self.cells)
        return "" if ran else (self.cells[0].reason if self.cells else "") or "no reason given"

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that the row's cells are about."""
        return _distinct(operation for operation, _, _ in self._index)


@dataclass(frozen=True)
class Section:
    """One framework in one version: its rows, and how complete its runs are.

    ``run`` is empty unless the same cells were recorded by more than one run; then each run is a section of its own.
    """

    framework: str
    version: str
    run: str
    cells: tuple[Cell, ...]
    results: tuple[Results, ...]

    @property
    def title(self) -> str:
        """``torch 2.13.0``."""
        version = "" if self.version == ANY else self.version
        return " ".join(part for part in (self.framework, version, f"(run {self.run})" if self.run else "") if part)

    @cached_property
    def summary(self) -> Summary:
        """All cells of the framework."""
        return Summary(self.cells)

    @property
    def complete(self) -> bool:
        """Whether every run that these cells come from reached its end."""
        return all(part.complete for part in self.results)

    @property
    def verdict(self) -> str:
        """What the framework may call itself, in words: only a complete run without a failure conforms."""
        tally = self.summary.tally
        if self.summary.broken:
            return "does not conform"
        if not self.complete:
            return "incomplete"
        if not tally[Outcome.PASS] and not tally[Outcome.DEVIATION]:
            return "not run"
        return "conforms with deviations" if tally[Outcome.DEVIATION] else "conforms"

    @property
    def state(self) -> Outcome:
        """The outcome whose sign and colour stand for the verdict."""
        if self.summary.broken:
            return Outcome.FAIL
        return {"conforms": Outcome.PASS, "conforms with deviations": Outcome.DEVIATION}.get(self.verdict, Outcome.NOT_RUN)

    @property
    def denominator(self) -> str:
        """The passes, all cells, and where the difference went; said of an incomplete run, only of what it has so far."""
        return self.summary.tally.denominator() + ("" if self.complete else " so far")

    @cached_property
    def rows(self) -> tuple[TableRow, ...]:
        """One row per implementation, device and mode."""
        entries = {name: entry for part in self.results for name, entry in part.header.entries.items()}
        grouped = group_by(self.cells, lambda cell: (cell.target.implementation, cell.target.device, cell.target.mode))
        operations = _distinct(cell.operation for cell in self.cells)
        rows = [TableRow(name, entries.get(name, name), device, mode, tuple(cells)) for (name, device, mode), cells in grouped.items()]
        return tuple(sorted(rows, key=lambda r: (operations.index(r.operations[0]), r.implementation, *_place(r))))

    @cached_property
    def modes(self) -> tuple[TableRow, ...]:
        """One row per device and mode, over all implementations."""
        grouped = group_by(self.cells, lambda cell: (cell.target.device, cell.target.mode))
        return tuple(sorted((TableRow("", "", device, mode, tuple(cells)) for (device, mode), cells in grouped.items()), key=_place))

    @cached_property
    def observed(self) -> Mapping[str, tuple[TableRow, ...]]:
        """Each flag (a policy that was measured, such as flushing subnormals) and the rows that raise it.

        Of flags that differ in their numbers only, the one with the largest numbers stands for all.
        """
        flags = ((flag, row) for row in self.rows for flag in row.summary.flags if not is_observation(flag))
        raised = group_by(flags, lambda pair: without_numbers(pair[0]))
        return {
            _largest([flag for flag, _ in alike]): tuple({id(row): row for _, row in alike}.values()) for _, alike in sorted(raised.items())
        }

    @cached_property
    def domains(self) -> Mapping[str, tuple[str, ...]]:
        """What was observed of the undeclared domains of subjects, by implementation."""
        found = group_by(
            ((row.implementation, flag) for row in self.rows for flag in row.summary.flags if is_observation(flag)), lambda pair: pair[0]
        )
        return {name: _distinct(flag for _, flag in pairs) for name, pairs in found.items()}


@dataclass(frozen=True)
class ResultTable:
    """The compatibility matrix and all that is said below it. What is only recorded is in ``behaviours``, and in nothing else."""

    results: tuple[Results, ...]
    sections: tuple[Section, ...]
    columns: tuple[Column, ...]
    dtypes: tuple[str, ...]
    disagreements: tuple[tuple[Cell, ...], ...] = field(default=())
    """Cells of one id and framework version that different runs judged differently."""

    @classmethod
    def of(cls, results: Iterable[Results]) -> ResultTable:
        """Arrange the cells of these results, none of them lost: what two runs both recorded is shown twice."""
        parts = tuple(results)
        cells = [cell for part in parts for cell in part.cells if is_judged(cell)]
        repeated = group_by(cells, lambda cell: (cell.id, cell.target.version)).values()
        operations = sorted(_distinct(cell.operation for cell in cells), key=lambda operation: not operation.endswith("/mean"))
        columns = sorted(
            {Column(cell.operation, cell.quantity) for cell in cells if ANY not in (cell.operation, cell.quantity)},
            key=lambda column: (operations.index(column.operation), *_quantity_order(column.quantity)),
        )
        return cls(
            parts,
            tuple(_sections(parts)),
            tuple(columns),
            tuple(sorted({cell.target.dtype for cell in cells} - {ANY}, key=dtype_order)),
            tuple(tuple(same) for same in repeated if len({cell.outcome for cell in same}) > 1),
        )

    @cached_property
    def total(self) -> Summary:
        """Every cell of every part."""
        return Summary(tuple(cell for section in self.sections for cell in section.cells))

    @property
    def names(self) -> list[str]:
        """What each section is called: its framework, unless there are several of it."""
        frameworks = [section.framework for section in self.sections]
        return [section.framework if frameworks.count(section.framework) == 1 else section.title for section in self.sections]

    def quantities(self, operation: str | None = None) -> tuple[str, ...]:
        """The quantities of an operation, or of all of them, in the order of the columns."""
        return _distinct(column.quantity for column in self.columns if operation in (None, column.operation))

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations, in the order of the columns."""
        return _distinct(column.operation for column in self.columns)

    def entry(self, cell: Cell) -> str:
        """The entry point of the cell's implementation as a person writes it; its name where that is not known."""
        target = cell.target
        here = (part.header.entries for part in self.results if part.header.environment.framework == target.framework)
        return next((entries[target.implementation] for entries in here if target.implementation in entries), target.implementation)

    @property
    def incomplete(self) -> tuple[Results, ...]:
        """The runs that did not reach their end."""
        return tuple(part for part in self.results if not part.complete)

    @cached_property
    def failures(self) -> tuple[Cause, ...]:
        """What fails or ends in an error, by cause."""
        return causes(self.total.cells, *BROKEN)

    @cached_property
    def deviations(self) -> tuple[Cause, ...]:
        """The documented departures that were seen, by cause."""
        return causes(self.total.cells, Outcome.DEVIATION)

    @cached_property
    def gaps(self) -> tuple[CellGroup, ...]:
        """What did not run or is unsupported, by framework and reason."""
        return gaps(self.total.cells, *NO_VERDICT)

    @cached_property
    def behaviours(self) -> Behaviours:
        """What was asked and not judged."""
        return behaviours(cell for part in self.results for cell in part.cells)

    @property
    def conforms(self) -> bool:
        """Whether something passed, nothing that must pass broke, and every run reached its end."""
        return bool(self.total.tally[Outcome.PASS]) and not self.total.broken and not self.incomplete

    @property
    def verdict(self) -> str:
        """All of it in two or three words."""
        if self.total.broken:
            return "does not conform"
        if self.incomplete:
            return "incomplete"
        return ("conforms with deviations" if self.deviations else "conforms") if self.conforms else "nothing ran"

    def summary(self) -> dict[str, object]:
        """Put the table into plain types, for programs."""
        return {
            "format": 1,
            "conforms": self.conforms,
            "total": self.total.as_dict(),
            "incomplete": [str(part.path) for part in self.incomplete],
            "frameworks": [_section_as_dict(section, self.columns, self.dtypes) for section in self.sections],
            "failures": [_cause_as_dict(cause) for cause in self.failures[:_MOST_CAUSES]],
            "failures_left_out": max(0, len(self.failures) - _MOST_CAUSES),
            "deviations": [_cause_as_dict(cause) for cause in self.deviations[:_MOST_CAUSES]],
            "deviations_left_out": max(0, len(self.deviations) - _MOST_CAUSES),
            "gaps": [
                {
                    "framework": gap.framework,
                    "outcome": gap.outcome.value,
                    "reason": gap.reason,
                    "cells": len(gap.cells),
                    "targets": gap.where,
                }
                for gap in self.gaps
            ],
            "disagreements": [
                {"cell": cells[0].id, "version": cells[0].target.version, "outcomes": [c.outcome.value for c in cells]}
                for cells in self.disagreements
            ],
            "behaviours": [asked.as_dict() for asked in self.behaviours.asked],
        }


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _largest(flags: Sequence[str]) -> str:
    """The flag with the largest numbers, said to be the largest of many if it is."""
    largest = max(flags, key=lambda flag: ([float(number) for number in re.findall(r"\d{1,300}", flag)], flag))
    return largest if len(set(flags)) == 1 else f"{largest} (the largest of {len(set(flags))})"


def _quantity_order(quantity: str) -> tuple[int, str]:
    return (_QUANTITIES.index(quantity) if quantity in _QUANTITIES else len(_QUANTITIES), quantity)


def _place(row: TableRow) -> tuple[bool, str, bool, str]:
    """Sort the CPU and eager execution first: what everything else is compared with."""
    return (row.device != "cpu", row.device, row.mode != "eager", row.mode)


def _sections(parts: Sequence[Results]) -> list[Section]:
    """Group cells by framework and version; a run that repeats a cell which another one has already gets a section of its own."""
    grouped: dict[tuple[str, str], list[tuple[Results, tuple[Cell, ...]]]] = {}
    for part in parts:
        held = group_by(filter(is_judged, part.cells), lambda cell: (cell.target.framework, part.version_of(cell)))  # noqa: B023 - called at once
        for key in held or {(part.header.environment.framework, part.header.environment.version): []}:
            grouped.setdefault(key, []).append((part, tuple(held.get(key, ()))))
    sections = []
    for (framework, version), shares in sorted(grouped.items(), key=lambda item: (item[0][0], release(item[0][1]))):
        lanes = _lanes(shares)
        for lane in lanes:
            cells = tuple(cell for _, share in lane for cell in share)
            run = lane[0][0].header.run if len(lanes) > 1 else ""
            sections.append(Section(framework, version, run, cells, tuple(part for part, _ in lane)))
    return sections


def release(version: str) -> tuple[bool, Version | str]:
    """Sort 2.9 before 2.13, and what is no version by its letters after those that are."""
    try:
        return (False, Version(version))
    except ValueError:  # InvalidVersion is one, and so is a number of too many digits
        return (True, version)


def _lanes(shares: Sequence[tuple[Results, tuple[Cell, ...]]]) -> list[list[tuple[Results, tuple[Cell, ...]]]]:
    """Put shares side by side in a lane as long as they have no cell in common."""
    lanes: list[tuple[set[str], list[tuple[Results, tuple[Cell, ...]]]]] = []
    for part, cells in shares:
        ids = {cell.id for cell in cells}
        free = next((lane for lane in lanes if lane[0].isdisjoint(ids)), None)
        if free is None:
            free = (set(), [])
            lanes.append(free)
        free[0].update(ids)
        free[1].append((part, cells))
    return [members for _, members in lanes]


def _section_as_dict(section: Section, columns: Sequence[Column], dtypes: Sequence[str]) -> dict[str, object]:
    return {
        "framework": section.framework,
        "version": section.version,
        "run": section.run,
        "complete": section.complete,
        "verdict": section.verdict,
        "total": section.summary.as_dict(),
        "rows": [
            {
                "implementation": row.implementation,
                "entry": row.entry,
                "device": row.device,
                "mode": row.mode,
                "total": row.summary.as_dict(),
                "places": [
                    {"operation": column.operation, "quantity": column.quantity, "dtype": dtype, **place.as_dict()}
                    for column in columns
                    for dtype in dtypes
                    if (place := row.at(operation=column.operation, quantity=column.quantity, dtype=dtype))
                ],
            }
            for row in section.rows
        ],
    }


def _cause_as_dict(cause: Cause) -> dict[str, object]:
    representative = cause.representative
    return {
        "outcome": cause.outcome.value,
        "level": cause.level,
        "reason": cause.reason,
        "targets": cause.where,
        "findings": [
            {"check": found.check, "quantity": found.quantity, "reason": found.reason, "cells": [cell.id for cell in found.cells]}
            for found in cause.findings
        ],
        "replay": representative.id,
        "witness": representative.witness.model_dump(mode="json", exclude_defaults=True) if representative.witness else None,
    }


WORST_FIRST = (Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.NOT_RUN, Outcome.UNSUPPORTED, Outcome.PASS)
"""The order in which outcomes are shown, and in which one of many stands for all."""


BROKEN = (Outcome.ERROR, Outcome.FAIL)
NO_VERDICT = (Outcome.NOT_RUN, Outcome.UNSUPPORTED)
BEST_GRADE_FIRST = tuple(Grade)


class OutcomeCounts(dict[Outcome, int]):
    """How many cells there are of each outcome. The six are counted apart and always add up to the total."""

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> OutcomeCounts:
        """Count the outcomes of these cells."""
        counted = Counter(cell.outcome for cell in cells)
        return cls({outcome: counted[outcome] for outcome in WORST_FIRST})

    @property
    def total(self) -> int:
        """Every cell, whatever its outcome."""
        return sum(self.values())

    @property
    def worst(self) -> Outcome | None:
        """The worst outcome that occurs; None where there is no cell."""
        return next((outcome for outcome in WORST_FIRST if self[outcome]), None)

    @property
    def partial(self) -> bool:
        """Whether some cells pass and the others have no verdict."""
        return bool(self[Outcome.PASS]) and self.worst in NO_VERDICT

    @property
    def glyph(self) -> str:
        """The sign of the worst outcome, or the half circle where all that could run passes."""
        return "" if self.worst is None else PARTIAL if self.partial else GLYPHS[self.worst]

    def denominator(self) -> str:
        """``186/221 · 17 unsupported · 18 not run``: the passes, all cells, and where the difference went."""
        words = {Outcome.DEVIATION: "deviation", Outcome.NOT_RUN: "not run"}
        apart = [(count, words.get(outcome, outcome.value)) for outcome, count in self.items() if count and outcome is not Outcome.PASS]
        named = [f"{count:,} {word}{'s' if word in ('error', 'deviation') and count > 1 else ''}" for count, word in apart]
        return " · ".join([f"{self[Outcome.PASS]:,}/{self.total:,}", *named])


def error_in_u(cell: Cell) -> float:
    """The cell's error in u, at most two for each ulp.

    Among normal numbers an ulp is never more than 2 u, so this changes nothing. Below them the distance of two neighbours
    is nearly all of their size, and an error relative to that size would drown every other one in the place.
    """
    error = cell.error_u or 0.0
    return error if cell.error_ulp is None else min(error, 2 * cell.error_ulp)


@dataclass(frozen=True)
class Summary:
    """What a number of cells come to."""

    cells: tuple[Cell, ...]

    def __bool__(self) -> bool:
        return bool(self.cells)

    @cached_property
    def tally(self) -> OutcomeCounts:
        """The outcomes, counted."""
        return OutcomeCounts.of(self.cells)

    @cached_property
    def worst_error_u(self) -> float | None:
        """The worst error found in a passing cell, in u: a lower bound of the true one."""
        measured = (error_in_u(cell) for cell in self.cells if cell.outcome is Outcome.PASS and cell.error_u is not None)
        return max(measured, default=None)

    @cached_property
    def worst_grade(self) -> Grade | None:
        """The worst grade among the cells that have one."""
        return max((cell.grade for cell in self.cells if cell.grade), key=BEST_GRADE_FIRST.index, default=None)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Every flag raised by any cell."""
        return tuple(sorted({flag for cell in self.cells for flag in cell.flags}))

    @cached_property
    def broken(self) -> int:
        """How many cells that must pass fail or end in an error."""
        return sum(cell.level == "must" and cell.outcome in BROKEN for cell in self.cells)

    @property
    def accuracy(self) -> str:
        """The worst error and the worst grade, in words."""
        return accuracy_in_words(self.worst_error_u, self.worst_grade)

    def as_dict(self) -> dict[str, object]:
        """Put the summary into plain types."""
        return {
            "outcomes": {outcome.value: count for outcome, count in self.tally.items() if count},
            "total": self.tally.total,
            "worst": self.tally.worst.value if self.tally.worst else None,
            "worst_error_u": self.worst_error_u,
            "worst_grade": self.worst_grade.value if self.worst_grade else None,
            "flags": list(self.flags),
            "denominator": self.tally.denominator(),
        }
