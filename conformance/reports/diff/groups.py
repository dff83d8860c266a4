"""Changes that are alike, brought together: a change of five hundred cells with one cause reads as one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from conformance.reports.behaviours import is_judged
from conformance.reports.causes import normalized_reason, readability_key
from conformance.reports.diff.transitions import VERDICTS_FIRST, Category, answer
from conformance.reports.table import BROKEN, error_in_u
from conformance.reports.text import accuracy_in_words, group_by, printable, targets_in_words, without_numbers
from conformance.results.records import Cell, Outcome

_MOST_IDS = 1000
"""So many cells of a group are named in the plain types, and none of what is new or removed, which may be most of a run."""

_DTYPE = re.compile(r"-b?float\d+$")

_ABSENT = "absent"

PRESENCE = (Category.NEW, Category.REMOVED)
"""Of these the names matter less than how much it is: all stems are one."""


@dataclass(frozen=True)
class Change:
    """One cell before and after, and what that means. One of the two may be missing, not both."""

    category: Category
    old: Cell | None
    new: Cell | None

    @property
    def cell(self) -> Cell:
        """The cell as it is now, or as it last was."""
        cell = self.new or self.old
        assert cell is not None
        return cell

    @property
    def outcomes(self) -> tuple[Outcome | None, Outcome | None]:
        """The outcome before and the one after."""
        return (self.old.outcome if self.old else None, self.new.outcome if self.new else None)

    @property
    def before(self) -> str:
        """What the cell was, in words: its outcome, with its accuracy or its reason."""
        if self.old is None:
            return _ABSENT
        outcome = self.old.outcome.value.replace("-", " ")
        if self.old.outcome is Outcome.PASS and self.old.error_u is not None:
            return f"{outcome}, {_accuracy(self.old)}"
        return f"{outcome}: {self.old.reason}" if self.old.reason else outcome

    @property
    def explaining_cell(self) -> Cell:
        """The cell whose reason explains the change: the new one, unless only the old one has something to say."""
        if self.old and (self.new is None or (not self.new.reason and self.old.reason)):
            return self.old
        return self.cell


@dataclass(frozen=True)
class ChangeGroup:
    """Changes of one framework and one pair of outcomes, for one reason, in checks of one stem or on the same targets."""

    changes: tuple[Change, ...]

    @property
    def category(self) -> Category:
        """What the change means."""
        return self.changes[0].category

    @property
    def outcomes(self) -> tuple[Outcome | None, Outcome | None]:
        """The outcome before and the one after."""
        return self.changes[0].outcomes

    @property
    def broken(self) -> bool:
        """Whether the cells fail or end in an error now."""
        return self.outcomes[1] in BROKEN

    @property
    def framework(self) -> str:
        """The framework that all the cells are of."""
        return self.changes[0].cell.target.framework

    @property
    def level(self) -> str:
        """``must`` if any of the cells must pass; of behaviours nothing is said."""
        if not is_judged(self.changes[0].cell):
            return ""
        return "must" if any(change.cell.level == "must" for change in self.changes) else "should"

    @property
    def sentence(self) -> str:
        """``pass → fail: value: found …``; without outcomes where these are the same."""
        before, after = (outcome.value.replace("-", " ") if outcome else _ABSENT for outcome in self.outcomes)
        return ": ".join(part for part in ("" if before == after else f"{before} → {after}", self.explanation) if part)

    @cached_property
    def where(self) -> list[str]:
        """The targets, folded into few words."""
        return targets_in_words(change.cell.target for change in self.changes)

    @cached_property
    def checks(self) -> tuple[str, ...]:
        """The ids of the checks, each once."""
        return tuple(dict.fromkeys(change.cell.check for change in self.changes))

    @cached_property
    def representative(self) -> Change:
        """The change to look at first: where accuracy changed the largest error, else the cell that is read most easily."""
        if self.category in (Category.WORSE, Category.BETTER):
            return max(self.changes, key=lambda change: max(error_in_u(cell) for cell in (change.old, change.new) if cell))
        return min(self.changes, key=lambda change: readability_key(change.cell))

    @property
    def explanation(self) -> str:
        """Why, in the words of the exemplar: its reason, its two answers, or its two errors."""
        old, new = self.representative.old, self.representative.new
        if old and new and self.category is Category.ANSWER:
            return f"{printable(old.answer or old.reason, 150)} → {printable(new.answer or new.reason, 150)}"
        if old and new and old.outcome is new.outcome is Outcome.PASS:
            return f"{_accuracy(old)} → {_accuracy(new)}"
        return self.representative.explaining_cell.reason

    def as_dict(self) -> dict[str, object]:
        """Put the group into plain types."""
        representative = self.representative
        named = self.changes[: 0 if self.category in PRESENCE else _MOST_IDS]
        return {
            "category": self.category.value,
            "framework": self.framework,
            "outcomes": [outcome.value if outcome else None for outcome in self.outcomes],
            "level": self.level,
            "explanation": self.explanation,
            "targets": self.where,
            "checks": list(self.checks),
            "count": len(self.changes),
            "cells": [change.cell.id for change in named],
            "cells_left_out": len(self.changes) - len(named),
            "errors_u": [cell.error_u if cell else None for cell in (representative.old, representative.new)],
            "grades": [cell.grade.value if cell and cell.grade else None for cell in (representative.old, representative.new)],
            "replay": representative.cell.id,
        }


def stem(cell: Cell) -> str:
    """What a check's id says beside its operation and dtype: ``case/thirds`` of ``mse/mean/case/mean-thirds``."""
    kind, _, name = cell.check.removeprefix(f"{cell.operation}/").partition("/")
    own = cell.operation.rpartition("/")[2]
    return f"{kind}/{without_numbers(_DTYPE.sub('', name.removeprefix(f'{own}-')))}"


def grouped(changes: Iterable[Change]) -> tuple[ChangeGroup, ...]:
    """Bring alike changes together: first those of one stem, then the stems that changed on the same targets; what must pass first."""
    by_stem = group_by(changes, lambda change: (_likeness(change), "" if change.category in PRESENCE else stem(change.cell)))
    by_place: dict[tuple[object, ...], list[Change]] = {}
    for (likeness, _), members in by_stem.items():
        places = frozenset((t.device, t.mode, t.dtype) for t in (member.cell.target for member in members))
        by_place.setdefault((likeness, places), []).extend(members)
    return tuple(sorted((ChangeGroup(tuple(members)) for members in by_place.values()), key=_order))


def _likeness(change: Change) -> tuple[object, ...]:
    """What changes must share to be alike, beside the stem."""
    if change.category is Category.ANSWER and change.old and change.new:
        return (change.category, change.cell.target.framework, change.outcomes, answer(change.old), answer(change.new))
    reason = normalized_reason(change.explaining_cell) if is_judged(change.cell) else ""
    return (change.category, change.cell.target.framework, change.outcomes, is_judged(change.cell), reason)


def _order(group: ChangeGroup) -> tuple[bool, int, int]:
    after = group.outcomes[1]
    return (group.level != "must", VERDICTS_FIRST.index(after) if after else len(VERDICTS_FIRST), -len(group.changes))


def _accuracy(cell: Cell) -> str:
    return accuracy_in_words(error_in_u(cell), cell.grade)
