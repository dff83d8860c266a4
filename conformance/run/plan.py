"""What will run: every check on every target that was selected, and a reason for whatever will not."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby, islice, product
from pathlib import Path

from conformance.checks.base import Check
from conformance.checks.budget import Budget
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.vmap import VMAP
from conformance.judges.process import JudgeProcess
from conformance.judges.protocol import Description, ImplementationDescription, Request
from conformance.results.records import Cell, Outcome, Target
from conformance.run.profiles import Candidate, Profile
from conformance.workers.child import ProcessLost


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
        return not any(vars(self).values())

    @property
    def stated(self) -> dict[str, tuple[str, ...]]:
        """What the header of a results file says of it: whatever was restricted, and of subject files their digests."""
        digests = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in self.subjects]
        given = {**vars(self), "subjects": digests}
        return {name.removesuffix("s"): tuple(values) for name, values in given.items() if values}

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

    ``uses_random_inputs``: with another seed it may say something else. ``lost``: it took its runner or its judge down.
    """

    cells: Sequence[Cell]
    uses_random_inputs: bool = False
    lost: bool = False


@dataclass(frozen=True)
class PlannedCheck:
    """One check on one target: what a judge is asked for, and a pytest item."""

    check: Check
    target: Target
    budget: Budget
    skip_reason: str = ""
    """Why the profile does not run it; its cells are then ``not-run`` for this reason."""

    def request(self, timeout: float) -> Request:
        """The message to the judge; the timeout is that of a call."""
        t = self.target
        return Request(
            check=self.check.id,
            implementation=t.implementation,
            device=t.device,
            mode=t.mode,
            dtype=t.dtype,
            budget=self.budget,
            timeout=timeout,
        )

    def ask(self, judge: JudgeProcess, timeout: float) -> CheckReply:
        """What the judge says of it: an error if that costs the judge, nothing but the reason if it is not run."""
        (reply,) = ask_in_turn([self], judge, timeout)
        return reply


CHECKS_AHEAD = 6
"""So many checks are asked for at a time: the judge works on four, and knows the next."""


def ask_in_turn(planned: Sequence[PlannedCheck], judge: JudgeProcess, timeout: float) -> Iterator[CheckReply]:
    """What the judge says of each: while one answer is looked at, it works on the next."""
    requests = [None if item.skip_reason else item.request(timeout) for item in planned]
    following = iter([request for request in requests if request is not None])
    sent: deque[Request] = deque()
    for item, request in zip(planned, requests, strict=True):
        if request is None:
            yield CheckReply(cells_without_findings(item.check, item.target, Outcome.NOT_RUN, item.skip_reason))
            continue
        for ahead in islice(following, CHECKS_AHEAD - len(sent)):
            judge.send(ahead)
            sent.append(ahead)
        sent.popleft()
        try:
            reply = judge.run(request)
            yield CheckReply(reply.cells, reply.uses_random_inputs, reply.lost)
        except ProcessLost as lost:
            for ahead in sent:  # it was lost with this one
                judge.send(ahead)
            yield CheckReply(cells_without_findings(item.check, item.target, Outcome.ERROR, str(lost)), lost=True)


def cells_without_findings(check: Check, target: Target, outcome: Outcome, reason: str) -> list[Cell]:
    """The cells of a check on a target where it gave no findings of its own."""
    return [
        Cell(
            check=check.id,
            kind=check.kind,
            level=check.level,
            operation=check.operation,
            quantity=quantity.value,
            target=target,
            outcome=outcome,
            reason=reason,
        )
        for quantity in check.quantities
    ]


def plan(description: Description, checks: dict[str, Check], selection: Selection, profile: Profile) -> list[PlannedCheck]:
    """Every selected check on every selected target of one framework, also those that the profile leaves out.

    In vmap mode only checks that ask for values and gradients alone are planned.

    Ordered by operation and dtype, so that targets which see the same bits follow each other and share their expectations.
    """
    by_operation: dict[str, list[Check]] = {}
    for check in checks.values():
        by_operation.setdefault(check.operation, []).append(check)
    first = {i.operation: i.name for i in reversed(description.implementations)}
    planned = []
    for implementation, target in targets_of(description, selection):
        for check in by_operation.get(implementation.operation, []):
            if target.dtype not in check.dtypes or not selection.wants_check(check) or (target.mode == VMAP and not check.supports_vmap):
                continue
            if check.only_subjects and not (selection.subjects and _is_foremost(implementation, target)):
                continue
            candidate = Candidate(
                check,
                target,
                implementation.modes,
                description.usual_mode,
                target.mode in description.compiling_modes,
                is_first=bool(selection.subjects) or implementation.name == first[implementation.operation],
                named=bool(selection.subjects or selection.operations or selection.implementations),
                of_subject=bool(selection.subjects),
            )
            planned.append(PlannedCheck(check, target, profile.budget_for(candidate), profile.skip_reason(candidate)))
    order = {check_id: place for place, check_id in enumerate(checks)}

    def sort_key(p: PlannedCheck) -> tuple[str, str, str, str, str, int]:
        return p.check.operation, p.target.dtype, p.target.device, p.target.mode, p.target.implementation, order[p.check.id]

    in_order = sorted(planned, key=sort_key)
    return [one for _, of_target in groupby(in_order, key=lambda one: one.target) for one in _woven(list(of_target))]


def _woven(planned: Sequence[PlannedCheck]) -> list[PlannedCheck]:
    """Bounds keep a judge busy and everything else its runner: spread among the others they cost the least time."""
    bounds = [one for one in planned if one.check.kind == "bound"]
    others = [one for one in planned if one.check.kind != "bound"]
    every = len(planned) / len(bounds) if bounds else 0
    places = {int((number + 0.5) * every) for number in range(len(bounds))}
    following, rest = iter(bounds), iter(others)
    return [next(following if place in places else rest) for place in range(len(planned))]


def _is_foremost(implementation: ImplementationDescription, target: Target) -> bool:
    """Whether a target is the one in the first mode of an implementation, and in float32 or else its first dtype."""
    dtype = "float32" if "float32" in implementation.dtypes else implementation.dtypes[0]
    return target.mode == implementation.modes[0] and target.dtype == dtype


def targets_of(description: Description, selection: Selection) -> Iterator[tuple[ImplementationDescription, Target]]:
    """The selected targets of one framework, each with its implementation."""
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


def not_run_cells(info: FrameworkInfo, checks: dict[str, Check], selection: Selection, kinds: Sequence[str], reason: str) -> Iterator[Cell]:
    """One ``not-run`` cell for each check and device kind of a framework that cannot run here, so that nothing is silently absent."""
    for kind in kinds:
        if not selection.wants_device(kind):
            continue
        target = Target(framework=info.name, version="", implementation="*", device=kind, mode="*", dtype="*")
        for check in checks.values():
            if selection.wants_check(check) and (selection.subjects or not check.only_subjects):
                yield from cells_without_findings(check, target, Outcome.NOT_RUN, reason)
