"""Two runs side by side: the cells of the same id, of versions that belong together, and what differs between their environments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from conformance.reports.diff.transitions import VERDICTS_FIRST
from conformance.reports.table import release
from conformance.reports.text import without_numbers
from conformance.results.reading import Results
from conformance.results.records import Cell

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


@dataclass(frozen=True)
class EnvironmentChange:
    """A version, package, flag or device that is not what it was; empty where there was none, or is none any more."""

    name: str
    old: str
    new: str
    frameworks: tuple[str, ...]


def environment_changes(old: Sequence[Results], new: Sequence[Results], pairs: Iterable[VersionPair]) -> tuple[EnvironmentChange, ...]:
    """Compare the environments of the pairs that both runs have, those of a framework's own version first."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for pair in pairs:
        before, after = _facts(old, pair.framework, pair.old), _facts(new, pair.framework, pair.new)
        if not before or not after:
            continue
        for name in dict.fromkeys([*before, *after]):
            old_value, new_value = before.get(name, ""), after.get(name, "")
            if old_value != new_value:
                found.setdefault((name, old_value, new_value), []).append(pair.framework)
    versions_first = sorted(found.items(), key=lambda item: item[0][0] != "version")
    return tuple(EnvironmentChange(*told, tuple(dict.fromkeys(names))) for told, names in versions_first)


def observed_changes(flags: Mapping[str, tuple[set[str], set[str]]]) -> tuple[EnvironmentChange, ...]:
    """Compare what was observed beside the outcomes, of each framework before and after, in cells that both runs judged."""
    found: dict[tuple[str, str], list[str]] = {}
    for framework, sides in flags.items():
        before, after = ({without_numbers(flag) for flag in side} for side in sides)
        for flag in sorted(before ^ after):
            found.setdefault((flag, "") if flag in before else ("", flag), []).append(framework)
    return tuple(EnvironmentChange("observed", *told, tuple(names)) for told, names in found.items())


def _facts(results: Iterable[Results], framework: str, version: str | None) -> Mapping[str, str]:
    """The environments of one framework in one version; what several of its files state differently is joined."""
    said: dict[str, dict[str, None]] = {}
    for part in results:
        ran = part.header.environment
        if (ran.framework, ran.version) == (framework, version):
            facts = {"version": ran.version, "python": ran.python, "platform": ran.platform, "devices": ", ".join(ran.devices)}
            facts |= {f"package {name}": value for name, value in ran.packages.items()}
            facts |= {f"flag {name}": value for name, value in ran.flags.items()}
            for name, value in facts.items():
                said.setdefault(name, {})[value] = None
    return {name: " | ".join(values) for name, values in said.items()}
