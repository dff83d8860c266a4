"""Where one side departs from the definition and the other does not: documented deviations, and what fails or ends in an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from conformance.reports.compare.accuracy import RETURNS
from conformance.reports.compare.advice import Advice, CellRef, Evidence, Replacement, Severity, Topic, without_link
from conformance.reports.compare.sides import EAGER, Entry, EntryPair, Side, plainest
from conformance.reports.text import dtype_order, group_by, plural, printable, truncate
from conformance.results.records import Cell, Outcome

_DEVIATES = frozenset({Outcome.DEVIATION, Outcome.FAIL, Outcome.ERROR})
_HALVES = frozenset({"float16", "bfloat16"})
_STREAMS = ("any-split", "any-split-of-a-vector", "empty-batch", "updates-reset")
_ARGUMENTS = ("integer-inputs", "integers-beside-floats", "integer-range", "mixed-dtypes", "layouts")
_NUMBERLESS = frozenset({"inf", "-inf", "nan"})
_MOST_REASONS = 3
_KNOWN = "No way round is documented: test for it."
_UNKNOWN = "It is not documented: run the cell again before you rely on it."
_IMPERATIVE = re.compile(r"(?!(?:The|A|An|It|This|That|Its|Each|As|In|Where|From|Once|Three|Nothing)\b)[A-Z][a-z]+(?: \w|[,.])")
"""How a sentence begins that says what to do: with a verb, and so with none of these words."""


@dataclass(frozen=True)
class DeviatingCell:
    """A cell that departs, and the cell of the same check on the other side, which passes."""

    cell: Cell
    other: Cell
    entry: Entry

    @property
    def documented(self) -> bool:
        """Whether the specs know of it."""
        return self.cell.outcome is Outcome.DEVIATION

    @property
    def reason(self) -> str:
        """Why, without the address of a page: that is in the specs and in the cell."""
        return without_link(self.cell.reason)

    @property
    def remedy(self) -> str:
        """What a documented reason says to do, its last sentence; empty where nothing is documented, or only the fact."""
        sentences = re.split(r"(?<=[.;])\s+(?=[A-Z])", self.reason)
        return sentences[-1] if self.documented and len(sentences) > 1 and _IMPERATIVE.match(sentences[-1]) else ""

    @property
    def cause(self) -> str:
        """The reason without the remedy."""
        return self.reason.removesuffix(self.remedy).strip()

    @property
    def told(self) -> str:
        """The words of a line: the cause, or the check that is not passed."""
        if self.documented:
            return self.cause or self.reason
        how = "it raises" if self.cell.outcome is Outcome.ERROR else "it fails"
        return f"{how} {printable(self.cell.check, 100)}."


def deviation_advice(pairs: Sequence[EntryPair], a: Side, b: Side) -> list[Advice]:
    """Lines about what goes wrong in ``b`` and did not in ``a``, by what helps; then, by topic, about what went wrong in ``a``."""
    arriving = _together(_deviating_cells([(pair.b, pair.a) for pair in pairs], a))
    leaving = group_by(_together(_deviating_cells([(pair.a, pair.b) for pair in pairs], b)), _topic)
    return [
        *(_line(_topic(group), group, b, a, leaving=False) for group in arriving),
        *(_line(topic, sorted(chain.from_iterable(groups), key=_plainest), a, b, leaving=True) for topic, groups in leaving.items()),
    ]


def _deviating_cells(entries: Iterable[tuple[Entry, Entry]], there: Side) -> Iterator[DeviatingCell]:
    """Cells of the first of each two that depart where the second passes, without the reasons that side ``there`` gives as well.

    What is only said of a dtype that comes back has its own line.
    """
    shared = {cell.reason for entry in there.entries for cell in entry.cells if cell.outcome in _DEVIATES}
    seen: set[str] = set()
    for entry, other in entries:
        for cell in entry.cells:
            if cell.outcome not in _DEVIATES or cell.id in seen or cell.reason in shared or any(f.startswith(RETURNS) for f in cell.flags):
                continue
            passing = [c for c in other.on(cell.check, cell.quantity) if c.outcome is Outcome.PASS and c.target.dtype == cell.target.dtype]
            best = min(passing, key=lambda c: (c.target.mode != cell.target.mode, plainest(c)), default=None)
            if best is not None:
                seen.add(cell.id)
                yield DeviatingCell(cell, best, entry)


def _together(deviating_cells: Iterable[DeviatingCell]) -> list[list[DeviatingCell]]:
    """Those that are helped by the same remedy; without one, those of an entry point; not documented, those of a topic. Plainest first."""
    found = group_by(deviating_cells, lambda d: d.remedy or (d.entry.implementation if d.documented else _topic([d]).value))
    return [sorted(group, key=_plainest) for group in found.values()]


def _plainest(d: DeviatingCell) -> tuple[object, ...]:
    return (not d.documented, d.cell.kind != "case", *plainest(d.cell)[:3], d.cell.quantity == "value", d.cell.id)


def _topic(group: Sequence[DeviatingCell]) -> Topic:
    """What a group is about, from its plainest cells."""
    cell = group[0].cell
    name = cell.check.rpartition("/")[2]
    if not cell.operation.startswith("mse/") or name in _STREAMS or all(_only_compiled(d) for d in group):
        return Topic.RUNNING
    if name in _ARGUMENTS:
        return Topic.ARGUMENTS
    observed = {d.cell.witness.observed for d in group if d.cell.witness}
    if all(d.cell.target.dtype in _HALVES for d in group):
        return (
            Topic.RANGE if observed & _NUMBERLESS or any(number.lstrip("-").startswith("0x0.0p") for number in observed) else Topic.ACCURACY
        )
    if not group[0].documented:
        return Topic.WEIGHTS if "weighted" in cell.operation or "masked" in cell.operation else Topic.EDGES
    return Topic.ACCURACY if cell.error_u is not None else Topic.EDGES


def _only_compiled(d: DeviatingCell) -> bool:
    """Whether the same entry point passes the same check when it runs eagerly."""
    return d.cell.target.mode != EAGER and any(
        c.outcome is Outcome.PASS and c.target.mode == EAGER for c in d.entry.on(d.cell.check, d.cell.quantity)
    )


def _line(topic: Topic, group: Sequence[DeviatingCell], side: Side, other: Side, *, leaving: bool) -> Advice:
    """What goes wrong in ``side`` and not in ``other``; ``leaving``: that is the side which is left, and results change all the same."""
    told, more = _told(group)
    says = f"What goes wrong in {side.framework} ({_where(group)}) and does not in {other.framework}: {told[0]}"
    remedies = [*dict.fromkeys(d.remedy for d in group if d.remedy)] or [_KNOWN if group[0].documented else _UNKNOWN]
    write = tuple(map(Replacement, ["Nothing to do, but do not expect the old numbers."] if leaving else remedies))
    severity = Severity.GAINED if leaving else _severity(group[0].cell)
    return Advice(topic, severity, says, write, _evidence(group, leaving=leaving), also=(*told[1:], *more))


def _told(group: Sequence[DeviatingCell]) -> tuple[list[str], tuple[str, ...]]:
    """The first reasons of a group, and how many more there are."""
    told = list(dict.fromkeys(d.told for d in group))
    left = len(told) - _MOST_REASONS
    return told[:_MOST_REASONS], (f"And {plural(left, 'more reason')}.",) if left > 0 else ()


def _where(group: Sequence[DeviatingCell]) -> str:
    """The entry points, modes and dtypes, in few words."""
    names = truncate(list(dict.fromkeys(printable(d.entry.implementation, 60) for d in group)), 3)
    modes = sorted({d.cell.target.mode for d in group}, key=lambda mode: (mode != EAGER, mode))
    dtypes = sorted({d.cell.target.dtype for d in group}, key=dtype_order)
    said = [] if EAGER in modes else [", ".join(modes)]
    lawful = all(d.cell.kind == "law" for d in group)
    said += [] if "float32" in dtypes or lawful else [", ".join(dtypes)]
    return "; ".join([names, *said])


def _severity(cell: Cell) -> Severity:
    if cell.outcome is Outcome.ERROR or "raise" in cell.reason:
        return Severity.REFUSED
    trains = "gradient" in cell.quantity or not cell.operation.startswith("mse/")
    return Severity.OTHER_NUMBER if trains and cell.target.dtype not in _HALVES else Severity.LOST


def _evidence(group: Sequence[DeviatingCell], *, leaving: bool) -> tuple[Evidence, ...]:
    """For each reason that the line gives, the plainest cell and the one that passes."""
    firsts: dict[str, DeviatingCell] = {}
    for d in group:
        firsts.setdefault(d.told, d)
    pairs = []
    for told, d in list(firsts.items())[:_MOST_REASONS]:
        deviates, passes = CellRef(d.cell, "outcome", told), CellRef(d.other, "outcome", "")
        pairs.append(Evidence(deviates, passes) if leaving else Evidence(passes, deviates))
    return tuple(pairs)
