"""What it means that a cell had one outcome in the old run and has another in the new one: every pair of outcomes, thought through.

A cell of level ``should`` is judged by the same table; whether it counts is decided where the exit code is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from conformance.reports.behaviours import is_judged, normalized_answer
from conformance.reports.table import BEST_GRADE_FIRST, error_in_u
from conformance.results.records import RAISES, Cell, Outcome

VERDICTS_FIRST = (Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.PASS, Outcome.UNSUPPORTED, Outcome.NOT_RUN)
"""A verdict before none, then the worst: which stands for all if one run recorded a cell several times."""


class Category(StrEnum):
    """How a cell changed, what a reader wants to know first in front."""

    REGRESSED = "regressed"
    """It passed, deviated as documented or was said not to be offered; now it fails or ends in an error."""
    FIXED = "fixed"
    """It failed or ended in an error; now it passes, or deviates as documented."""
    WORSE = "worse"
    """It still passes or is documented, but less accurately: twice the error, a worse grade, or a pass that became a deviation."""
    BETTER = "better"
    """The reverse of worse."""
    CHANGED = "otherwise"
    """Another outcome, which is neither better nor worse: it fails where it raised, or lacks a verdict for another reason."""
    ANSWER = "answer"
    """A behaviour answers otherwise. Behaviours are recorded and not judged, so this is never a regression."""
    NEW = "new"
    """It has a verdict and had none, or is there and was not."""
    REMOVED = "removed"
    """It had a verdict and has none, or was there and is not. Nobody can say that a failure among these is fixed."""
    UNCHANGED = "unchanged"
    """The same outcome, about as accurately."""


_R, _F, _W, _B, _O, _N, _X, _U = (
    Category.REGRESSED,
    Category.FIXED,
    Category.WORSE,
    Category.BETTER,
    Category.CHANGED,
    Category.NEW,
    Category.REMOVED,
    Category.UNCHANGED,
)

_AFTER = (Outcome.PASS, Outcome.DEVIATION, Outcome.FAIL, Outcome.ERROR, Outcome.UNSUPPORTED, Outcome.NOT_RUN, None)

# A cell that was not run may have failed all along, so a failure there is new and no regression. A framework that says it does not offer
# something promises nothing wrong; if what it then offers is wrong, that is one. `None`: there is no such cell.
_ROWS: Mapping[Outcome | None, tuple[Category, ...]] = {
    #  to:              pass  dev.  fail  error  unsup.  not-run  none
    Outcome.PASS:        (_U,  _W,   _R,   _R,    _X,     _X,      _X),
    Outcome.DEVIATION:   (_B,  _U,   _R,   _R,    _X,     _X,      _X),
    Outcome.FAIL:        (_F,  _F,   _U,   _O,    _X,     _X,      _X),
    Outcome.ERROR:       (_F,  _F,   _O,   _U,    _X,     _X,      _X),
    Outcome.UNSUPPORTED: (_N,  _N,   _R,   _R,    _U,     _O,      _X),
    Outcome.NOT_RUN:     (_N,  _N,   _N,   _N,    _O,     _U,      _X),
    None:                (_N,  _N,   _N,   _N,    _N,     _N,      _U),
}  # fmt: skip

TRANSITIONS: Mapping[tuple[Outcome | None, Outcome | None], Category] = {
    (before, after): category for before, row in _ROWS.items() for after, category in zip(_AFTER, row, strict=True)
}
"""Each pair of outcomes, and what it means. ``None`` where a run has no such cell."""

TIMES = 2.0
"""An error must grow or shrink by this factor to be told."""

ONE_ROUNDING = 1.0
"""In u: an exact result that is rounded once is up to this far off. Below it the error says which numbers were drawn, and no more."""


def category(old: Cell | None, new: Cell | None) -> Category:
    """What became of a cell."""
    found = TRANSITIONS[old.outcome if old else None, new.outcome if new else None]
    if old is None or new is None:
        return found
    if not (is_judged(old) and is_judged(new)):
        alike = found is Category.UNCHANGED and answer(old) == answer(new)
        return Category.UNCHANGED if alike else found if found in (Category.NEW, Category.REMOVED) else Category.ANSWER
    return accuracy(old, new) if old.outcome is new.outcome is Outcome.PASS else found


def accuracy(old: Cell, new: Cell) -> Category:
    """Compare two passes: a worse grade or twice the error is worse, whatever the other one says."""
    grades = [BEST_GRADE_FIRST.index(cell.grade) if cell.grade else None for cell in (old, new)]
    errors = [max(error_in_u(cell), ONE_ROUNDING) for cell in (old, new)]
    if _grows(*grades) or errors[1] >= TIMES * errors[0]:
        return Category.WORSE
    if _grows(*reversed(grades)) or errors[0] >= TIMES * errors[1]:
        return Category.BETTER
    return Category.UNCHANGED


def _grows(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and after > before


def answer(cell: Cell) -> tuple[str, ...]:
    """What two answers of one framework share where they are alike: of an exception its type, since its words change with every version."""
    return (cell.answer.partition(":")[0],) if cell.answer.startswith(RAISES) else normalized_answer(cell)
