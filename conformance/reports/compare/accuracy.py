"""What was measured on both sides: the dtype that comes back, the worst error and its grade, and where the range ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt

from conformance.numerics.formats import FORMATS
from conformance.reports.compare.advice import Advice, CellRef, Evidence, Replacement, Severity, Topic, without_link
from conformance.reports.compare.operations import written
from conformance.reports.compare.sides import EAGER, Entry, EntryPair, Side, plainest
from conformance.reports.table import error_in_u
from conformance.reports.text import accuracy_in_words, dtype_order, group_by, printable, short_dtype
from conformance.results.records import Cell, Outcome
from conformance.specs.model import Specs
from conformance.specs.where import stands_on

RETURNS = "returns "
FLUSHES = "flushes subnormals"
_ACCURACY = "bound/accuracy"
_HALF_SUMS = "half-accumulation"
_MUCH = 4
"""Errors that differ by less than this factor are called alike: they are the worst that a search found, lower bounds of the true ones."""


def figure_advice(pairs: Sequence[EntryPair], a: Side, b: Side, specs: Specs) -> list[Advice]:
    """Lines about dtypes, accuracy and range, each of the first pair that shows it."""
    alike = [pair for pair in pairs if not pair.a.streamed]
    makers: list[Callable[[EntryPair], Advice | None]] = [
        lambda pair: _dtypes(pair, a, b),
        lambda pair: _halves(pair, a, b, specs),
        lambda pair: _subnormals(pair, a, b),
        lambda pair: _accuracy(pair, a, b),
    ]
    first = (next(filter(None, map(make, alike)), None) for make in makers)
    return [line for line in first if line is not None]


# ---- dtypes ----


def _dtypes(pair: EntryPair, a: Side, b: Side) -> Advice | None:
    """What comes back for inputs of each dtype, where the two differ."""
    one, other = (_returned(entry) for entry in (pair.a, pair.b))
    differing = [dtype for dtype in sorted(one.keys() & other.keys(), key=dtype_order) if one[dtype][0] != other[dtype][0]]
    if not differing:
        return None
    told = group_by(
        differing, lambda dtype: tuple("their own dtype" if side[dtype][0] == dtype else side[dtype][0] for side in (one, other))
    )
    parts = [f"{', '.join(dtypes)} inputs give {old} in {a.framework}, {new} in {b.framework}" for (old, new), dtypes in told.items()]
    narrower = [dtype for dtype in differing if _precision(other[dtype][0]) < min(_precision(one[dtype][0]), _precision(dtype))]
    less = [dtype for dtype in differing if _precision(other[dtype][0]) < _precision(one[dtype][0])]
    kept = [e for e in b.of(pair.b.operation) if not e.streamed and all(_returned(e).get(d, ("",))[0] == d for d in narrower)]
    if narrower and kept:
        write = tuple(Replacement(written(entry)) for entry in kept[:2])
    elif narrower:
        write = (Replacement(f"No entry point of {b.framework} for this keeps {', '.join(narrower)}."),)
    elif less:
        write = (Replacement(f"Cast both arguments to {one[less[0]][0]} before the loss, if you need its digits and range as before."),)
    else:
        write = (Replacement("Nothing to do; to have the old numbers back, cast both arguments to the old dtype before the loss."),)
    severity = Severity.LOST if narrower or less else Severity.GAINED
    reasons = dict.fromkeys(
        without_link(cell.reason) for dtype in narrower for cell in [other[dtype][1]] if cell.outcome is Outcome.DEVIATION
    )
    evidence = tuple(Evidence(_dtype_shown(one[d]), _dtype_shown(other[d])) for d in differing)
    says = f"{printable(pair.a.brief, 160)} and {printable(pair.b.brief, 160)}: {'; '.join(parts)}."
    return Advice(Topic.DTYPES, severity, says, write, evidence, because=" ".join(reasons))


def _returned(entry: Entry) -> Mapping[str, tuple[str, Cell]]:
    """For every dtype of the inputs, that of the value, and a cell that shows it; one that differs, if there is any."""
    found: dict[str, tuple[str, Cell]] = {}
    narrowed: dict[str, tuple[str, Cell]] = {}
    plain = (c for c in entry.cells if c.quantity == "value" and c.kind == "case" and c.target.mode == EAGER)
    for cell in sorted(plain, key=lambda c: (plainest(c), c.check)):
        said = _returned_of(cell).removeprefix(RETURNS)
        if said:
            narrowed.setdefault(cell.target.dtype, (said, cell))
        elif cell.outcome is Outcome.PASS:
            found.setdefault(cell.target.dtype, (cell.target.dtype, cell))
    return found | narrowed


def _dtype_shown(found: tuple[str, Cell]) -> CellRef:
    return CellRef(found[1], "dtype", found[0])


def _precision(dtype: str) -> int:
    return FORMATS[dtype].precision if dtype in FORMATS else 0


# ---- accuracy ----


def _accuracy(pair: EntryPair, a: Side, b: Side) -> Advice | None:
    """The worst error on the same many inputs, where the two differ much or grow otherwise with n."""
    parts, evidence, worse = [], [], False
    for how, compiled in (("eager", False), ("compiled", True)):
        one, other = (_measured(entry, compiled=compiled) for entry in (pair.a, pair.b))
        both = sorted(one.keys() & other.keys(), key=dtype_order)
        differing = [d for d in both if _differ(one[d], other[d]) and _returned_of(one[d]) == _returned_of(other[d])]
        words = {d: (_error_in_words(one[d]), _error_in_words(other[d])) for d in differing}
        parts += [f"{how} {', '.join(f'{short_dtype(d)} {old} → {new}' for d, (old, new) in words.items())}"] if differing else []
        evidence += [Evidence(CellRef(one[d], "error", old), CellRef(other[d], "error", new)) for d, (old, new) in words.items()]
        worse = worse or any(error_in_u(other[d]) > error_in_u(one[d]) for d in differing)
    if not parts:
        return None
    names = f"{a.framework} ({_name(pair.a)}) to {b.framework} ({_name(pair.b)})"
    says = f"The worst error found, from {names}: {'; '.join(parts)}."
    write = "Sum long losses in float64 or in parts, if these digits count." if worse else "Nothing to do; expect other last digits."
    because = "u is the unit roundoff; n goes up to a million elements."
    return Advice(
        Topic.ACCURACY, Severity.LOST if worse else Severity.GAINED, says, (Replacement(write),), tuple(evidence), because=because
    )


def _measured(entry: Entry, *, compiled: bool) -> Mapping[str, Cell]:
    """By dtype, the worst of an entry point's cells that measure how the error grows, in eager execution or in compiled modes."""
    cells = (cell for cell in entry.on(f"{entry.operation}/{_ACCURACY}", "value") if cell.error_u is not None and cell.grade is not None)
    by_dtype = group_by((cell for cell in cells if (cell.target.mode != EAGER) == compiled), lambda cell: cell.target.dtype)
    return {dtype: max(found, key=error_in_u) for dtype, found in by_dtype.items()}


