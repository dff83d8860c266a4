"""Every judged cell in columns, small enough to travel inside the page: each distinct thing once, each cell a row of numbers.

Plain passes are an outcome, an error and a grade. The inputs that go with a cell are kept for all that does not pass, and for the worst
error of each place; those of pinned cases come from the background. Every string is made visible here; the page's script shows text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.reports.diff.groups import Change
from conformance.reports.reproduce import is_whole, literal, template
from conformance.reports.table import BEST_GRADE_FIRST, NO_VERDICT, ResultTable, error_in_u
from conformance.reports.text import format_error, group_by, printable, shortest
from conformance.results.records import Cell, Outcome, Witness

if TYPE_CHECKING:
    from conformance.reports.background import Background, Pinned  # imports the checks

LETTERS = {
    Outcome.ERROR: "e",
    Outcome.FAIL: "f",
    Outcome.DEVIATION: "d",
    Outcome.NOT_RUN: "n",
    Outcome.UNSUPPORTED: "u",
    Outcome.PASS: "p",
}
"""One letter for each outcome: in the columns, and as the name of its style."""

_ARRAYS = ("prediction", "target", "weight", "upstream")


class DetailLevel(NamedTuple):
    """How much of the details is kept: so many witnesses, pinned inputs and programs or not, reasons of so many characters."""

    witnesses: int
    background: bool
    reason: int


_LESS_AND_LESS = (
    DetailLevel(10**9, background=True, reason=500),
    DetailLevel(2000, background=False, reason=300),
    DetailLevel(0, background=False, reason=60),
)


class EncodedCells(NamedTuple):
    """The columns as text for the page, and how many cells with a witness had to go without it."""

    text: str
    without: int


_seen = lru_cache(maxsize=50_000)(printable)
"""The same words come many thousand times."""


class _Distinct(dict[Hashable, int]):
    """Each distinct thing once, numbered in the order of its first appearance."""

    def __missing__(self, key: Hashable) -> int:
        self[key] = len(self)
        return self[key]


def rounded(error: float | None) -> float | None:
    """Three significant digits: as much as the page has of an error."""
    return None if error is None else float(f"{error:.3g}")


def encode(table: ResultTable, background: Background | None, budget: int, changes: Sequence[Change] = ()) -> EncodedCells:
    """The cells of the table, gzipped and in base64; with fewer details if it would be more characters than the budget.

    ``changes``: what became of cells since an earlier run, which is said of those that are here.
    """
    found = EncodedCells("", 0)
    for keep in _LESS_AND_LESS:
        document, without = _Document(table, background, keep, changes).made()
        plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        found = EncodedCells(base64.b64encode(gzip.compress(plain, 9, mtime=0)).decode(), without)
        if len(found.text) <= budget:
            break
    return found


@dataclass
class _Document:
    table: ResultTable
    background: Background | None
    keep: DetailLevel
    changes: Sequence[Change] = ()
    implementations: _Distinct = field(default_factory=_Distinct)
    targets: _Distinct = field(default_factory=_Distinct)
    checks: _Distinct = field(default_factory=_Distinct)
    pairs: _Distinct = field(default_factory=_Distinct)
    operations: _Distinct = field(default_factory=_Distinct)
    quantities: _Distinct = field(default_factory=_Distinct)
    reasons: _Distinct = field(default_factory=_Distinct)
    flags: _Distinct = field(default_factory=_Distinct)
    arrays: _Distinct = field(default_factory=_Distinct)
    written: dict[tuple[str, ...], int] = field(default_factory=dict)
    lines: _Distinct = field(default_factory=_Distinct)
    templates: _Distinct = field(default_factory=_Distinct)
    programs: dict[str, int] = field(default_factory=dict)
    roundings: _Distinct = field(default_factory=_Distinct)
    derivations: dict[str, Any] = field(default_factory=dict)

    def made(self) -> tuple[dict[str, Any], int]:
        """The whole document, in plain types, and how many witnesses are left out."""
        for column in self.table.columns:
            self.operations[_seen(column.operation, 80)]
            self.quantities[_seen(column.quantity, 40)]
        targets, bare = self._ordered()
        values = sorted({v for cell in bare for v in _measured(cell) if v is not None})
        number = {value: index for index, value in enumerate(values)}
        measured = [[-1 if v is None else number[v] for v in _measured(cell)] for cell in bare]
        columns = {
            "target": _runs(targets),
            "pair": [self._pair(cell) for cell in bare],
            "outcome": "".join(LETTERS[cell.outcome] for cell in bare),
            "reason": _runs(self.reasons[_seen(cell.reason, self.keep.reason)] for cell in bare),
            "flags": _runs(self.flags[tuple(_seen(flag, 80) for flag in cell.flags[:20])] for cell in bare),
            "error": [row[0] for row in measured],
            "ulp": [row[1] for row in measured],
            "share": [row[2] for row in measured],
            "grade": "".join(str(BEST_GRADE_FIRST.index(cell.grade) + 1) if cell.grade else "0" for cell in bare),
        }
        chosen, without = _chosen(targets, bare, self.keep.witnesses)
        details = [[index, *self._witness(bare[index], targets[index])] for index in chosen]
        pinned = self._pinned(targets, bare)
        sections = [
            [printable(name, 80), _seen(section.title, 80), section.verdict, _seen(section.framework, 80)]
            for name, section in zip(self.table.names, self.table.sections, strict=True)
        ]
        return {
            "sections": sections,
            "dtypes": [_seen(dtype, 40) for dtype in self.table.dtypes],
            "operations": list(self.operations),
            "quantities": list(self.quantities),
            "implementations": [list(key) for key in self.implementations],  # type: ignore[call-overload]  # all keys here are tuples
            "targets": list(self.targets),
            "checks": list(self.checks),
            "said": self._said(),
            "pairs": list(self.pairs),
            "reasons": list(self.reasons),
            "flags": list(self.flags),
            "values": values,
            "figures": [format_error(value) for value in values],
            "cells": columns,
            "details": details,
            "pinned": pinned,
            "arrays": list(self.arrays),
            "lines": list(self.lines),
            "templates": list(self.templates),
            "programs": self.programs,
            "roundings": list(self.roundings),
            "derivations": self.derivations,
            "changed": self._changed(bare),
        }, without

    def _changed(self, cells: Sequence[Cell]) -> list[list[Any]]:
        """The cells that are otherwise than in the earlier run: what that means, and what it was then."""
        held = {(change.new.id, change.new.target.version): change for change in self.changes if change.new}
        found = ((index, held.get((cell.id, cell.target.version))) for index, cell in enumerate(cells))
        return [[index, change.category.value, _seen(change.before, 300)] for index, change in found if change]

    def _ordered(self) -> tuple[list[int], list[Cell]]:
        """The cells by section and target, so that equal things stand beside each other; and the target of each."""
        targets: list[int] = []
        cells: list[Cell] = []
        for place, section in enumerate(self.table.sections):
            for members in group_by(section.cells, lambda cell: cell.target).values():
                targets += [self._target(place, members[0])] * len(members)
                cells += members
        return targets, cells

    def _target(self, section: int, cell: Cell) -> int:
        target = cell.target
        named = self.implementations[(_seen(target.implementation, 120), _seen(self.table.entry(cell), 400))]
        return self.targets[
            (section, _seen(target.framework, 80), named, *(_seen(w, 40) for w in (target.device, target.mode, target.dtype)))
        ]

    def _check(self, cell: Cell) -> int:
        return self.checks[(_seen(cell.check, 200), cell.kind, cell.level, self.operations[_seen(cell.operation, 80)])]

    def _pair(self, cell: Cell) -> int:
        return self.pairs[(self._check(cell), self.quantities[_seen(cell.quantity, 40)])]

    def _said(self) -> list[Any]:
        """Of each check: why it is there, its source, what goes wrong without it; nothing where it is not known."""
        said = self.background.said if self.background else lambda _: None
        known = (said(check[0]) for check in self.checks)  # type: ignore[index]  # all keys here are tuples
        return [[_seen(s.why, 500), _seen(s.source, 120), [_seen(c, 300) for c in s.consequences]] if s else 0 for s in known]

    def _array(self, numerals: tuple[str, ...]) -> int:
        if numerals not in self.written:
            self.written[numerals] = self._write(numerals)
        return self.written[numerals]

    def _write(self, numerals: tuple[str, ...]) -> int:
        shown = [shortest(_seen(n, 80)) for n in numerals]
        return self.arrays[(" ".join(n.replace(" ", "") for n in shown), " ".join("…" if n == "…" else literal(n) for n in numerals))]

    def _inputs(self, witness: Witness) -> list[Any]:
        return [list(witness.shape), *(self._array(getattr(witness, name)) for name in _ARRAYS)]

    def _witness(self, cell: Cell, target: int) -> list[Any]:
        witness = cell.witness
        assert witness is not None
        program = self._program(cell, target, witness, own="batches=" in witness.recipe)
        self._derivation(cell, witness)
        allowed = [shortest(_seen(n, 80)) for n in witness.allowed[:8]]
        words = [shortest(_seen(n, 80)) for n in (witness.expected, witness.observed)]
        return [*self._inputs(witness), witness.element, words[0], words[1], allowed, _seen(witness.recipe, 300), program]

    def _pinned(self, targets: Sequence[int], cells: Sequence[Cell]) -> list[Any]:
        """The inputs of the pinned cases, once for all dtypes that share them."""
        rows: dict[tuple[int, str], list[Any]] = {}
        if self.background is None or not self.keep.background:
            return []
        for target, cell in zip(targets, cells, strict=True):
            if cell.kind != "case" or cell.outcome in NO_VERDICT:
                continue
            known = self.background.pinned(cell.check, cell.target.dtype)
            if known is None:
                continue
            self._program(cell, target, known.inputs)
            if not known.stricter:
                self._derivation(cell, known.inputs)
            self._row(rows, self._check(cell), known, _seen(cell.target.dtype, 40))
        return list(rows.values())

    def _row(self, rows: dict[tuple[int, str], list[Any]], check: int, known: Pinned, dtype: str) -> None:
        inputs = self._inputs(known.inputs)
        row = rows.setdefault(
            (check, str(inputs)), [check, [], *inputs, {k: _seen(v, 300) for k, v in known.stated.items()}, known.stricter]
        )
        if dtype not in row[1]:
            row[1].append(dtype)

    def _program(self, cell: Cell, target: int, witness: Witness, *, own: bool = False) -> int:
        """The template of the cell's program: the cell's own if batches are part of it, or else its place's, which is looked up."""
        if not self.keep.background or not is_whole(witness):
            return -1
        form = bool(witness.weight) + 2 * (len(witness.upstream) > 1)
        place = f"{target}:{self.operations[_seen(cell.operation, 80)]}:{self.quantities[_seen(cell.quantity, 40)]}:{form}"
        if own or place not in self.programs:
            source = template(cell, self.table.entry(cell), witness)
            made = self.templates[tuple(self.lines[line] for line in source.split("\n"))] if source else -1
            if own:
                return made
            self.programs[place] = made
        return -1

    def _derivation(self, cell: Cell, witness: Witness) -> None:
        if self.background is None or not self.keep.background or cell.kind == "law":
            return
        unit = all(numeral in ("0x1.0000000000000p+0", "0x1.0p+0", "0x1p+0") for numeral in witness.upstream)
        shape = "x".join(map(str, witness.shape))
        place = (
            f"{self.operations[_seen(cell.operation, 80)]}:{_seen(cell.quantity, 40)}:{_seen(cell.target.dtype, 40)}:{shape}:{int(unit)}"
        )
        if place not in self.derivations:
            known = self.background.derivation(cell.operation, cell.quantity, cell.target.dtype, witness.shape, unit_upstream=unit)
            counted = [[self.roundings[(r.step, _seen(r.because, 400))], r.count, r.format] for r in known.roundings] if known else []
            self.derivations[place] = [counted, float(f"{known.together_u:.4g}")] if known else 0


