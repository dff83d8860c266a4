"""The cells of two runs in pairs: the same id, and of a framework in several versions the versions that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from conformance.reports.table import release
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome

VERDICTS_FIRST = (Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.PASS, Outcome.UNSUPPORTED, Outcome.NOT_RUN)
"""A verdict before none, then the worst: which stands for all if one run recorded a cell several times."""

CellIndex = Mapping[str, Mapping[str, Mapping[str, Cell]]]
"""framework → version → cell id → cell."""


class RunIndex(NamedTuple):
    """One of the two runs, arranged for looking up."""

    held: CellIndex
    repeated: int
    """How often a cell was recorded again in the same version; the worst verdict stands for all."""
    incomplete: frozenset[tuple[str, str]]
    """Frameworks and versions of which a run did not reach its end."""


class CellPair(NamedTuple):
    """A cell before and after; None where a run does not have it."""

    old: Cell | None
    new: Cell | None


class VersionPair(NamedTuple):
    """Two versions of a framework that are compared with each other; None where a run has none for it."""

    framework: str
    old: str | None
    new: str | None


def index_run(results: Iterable[Results]) -> RunIndex:
    """Arrange the cells of a run."""
    held: dict[str, dict[str, dict[str, Cell]]] = {}
    incomplete: set[tuple[str, str]] = set()
    repeated = 0
    for part in results:
        environment = part.header.environment
        places = {(environment.framework, environment.version)}
        if not part.cells:
            held.setdefault(environment.framework, {}).setdefault(environment.version, {})
        for cell in part.cells:
            place = cell.target.framework, part.version_of(cell)
            places.add(place)
            cells = held.setdefault(place[0], {}).setdefault(place[1], {})
            other = cells.setdefault(cell.id, cell)
            if other is not cell:
                repeated += 1
                cells[cell.id] = min(cell, other, key=lambda one: VERDICTS_FIRST.index(one.outcome))
        incomplete |= set() if part.complete else places
    return RunIndex(held, repeated, frozenset(incomplete))


def version_pairs(old: CellIndex, new: CellIndex, framework: str) -> Iterator[VersionPair]:
    """Say which versions are compared: each with itself where both runs have it, of what is left the newest with the newest, and so on."""
    before, after = old.get(framework, {}), new.get(framework, {})
    yield from (VersionPair(framework, version, version) for version in before if version in after)
    gone, come = _newest_first(before.keys() - after.keys()), _newest_first(after.keys() - before.keys())
    yield from (VersionPair(framework, version, other) for version, other in zip_longest(gone, come))


def pairs(old: CellIndex, new: CellIndex, versions: VersionPair) -> Iterator[CellPair]:
    """The cells of two versions side by side, in the order of the new run; those that it does not have come last."""
    before = old[versions.framework][versions.old] if versions.old is not None else {}
    after = new[versions.framework][versions.new] if versions.new is not None else {}
    yield from (CellPair(before.get(name), cell) for name, cell in after.items())
    yield from (CellPair(cell, None) for name, cell in before.items() if name not in after)


def _newest_first(versions: Iterable[str]) -> Sequence[str]:
    """Newest first; a framework that is not installed has no version, which comes last."""
    return sorted(versions, key=lambda version: (bool(version), release(version)), reverse=True)