def _differ(one: Cell, other: Cell) -> bool:
    low, high = sorted((error_in_u(one), error_in_u(other)))
    return high > 1 and (high > _MUCH * low or (one.grade is not other.grade and high > 2 * low))


def _error_in_words(cell: Cell) -> str:
    return accuracy_in_words(error_in_u(cell), cell.grade)


def _name(entry: Entry) -> str:
    return printable(entry.implementation, 60)


def _returned_of(cell: Cell) -> str:
    return next((flag for flag in cell.flags if flag.startswith(RETURNS)), "")


# ---- policies and flags ----

_SUMMED: Mapping[str, str] = {"wider": "in something wider", "input format": "in that format itself"}


def _halves(pair: EntryPair, a: Side, b: Side, specs: Specs) -> Advice | None:
    """What half formats are summed in, eagerly, where the two differ: it is declared, and observed as declared."""
    one, other = (_declared(entry, _HALF_SUMS) for entry in (pair.a, pair.b))
    differing = [d for d in sorted(one.keys() & other.keys(), key=dtype_order) if one[d][0] != other[d][0]]
    if not differing:
        return None
    old, new = one[differing[0]][0], other[differing[0]][0]
    dtypes = [d for d in differing if (one[d][0], other[d][0]) == (old, new)]
    before, now = (_SUMMED.get(said, printable(said, 60)) for said in (old, new))
    says = f"{a.framework} ({_name(pair.a)}) adds up {' and '.join(dtypes)} {before}, {b.framework} ({_name(pair.b)}) {now}."
    lost = new != "wider"
    narrow = [(other if lost else one)[d][1].target.model_dump() for d in dtypes]
    because = [p.because for p in specs.policies if p.policy == _HALF_SUMS and any(stands_on(p.where, target) for target in narrow)]
    evidence = tuple(Evidence(CellRef(one[d][1], "flag", before), CellRef(other[d][1], "flag", now)) for d in dtypes)
    write = "Cast to float32 before the loss." if lost else "Nothing to do; a cast to float32 before the loss is no longer needed for that."
    return Advice(
        Topic.ACCURACY,
        Severity.LOST if lost else Severity.GAINED,
        says,
        (Replacement(write),),
        evidence,
        because=because[-1] if because else "",
    )


