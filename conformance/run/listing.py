"""What would run: operations, checks and targets, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.checks.catalogue import all_checks
from conformance.frameworks.info import FrameworkInfo
from conformance.run.plan import Selection, targets_of
from conformance.specs.model import Specs
from conformance.workers.process import WorkerDied, running

Row = dict[str, str]
"""``id``, and a ``title`` in words."""


def checks(specs: Specs, selection: Selection) -> list[Row]:
    """The selected checks."""
    return [{"id": c.id, "title": c.why} for c in all_checks(specs).values() if selection.wants_check(c)]


def targets(chosen: Iterable[FrameworkInfo], selection: Selection) -> list[Row]:
    """Every target of the chosen frameworks; one that is not installed is a row with the reason."""
    return [row for info in chosen for row in _targets(info, selection)]


def _targets(info: FrameworkInfo, selection: Selection) -> Iterator[Row]:
    try:
        if reason := info.why_missing():
            raise WorkerDied(reason)
        with running(info.name) as (_, description):
            entries = {i.name: f"{i.operation}  {i.entry}" for i in description.implementations}
            yield from ({"id": target.id, "title": entries[target.implementation]} for _, target in targets_of(description, selection))
    except WorkerDied as lost:
        yield {"id": f"{info.name}/*", "title": f"not-run: {lost}"}
