"""Every check there is: the cases, families and laws that the specs name, as checks with ids."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from conformance.checks import laws
from conformance.checks.base import Check
from conformance.checks.behaviours import BehaviourCheck
from conformance.checks.bounds import BoundCheck
from conformance.checks.cases import CaseCheck
from conformance.checks.growth import AccuracyCheck, GrowthCheck
from conformance.checks.laws.law import LAWS, LawCheck
from conformance.checks.procedures import ProcedureCheck
from conformance.results.records import Grade
from conformance.specs.model import Operation, Specs

for _module in pkgutil.iter_modules(laws.__path__, f"{laws.__name__}."):
    import_module(_module.name)  # where each law registers itself


def checks_of(operation: Operation) -> list[Check]:
    """The checks of one operation: laws first, in the order of its spec, then cases, then bounds."""
    name, quantities = operation.name, operation.definition.quantities
    further = [law.name for law in LAWS.values() if law.name not in operation.laws and law.is_law_of(operation)]
    own: Iterable[Check] = (LawCheck.of(name, LAWS[law], quantities) for law in [*operation.laws, *further])
    cases: Iterable[Check] = (CaseCheck.of(name, case, quantities) for case in operation.cases)
    bounds: Iterable[Check] = (
        GrowthCheck(operation=name) if family == "growth" else BoundCheck.of(name, family, quantities) for family in operation.families
    )
    accuracy = [AccuracyCheck.of(name, Grade(operation.accuracy))] if operation.accuracy else []
    return [*own, *cases, *bounds, *accuracy]


def all_checks(specs: Specs) -> dict[str, Check]:
    """Every check by id."""
    checks = [check for operation in specs.operations.values() for check in checks_of(operation)]
    questions = [BehaviourCheck.of(operation, question) for question in specs.behaviours for operation in question.operations]
    pinned = [ProcedureCheck.of(procedure.name, case) for procedure in specs.procedures.values() for case in procedure.cases]
    return {check.id: check for check in [*checks, *pinned, *questions]}