def _measured(cell: Cell) -> tuple[float | None, float | None, float | None]:
    """The error in u and in ulp, and its share of the bound."""
    return (rounded(error_in_u(cell)) if cell.error_u is not None else None, rounded(cell.error_ulp), rounded(cell.error_over_bound))


def _runs(numbers: Iterable[int]) -> list[int]:
    """Run lengths: a number, how many times it comes, the next number, and so on."""
    runs: list[int] = []
    for number in numbers:
        if runs and runs[-2] == number:
            runs[-1] += 1
        else:
            runs += [number, 1]
    return runs


def _chosen(targets: Sequence[int], cells: Sequence[Cell], most: int) -> tuple[list[int], int]:
    """The cells that bring their witness: what does not pass, what failed first, and the worst of each place; and how many would have."""
    worst: dict[tuple[int, str, str], int] = {}
    broken = []
    for index, cell in enumerate(cells):
        if cell.witness is None:
            continue
        if cell.outcome is not Outcome.PASS:
            broken.append(index)
            continue
        place = (targets[index], cell.operation, cell.quantity)
        if place not in worst or error_in_u(cell) > error_in_u(cells[worst[place]]):
            worst[place] = index
    wanted = [*sorted(broken, key=lambda index: cells[index].outcome is Outcome.DEVIATION), *worst.values()]
    return sorted(wanted[:most]), max(0, len(wanted) - most)
