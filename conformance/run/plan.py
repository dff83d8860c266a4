"""What will run: every check on every target that was selected, and a reason for whatever will not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from conformance.checks.base import Check
from conformance.checks.budget import Budget
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.vmap import VMAP
from conformance.results.records import Cell, Outcome, Target
from conformance.run.profiles import Candidate, Profile
from conformance.workers.process import Worker, WorkerDied
from conformance.workers.protocol import Description, ImplementationDescription, Request


@dataclass(frozen=True)
class Selection:
    """What the user asked for; an empty tuple selects everything. ``operations``, ``checks`` and ``implementations`` are globs."""

    devices: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    implementations: tuple[str, ...] = ()
    subjects: tuple[Path, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing was left out."""
        return not any((self.devices, self.modes, self.dtypes, self.operations, self.checks, self.implementations, self.subjects))

    @property
    def stated(self) -> dict[str, tuple[str, ...]]:
        """What the header of a results file says of it: whatever was restricted, and of subject files their digests."""
        named = {
            "device": self.devices,
            "mode": self.modes,
            "dtype": self.dtypes,
            "operation": self.operations,
            "check": self.checks,
            "implementation": self.implementations,
            "subject": tuple(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in self.subjects),
        }
        return {option: tuple(values) for option, values in named.items() if values}

    def wants_check(self, check: Check) -> bool:
        """Whether the check was selected."""
        return self.wants_operation(check.operation) and _matches(self.checks, check.id)

    def wants_operation(self, name: str) -> bool:
        """Whether the operation was selected."""
        return _matches(self.operations, name)

    def wants_device(self, name: str) -> bool:
        """``cuda`` selects ``cuda:0`` too."""
        return not self.devices or any(name == d or name.startswith(f"{d}:") for d in self.devices)


def _matches(globs: Sequence[str], name: str) -> bool:
    return not globs or any(fnmatchcase(name, g) for g in globs)


@dataclass(frozen=True)
class CheckReply:
    """What came of a planned check.

    ``uses_random_inputs``: with another seed it may say something else. ``lost``: it took its worker down.
    """

    cells: Sequence[Cell]
    uses_random_inputs: bool = False
    lost: bool = False


@dataclass(frozen=True)
class PlannedCheck:
    """One check on one target: what a worker is asked for, and a pytest item."""

    check: Check
    target: Target
    budget: Budget | None = None
    """What the check may spend; None where nothing is to be run."""
    skip_reason: str = ""
    """Why the profile does not run it; its cells are then ``not-run`` for this reason."""

    @property
    def request(self) -> Request:
        """The message to the worker."""
        assert self.budget is not None, "asked to run what was not planned to be run"
        t = self.target
        return Request(
            check=self.check.id, implementation=t.implementation, device=t.device, mode=t.mode, dtype=t.dtype, budget=self.budget
        )

    def ask(self, worker: Worker, timeout: float) -> CheckReply:
        """What the worker says of it in so many seconds: an error if that costs the worker, nothing but the reason if it is not run."""
        if self.skip_reason:
            return CheckReply(self.cells(Outcome.NOT_RUN, self.skip_reason))
        try:
            reply = worker.run(self.request, timeout)
        except WorkerDied as lost:
            return CheckReply(self.cells(Outcome.ERROR, str(lost)), lost=True)
        return CheckReply(reply.cells, reply.uses_random_inputs)

    def cells(self, outcome: Outcome, reason: str) -> list[Cell]:
        """The cells where the check gave no findings of its own."""
        return [
            Cell(
                check=self.check.id,
                kind=self.check.kind,
                level=self.check.level,
                operation=self.check.operation,
                quantity=quantity.value,
                target=self.target,
                outcome=outcome,
                reason=reason,
            )
            for quantity in self.check.quantities
        ]


def plan(description: Description, checks: dict[str, Check], selection: Selection, profile: Profile) -> list[PlannedCheck]:
    """Every selected check on every selected target of one worker, also those that the profile leaves out.

    In vmap mode only checks that ask for values and gradients alone are planned.

    Ordered by operation and dtype, so that targets which see the same bits follow each other and share their expectations.
    """
    by_operation: dict[str, list[Check]] = {}
    for check in checks.values():
        by_operation.setdefault(check.operation, []).append(check)
    planned = [
        _planned(description, implementation, check, target, selection, profile)
        for implementation, target in targets_of(description, selection)
        for check in by_operation.get(implementation.operation, [])
        if target.dtype in check.dtypes and selection.wants_check(check) and (target.mode != VMAP or check.supports_vmap)
    ]
    order = {check_id: place for place, check_id in enumerate(checks)}

    def sort_key(p: PlannedCheck) -> tuple[str, str, str, str, str, int]:
        return p.check.operation, p.target.dtype, p.target.device, p.target.mode, p.target.implementation, order[p.check.id]

    return sorted(planned, key=sort_key)


def targets_of(description: Description, selection: Selection) -> Iterator[tuple[ImplementationDescription, Target]]:
    """The selected targets of one worker, each with its implementation."""
    for implementation in description.implementations:
        if not (_matches(selection.implementations, implementation.name) and selection.wants_operation(implementation.operation)):
            continue
        devices = [device.name for device in description.devices if selection.wants_device(device.name)]
        modes = [mode for mode in implementation.modes if not selection.modes or mode in selection.modes]
        dtypes = [dtype for dtype in implementation.dtypes if not selection.dtypes or dtype in selection.dtypes]
        for device, mode, dtype in product(devices, modes, dtypes):
            yield (
                implementation,
                Target(
                    framework=description.framework,
                    version=description.version,
                    implementation=implementation.name,
                    device=device,
                    mode=mode,
                    dtype=dtype,
                ),
            )


def _planned(
    description: Description,
    implementation: ImplementationDescription,
    check: Check,
    target: Target,
    selection: Selection,
    profile: Profile,
) -> PlannedCheck:
    first = next(i for i in description.implementations if i.operation == implementation.operation)
    candidate = Candidate(
        check,
        target,
        implementation.modes,
        description.usual_mode,
        target.mode in description.compiling_modes,
        is_first=bool(selection.subjects) or implementation is first,
        named=bool(selection.subjects or selection.operations or selection.implementations),
        of_subject=bool(selection.subjects),
    )
    return PlannedCheck(check, target, profile.budget_for(candidate), profile.skip_reason(candidate))


def not_run_cells(info: FrameworkInfo, checks: dict[str, Check], selection: Selection, kinds: Sequence[str], reason: str) -> Iterator[Cell]:
    """One ``not-run`` cell for each check and device kind of a framework that cannot run here, so that nothing is silently absent."""
    for kind in kinds:
        if not selection.wants_device(kind):
            continue
        target = Target(framework=info.name, version="", implementation="*", device=kind, mode="*", dtype="*")
        for check in checks.values():
            if selection.wants_check(check):
                yield from PlannedCheck(check, target).cells(Outcome.NOT_RUN, reason)