def _declared(entry: Entry, policy: str) -> Mapping[str, tuple[str, Cell]]:
    found: dict[str, tuple[str, Cell]] = {}
    for cell in entry.on(f"{entry.operation}/law/policy-{policy}", "value"):
        said = next((flag.partition(": ")[2] for flag in cell.flags if flag.startswith(f"{policy}: ")), "")
        if said and cell.target.mode == EAGER:
            found.setdefault(cell.target.dtype, (said, cell))
    return found


def _subnormals(pair: EntryPair, a: Side, b: Side) -> Advice | None:
    """In which dtypes subnormals become zero on one side only, with a check that shows both."""
    here, there = ({cell.target.dtype for cell in _eager(entry.cells) if FLUSHES in cell.flags} for entry in (pair.a, pair.b))
    found: dict[str, Evidence] = {}
    for one, other in _side_by_side(pair):
        flushed = [FLUSHES in cell.flags for cell in (one, other)]
        if flushed[0] != flushed[1] and one.target.dtype in here ^ there:
            shown = [
                CellRef(c, "flag" if is_so else "no flag", "flushes" if is_so else "keeps")
                for c, is_so in zip((one, other), flushed, strict=True)
            ]
            found.setdefault(one.target.dtype, Evidence(*shown))
    lost = bool(found.keys() & there)
    dtypes = sorted(found.keys() & (there if lost else here), key=dtype_order)
    if not dtypes:
        return None
    who, keeps = (b, a) if lost else (a, b)
    widest = dtypes[-1]
    limit = (
        f"{sqrt(float(FORMATS[widest].smallest_normal)):.0e} in {widest}" if widest in FORMATS else "the root of the smallest normal number"
    )
    says = f"{who.framework} flushes subnormals to zero in {', '.join(dtypes)}; {keeps.framework} keeps them."
    write = f"Scale up where residuals come below {limit}: their squares are 0." if lost else "Nothing to do."
    return Advice(
        Topic.RANGE, Severity.LOST if lost else Severity.GAINED, says, (Replacement(write),), tuple(found[dtype] for dtype in dtypes)
    )


def _side_by_side(pair: EntryPair) -> Iterator[tuple[Cell, Cell]]:
    """Passing cells of both sides of one check, quantity and dtype, in eager execution."""
    here: dict[tuple[str, str, str], Cell] = {}
    for cell in _eager(pair.b.cells):
        here.setdefault((cell.check, cell.quantity, cell.target.dtype), cell)
    for cell in _eager(pair.a.cells):
        if (other := here.get((cell.check, cell.quantity, cell.target.dtype))) is not None:
            yield cell, other


def _eager(cells: Iterable[Cell]) -> Iterator[Cell]:
    return (c for c in cells if c.outcome is Outcome.PASS and c.target.mode == EAGER and c.target.device == "cpu" and c.kind != "behaviour")
