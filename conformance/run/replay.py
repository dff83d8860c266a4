"""Run one cell again: the same check on the same target, with the inputs of a profile and a seed."""

from __future__ import annotations

from pathlib import Path

from conformance.checks.catalogue import all_checks
from conformance.frameworks.registry import frameworks
from conformance.judges.process import JudgeOptions, running
from conformance.mistake import Mistake
from conformance.results.records import Cell, split_id
from conformance.run.ledger import DeviationLedger, known_failures
from conformance.run.plan import Selection, plan
from conformance.run.profiles import Profile
from conformance.specs.model import Specs
from conformance.workers.child import ProcessLost


def replay(specs: Specs, identifier: str, profile: Profile, subjects: tuple[Path, ...]) -> list[tuple[Cell, str]]:
    """The cells of one check on one target, with the implementation's entry point; only one if the id names a quantity.

    Raises:
        Mistake: the id is not that of a cell, or its target cannot run here.
    """
    check, quantity, target = split_id(identifier)
    parts = target.split("/")
    checks = all_checks(specs)
    if check not in checks:
        raise Mistake(f"unknown check {check!r}: expected an id from `conformance list checks`")
    if len(parts) != 5:
        raise Mistake(f"{identifier}: found the target {target!r}, expected framework/implementation/device/mode/dtype after an @")
    framework, implementation, device, mode, dtype = parts
    known = frameworks()
    if framework not in known:
        raise Mistake(f"unknown framework {framework!r}: expected one of {', '.join(known)}")
    if reason := known[framework].why_missing():
        raise Mistake(reason)
    selection = Selection(
        implementations=(implementation,), devices=(device,), modes=(mode,), dtypes=(dtype,), checks=(check,), subjects=subjects
    )
    try:
        with running(framework, JudgeOptions(subjects, specs=specs.root)) as (judge, description):
            planned = plan(description, {check: checks[check]}, selection, profile)
            if not planned:
                raise Mistake(
                    f"{target}: found no such target in {framework} {description.version} here, expected one of `conformance list targets`"
                )
            cells = judge.run(planned[0].request(profile.timeout)).cells
            entry = next(i.entry for i in description.implementations if i.name == implementation)
    except ProcessLost as lost:
        raise Mistake(f"{identifier}: {lost}") from None
    ledger = DeviationLedger.today([*specs.deviations, *known_failures(description)])
    return [(ledger.apply(cell), entry) for cell in cells if not quantity or cell.quantity == quantity]
