"""What would run: operations, checks and targets, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.checks.base import operation_of
from conformance.checks.catalogue import all_checks
from conformance.checks.profiles import PROFILES
from conformance.frameworks.info import FrameworkInfo
from conformance.run.plan import Selection
from conformance.specs.model import Specs
from conformance.workers.process import Worker, WorkerDied, WorkerOptions

Row = dict[str, str]
"""``id``, and a ``title`` in words."""


def checks(specs: Specs, selection: Selection) -> list[Row]:
    """The selected checks."""
    return [{"id": c.id, "title": c.why} for c in all_checks(specs).values() if selection.wants_check(c, operation_of(c))]


def targets(chosen: Iterable[FrameworkInfo], selection: Selection) -> list[Row]:
    """Every target of the chosen frameworks; one that is not installed is a row with the reason."""
    return [row for info in chosen for row in _targets(info, selection)]


def _targets(info: FrameworkInfo, selection: Selection) -> Iterator[Row]:
    worker = Worker(info.name, WorkerOptions(PROFILES["quick"]))
    try:
        if reason := info.why_missing():
            raise WorkerDied(reason)
        description = worker.start()
    except WorkerDied as lost:
        yield {"id": f"{info.name}/*", "title": f"not-run: {lost}"}
        return
    finally:
        worker.dismiss()
    for i in description.implementations:
        if selection.wants_operation(i.operation):
            for device in description.devices:
                for mode in i.modes:
                    for dtype in i.dtypes:
                        yield {"id": f"{info.name}/{i.name}/{device.name}/{mode}/{dtype}", "title": f"{i.operation}  {i.entry}"}
