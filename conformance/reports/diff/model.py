"""Two runs compared cell by cell: what regressed, is fixed, new or gone, and what keeps the runs from telling. Nothing here renders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import NamedTuple

from conformance.reports.behaviours import is_judged
from conformance.reports.diff.groups import Change, ChangeGroup, grouped
from conformance.reports.diff.pairing import (
    EnvironmentChange,
    RunIndex,
    VersionPair,
    environment_changes,
    index_run,
    observed_changes,
    pairs,
    version_pairs,
)
from conformance.reports.diff.transitions import Category, category
from conformance.reports.table import ANY, BROKEN, NO_VERDICT
from conformance.reports.text import group_by, plural, printable, truncate
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome

_MOST_NAMES = 6

TITLES: Mapping[Category, str] = {
    Category.REGRESSED: "regressed",
    Category.FIXED: "fixed",
    Category.WORSE: "worse while still passing",
    Category.BETTER: "better",
    Category.CHANGED: "changed otherwise",
    Category.ANSWER: "answered otherwise",
    Category.NEW: "new",
    Category.REMOVED: "removed",
    Category.UNCHANGED: "unchanged",
}
"""Each category in the words of a count."""

HEADINGS: Mapping[Category, str] = {category: title.capitalize() for category, title in TITLES.items()} | {
    Category.CHANGED: "Changed otherwise, neither better nor worse",
    Category.ANSWER: "Behaviours that answer otherwise, recorded and not judged",
    Category.NEW: "New: judged now and not before, or not there before",
    Category.REMOVED: "Removed: judged before and no longer, or no longer there",
}
"""What stands above the groups of a category."""


@dataclass(frozen=True)
class Diff:
    """What changed from the old run to the new one. Unchanged cells are only counted."""

    old: tuple[Results, ...]
    new: tuple[Results, ...]
    changes: tuple[Change, ...]
    unchanged: int
    compared: int
    """Cells that both runs judged."""
    environment: tuple[EnvironmentChange, ...]
    hidden: tuple[str, ...]
    """A sentence for each reason why changes may be hidden: without it, no regression found would mean no regression."""
    remarks: tuple[str, ...]
    """What a reader must know of how the two runs compare."""

    @classmethod
    def of(cls, old: Iterable[Results], new: Iterable[Results]) -> Diff:
        """Compare two runs, each of any number of results files."""
        before, after = tuple(old), tuple(new)
        sides = index_run(before), index_run(after)
        frameworks = [_framework(name, *sides) for name in dict.fromkeys([*sides[0].held, *sides[1].held])]
        hidden = [sentence for one in frameworks for sentence in one.hidden]
        if not (compared := sum(one.compared for one in frameworks)):
            hidden.append("no cell was judged in both runs: there is nothing to compare")
        environment = environment_changes(before, after, [pair for one in frameworks for pair in one.versions])
        return cls(
            old=before,
            new=after,
            changes=tuple(change for one in frameworks for change in one.changes),
            unchanged=sum(one.unchanged for one in frameworks),
            compared=compared,
            environment=(*environment, *observed_changes({one.name: one.flags for one in frameworks})),
            hidden=tuple(hidden),
            remarks=tuple(_remarks(before, after, *sides)),
        )

    @cached_property
    def counts(self) -> Mapping[Category, int]:
        """How many cells there are of each category; they add up to every cell that either run has."""
        counted = Counter(change.category for change in self.changes)
        counted[Category.UNCHANGED] = self.unchanged
        return {category: counted[category] for category in Category}

    @cached_property
    def groups(self) -> Mapping[Category, tuple[ChangeGroup, ...]]:
        """The changes of each category that has any, alike ones together."""
        held = group_by(self.changes, lambda change: change.category)
        return {category: grouped(held[category]) for category in Category if category in held}

    def regressed(self, *, strict: bool = False) -> bool:
        """Whether a cell that must pass regressed; strictly, also one that only should."""
        return any(change.category is Category.REGRESSED and (strict or change.cell.level == "must") for change in self.changes)

    @cached_property
    def broken_and_new(self) -> int:
        """Cells that fail or end in an error and were not judged before: no regression that is known of, and no pass either."""
        return sum(change.category is Category.NEW and change.outcomes[1] in BROKEN for change in self.changes)

    def verdict(self, *, strict: bool = False) -> str:
        """All of it in one line."""
        lenient = "no regression of level must" if self.regressed(strict=True) else "no regression"
        first = "regressed" if self.regressed(strict=strict) else "incomplete" if self.hidden else lenient
        told = [f"{count:,} {TITLES[category]}" for category, count in self.counts.items() if count]
        if self.broken_and_new:
            told.append(f"of the new ones {self.broken_and_new:,} {'fails' if self.broken_and_new == 1 else 'fail'}")
        return f"{first}: {' · '.join(told) or 'no cells'}"

    def as_dict(self, *, strict: bool = False) -> dict[str, object]:
        """Put the comparison into plain types."""
        return {
            "format": 1,
            "regressed": self.regressed(strict=strict),
            "old": _runs(self.old),
            "new": _runs(self.new),
            "counts": {category.value: count for category, count in self.counts.items()},
            "compared": self.compared,
            "new_and_broken": self.broken_and_new,
            "hidden": list(self.hidden),
            "remarks": list(self.remarks),
            "environment": [asdict(change) for change in self.environment],
            "groups": [group.as_dict() for groups in self.groups.values() for group in groups],
        }


class _Framework(NamedTuple):
    """What became of one framework."""

    name: str
    versions: tuple[VersionPair, ...]
    changes: list[Change]
    unchanged: int
    compared: int
    flags: tuple[set[str], set[str]]
    hidden: list[str]


def _framework(name: str, old: RunIndex, new: RunIndex) -> _Framework:
    """Compare all that two runs have of one framework."""
    found = tuple(version_pairs(old.held, new.held, name))
    changes: list[Change] = []
    judged: Counter[tuple[bool, bool]] = Counter()
    flags: tuple[set[str], set[str]] = (set(), set())
    hidden: list[str] = []
    unchanged = 0
    for pair in found:
        here = []
        for before, after in pairs(old.held, new.held, pair):
            verdicts = _has_verdict(before), _has_verdict(after)
            judged[verdicts] += 1
            if before and after and all(verdicts):
                flags[0].update(before.flags)
                flags[1].update(after.flags)
            if (became := category(before, after)) is Category.UNCHANGED:
                unchanged += 1
            else:
                here.append(Change(became, before, after))
        hidden += _cut_off(pair, old, new, here)
        changes += here
    if judged[True, False] + judged[True, True]:
        changes = [_broken_whole(change) for change in changes]
        if not hidden and not judged[False, True] + judged[True, True]:
            hidden.append(f"{printable(name, 60)} no longer ran: {_why_not(changes)}")
    return _Framework(name, found, changes, unchanged, judged[True, True], flags, hidden)


def _has_verdict(cell: Cell | None) -> bool:
    return cell is not None and is_judged(cell) and cell.outcome not in NO_VERDICT


def _broken_whole(change: Change) -> Change:
    """A framework that was judged and now cannot even list its targets has regressed, although no cell of it has the same id."""
    cell = change.new
    if change.old is None and cell and cell.target.implementation == ANY and cell.outcome in BROKEN and is_judged(cell):
        return Change(Category.REGRESSED, None, cell)
    return change


def _cut_off(pair: VersionPair, old: RunIndex, new: RunIndex, changes: Sequence[Change]) -> Iterator[str]:
    """Say what cannot be seen because a run did not reach its end."""
    name = printable(f"{pair.framework} {pair.old or pair.new or ''}", 60)
    gone, come = sum(change.new is None for change in changes), sum(change.old is None for change in changes)
    if gone and (pair.framework, pair.new) in new.incomplete:
        yield f"the new run of {name} did not reach its end: {plural(gone, 'cell')} of the old run may or may not have regressed"
    if come and (pair.framework, pair.old) in old.incomplete:
        yield f"the old run of {name} did not reach its end: {plural(come, 'cell')} of the new run cannot be compared"


def _why_not(changes: Iterable[Change]) -> str:
    reasons = dict.fromkeys(change.new.reason for change in changes if change.new and change.new.outcome is Outcome.NOT_RUN)
    return printable(truncate([*reasons], 1), 200) or "the new run has no results of it"


def _remarks(old: Sequence[Results], new: Sequence[Results], before: RunIndex, after: RunIndex) -> Iterator[str]:
    digests = [{part.header.specs_digest for part in results} for results in (old, new)]
    if digests[0] != digests[1]:
        yield f"The runs were judged by different specs{_checks_of_one_side(old, new)}."
    for what in ("profile", "seed", "suite_version"):
        said = [sorted({str(getattr(part.header, what)) for part in results}) for results in (old, new)]
        if said[0] != said[1] and all(said):
            before_and_after = [printable(", ".join(names), 60) for names in said]
            yield f"The old run has {what.replace('_', ' ')} {before_and_after[0]}, the new one {before_and_after[1]}."
    for name, held in (("old", before), ("new", after)):
        if held.repeated:
            yield f"The {name} run recorded {plural(held.repeated, 'cell')} more than once; the worst verdict of each is compared."


def _checks_of_one_side(old: Sequence[Results], new: Sequence[Results]) -> str:
    """Name the checks that only one of the runs knows."""
    known = [{cell.check for part in results for cell in part.cells} for results in (old, new)]
    told = [
        f"{plural(len(names), 'check')} {word}: {printable(truncate(sorted(names), _MOST_NAMES), 600)}"
        for word, names in (("new", known[1] - known[0]), ("removed", known[0] - known[1]))
        if names
    ]
    return f" ({'; '.join(told)})" if told else ""


def _runs(results: Sequence[Results]) -> list[dict[str, object]]:
    return [
        {
            "file": str(part.path),
            "run": part.header.run,
            "started": part.header.started,
            "framework": part.header.environment.framework,
            "version": part.header.environment.version,
            "specs_digest": part.header.specs_digest,
            "complete": part.complete,
        }
        for part in results
    ]
