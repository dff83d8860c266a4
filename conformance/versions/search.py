"""The search: from two releases that differ in a cell to the two neighbours between which it changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conformance.mistake import Mistake
from conformance.results.records import Cell, Outcome

State = tuple[str, ...]
Cells = Mapping[str, Cell]
"""The cells of one release by their ids, which name no version."""

_DEVIATES = {Outcome.FAIL, Outcome.DEVIATION}
"""A deviation is one whether or not it is documented for the version at hand."""


class BisectError(Mistake):
    """There is nothing to search for; the message is one sentence."""

    exit_code = 3


class EnvironmentUnavailable(Exception):
    """A release that could not be looked at: its environment cannot be made, or nothing ran in it. The message is the reason."""


@dataclass(frozen=True)
class Found:
    """Two releases with none in between that could be looked at, and the cell that is not the same in both.

    ``others`` are further cells that changed between the same two; ``skipped`` says of releases that lie between them, and that could
    not be looked at, why. ``looked`` is how many were looked at.
    """

    cell: str
    before: str
    after: str
    cell_before: Cell | None
    cell_after: Cell | None
    others: tuple[str, ...]
    skipped: Mapping[str, str]
    looked: int


def state_of(cell: Cell | None) -> State:
    """What is compared of a cell: the answer of a behaviour; of the others how they deviate, or that they do not."""
    if cell is None:
        return ("absent",)
    if cell.kind == "behaviour":
        return ("answers", cell.answer)
    if cell.outcome in _DEVIATES:
        return ("deviates", cell.witness.observed if cell.witness else "", *cell.flags)
    return (cell.outcome.value, *cell.flags)


def changed(old: Cells, new: Cells) -> list[str]:
    """The ids of the cells that differ, those that both releases have first."""
    differing = [id_ for id_ in sorted(old.keys() | new.keys()) if state_of(old.get(id_)) != state_of(new.get(id_))]
    return sorted(differing, key=lambda id_: id_ not in old or id_ not in new)


def search(releases: Sequence[str], run_release: Callable[[str], Cells]) -> Found:
    """Halve the releases, the first of which differs from the last, until two neighbours are left.

    The cell that is followed is the first that differs between the two ends. ``run_release`` gives the cells of a release, or
    raises EnvironmentUnavailable.

    Raises:
        BisectError: an end could not be looked at, or the two do not differ.
    """
    first, last = _end(releases[0], run_release), _end(releases[-1], run_release)
    differing = changed(first, last)
    if not differing:
        raise BisectError(f"{releases[0]} and {releases[-1]} do not differ in any of {len(first.keys() | last.keys())} cells")
    followed, known = differing[0], {releases[0]: first, releases[-1]: last}
    left, skipped = list(releases), dict[str, str]()
    low, high = 0, len(left) - 1
    while high - low > 1:
        middle = (low + high) // 2
        try:
            known[left[middle]] = run_release(left[middle])
        except EnvironmentUnavailable as reason:
            skipped[left.pop(middle)] = str(reason)
            high -= 1
            continue
        if state_of(known[left[middle]].get(followed)) == state_of(first.get(followed)):
            low = middle
        else:
            high = middle
    before, after = left[low], left[high]
    return Found(
        followed,
        before,
        after,
        known[before].get(followed),
        known[after].get(followed),
        tuple(id_ for id_ in changed(known[before], known[after]) if id_ != followed),
        {version: why for version, why in skipped.items() if releases.index(before) < releases.index(version) < releases.index(after)},
        len(known),
    )


def _end(release: str, run_release: Callable[[str], Cells]) -> Cells:
    try:
        return run_release(release)
    except EnvironmentUnavailable as reason:
        raise BisectError(f"{release} could not be looked at: {reason}") from None
