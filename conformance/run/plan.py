"""What will run: every check on every target that was selected, and a reason for whatever will not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.checks.base import Check, operation_of
from conformance.checks.cases import CaseCheck
from conformance.checks.profiles import Profile
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.vmap import VMAP
from conformance.results.records import Cell, Outcome, Target
from conformance.workers.protocol import Description, Request


@dataclass(frozen=True)
class Selection:
    """What the user asked for; an empty tuple selects everything. ``operations``, ``checks`` and ``implementations`` are globs."""

    frameworks: tuple[str, ...] = ()
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

    def wants_check(self, check: Check, operation: str) -> bool:
        """Whether the check was selected."""
        return self.wants_operation(operation) and _matches(self.checks, check.id)

    def wants_operation(self, name: str) -> bool:
        """Whether the operation was selected."""
        return _matches(self.operations, name)

    def wants_device(self, name: str) -> bool:
        """``cuda`` selects ``cuda:0`` too."""
        return not self.devices or any(name == d or name.startswith(f"{d}:") for d in self.devices)


def _matches(globs: Sequence[str], name: str) -> bool:
    return not globs or any(fnmatchcase(name, g) for g in globs)


@dataclass(frozen=True)
class Item:
    """One check on one target: what a worker is asked for, and a pytest item."""

    check: Check
    operation: str
    target: Target
    left_out: str = ""
    """Why the profile does not run it; its cells are then ``not-run`` for this reason."""

    @property
    def request(self) -> Request:
        """The message to the worker."""
        t = self.target
        return Request(check=self.check.id, implementation=t.implementation, device=t.device, mode=t.mode, dtype=t.dtype)

    def cells(self, outcome: Outcome, reason: str) -> list[Cell]:
        """The item's cells when it gave no findings of its own."""
        return [
            Cell(
                check=self.check.id,
                kind=self.check.kind,
                level=self.check.level,
                operation=self.operation,
                quantity=quantity.value,
                target=self.target,
                outcome=outcome,
                reason=reason,
            )
            for quantity in self.check.quantities
        ]


def items(description: Description, checks: dict[str, Check], selection: Selection, profile: Profile) -> list[Item]:
    """Every selected check on every selected target of one worker, also those that the profile leaves out.

    A batch is put to the checks that ask for values and gradients alone.

    Ordered by operation and dtype, so that targets which see the same bits follow each other and share their expectations.
    """
    by_operation: dict[str, list[Check]] = {}
    for check in checks.values():
        by_operation.setdefault(operation_of(check), []).append(check)
    shapes = {check.id: check.shape for check in checks.values() if isinstance(check, CaseCheck)}
    own = {check.id for check in checks.values() if getattr(check, "own_functions", False)}  # laws have it; to import them takes Hypothesis
    rare = {check.id for check in checks.values() if getattr(check, "rare", False)}
    first = {i.operation: i.name for i in reversed(description.implementations)}
    planned = [
        Item(
            check,
            implementation.operation,
            target,
            profile.leaves_out(
                target,
                implementation.operation,
                check.id.removeprefix(f"{implementation.operation}/"),
                first=bool(selection.subjects) or first[implementation.operation] == implementation.name,
                rare=check.id in rare,
                alone=bool(selection.subjects or selection.operations or selection.implementations),
                modes=implementation.modes,
                shape=shapes.get(check.id),
                needs_extra_calls=check.id in own or (check.kind == "behaviour" and mode == "compile"),
            ),
        )
        for implementation in description.implementations
        if _matches(selection.implementations, implementation.name)
        for device in description.devices
        if selection.wants_device(device.name)
        for mode in implementation.modes
        if not selection.modes or mode in selection.modes
        for dtype in implementation.dtypes
        if not selection.dtypes or dtype in selection.dtypes
        for target in [
            Target(
                framework=description.framework,
                version=description.version,
                implementation=implementation.name,
                device=device.name,
                mode=mode,
                dtype=dtype,
            )
        ]
        for check in by_operation.get(implementation.operation, [])
        if dtype in check.dtypes and selection.wants_check(check, implementation.operation)
        if mode != VMAP or getattr(check, "batches", check.kind in {"case", "bound"})
    ]
    order = {check_id: place for place, check_id in enumerate(checks)}
    return sorted(
        planned, key=lambda i: (i.operation, i.target.dtype, i.target.device, i.target.mode, i.target.implementation, order[i.check.id])
    )


def not_run_cells(info: FrameworkInfo, checks: dict[str, Check], selection: Selection, kinds: Sequence[str], reason: str) -> Iterator[Cell]:
    """One ``not-run`` cell for each check and device kind of a framework that cannot run here, so that nothing is silently absent."""
    for kind in kinds:
        if not selection.wants_device(kind):
            continue
        target = Target(framework=info.name, version="", implementation="*", device=kind, mode="*", dtype="*")
        for check in checks.values():
            if selection.wants_check(check, operation_of(check)):
                yield from Item(check, operation_of(check), target).cells(Outcome.NOT_RUN, reason)
