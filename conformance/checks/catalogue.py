"""Every check there is: the cases, families and laws that the specs name, as checks with ids."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.checks.base import Check
from conformance.checks.behaviours import BehaviourCheck
from conformance.checks.bounds import BoundCheck
from conformance.checks.cases import CaseCheck
from conformance.checks.growth import AccuracyCheck, GrowthCheck
from conformance.checks.laws.derivatives import DERIVATIVES
from conformance.checks.laws.dtypes import DTYPES
from conformance.checks.laws.enumerations import ENUMERATIONS
from conformance.checks.laws.identities import IDENTITIES
from conformance.checks.laws.law import ALONE, LawCheck
from conformance.checks.laws.memory import BUFFERS
from conformance.checks.laws.policies import POLICIES
from conformance.checks.laws.relations import RELATIONS
from conformance.checks.laws.state import CALLS
from conformance.checks.laws.streams import STREAMS
from conformance.checks.laws.weights import WEIGHTS
from conformance.checks.procedures import ProcedureCheck
from conformance.results.records import Grade
from conformance.specs.model import Operation, Specs

_MODULES = (ALONE, RELATIONS, IDENTITIES, ENUMERATIONS, DERIVATIVES, BUFFERS, CALLS, STREAMS, DTYPES, POLICIES, WEIGHTS)
_OF_RESULTS = {law.name for laws in (ALONE, RELATIONS, IDENTITIES, ENUMERATIONS, WEIGHTS) for law in laws}
"""Laws of values and gradients alone, which hold of the members of a batch too."""
LAWS = {law.name: law for laws in _MODULES for law in laws}
"""Every law by the name that spec files use."""


def checks_of(operation: Operation) -> list[Check]:
    """The checks of one operation: laws first, then cases, then bounds."""
    name, quantities = operation.name, operation.definition.quantities
    laws: Iterable[Check] = (LawCheck(name, LAWS[law], quantities, law in _OF_RESULTS) for law in operation.laws)
    cases: Iterable[Check] = (CaseCheck(name, case, quantities) for case in operation.cases)
    bounds: Iterable[Check] = (
        GrowthCheck(name) if family == "growth" else BoundCheck(name, family, quantities) for family in operation.families
    )
    accuracy = [AccuracyCheck(name, Grade(operation.accuracy))] if operation.accuracy else []
    return [*laws, *cases, *bounds, *accuracy]


def all_checks(specs: Specs) -> dict[str, Check]:
    """Every check by id."""
    checks = [check for operation in specs.operations.values() for check in checks_of(operation)]
    questions = [BehaviourCheck(operation, question) for question in specs.behaviours for operation in question.operations]
    pinned = [ProcedureCheck(procedure.name, case) for procedure in specs.procedures.values() for case in procedure.cases]
    return {check.id: check for check in [*checks, *pinned, *questions]}
