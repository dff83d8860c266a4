"""The judge of one framework: runs checks on targets that a runner prepares, and makes cells of what they find."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from pydantic import ValidationError

from conformance.checks.base import Check, EvaluatingCheck, Finding
from conformance.checks.budget import Budget
from conformance.checks.catalogue import all_checks
from conformance.checks.context import CheckContext, ExpectationCache, Sibling
from conformance.checks.growth import AccuracyCheck
from conformance.checks.procedures import ProcedureCheck
from conformance.checks.tally import NOTHING
from conformance.frameworks.base import Evaluation, ExecutionMismatch, Refused, Unsupported
from conformance.frameworks.domain import TRUTH_VALUES, Domain, observation
from conformance.frameworks.messages import one_line
from conformance.frameworks.registry import info_of
from conformance.judges.alone import evaluations
from conformance.judges.domain import InDomain, declared_gradients, observed_domain, plain_inputs, smallest
from conformance.judges.lost import LostCounts
from conformance.judges.own_entry_points import OwnEntryPoints
from conformance.judges.protocol import Description, ImplementationDescription, Reply, Request
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Format
from conformance.results.records import Cell, Outcome, Target
from conformance.runner.messages import Raised
from conformance.specs.model import Specs
from conformance.specs.policies import declared
from conformance.workers.child import ProcessLost
from conformance.workers.runner import RemoteTarget, Runner, Turn, run_procedure

OPTIONAL = frozenset({"jvp", "hvp", "batch"})
"""What a subject need not offer, and may refuse in whatever way: its framework says so in words of its own."""


class LostTogether(Exception):
    """The runner was lost while two checks were at work; neither is known to be to blame."""


@dataclass
class Harness:
    """One framework, its implementations and the checks, ready to be asked."""

    runner: Runner
    description: Description
    specs: Specs
    checks: dict[str, Check]
    cache: ExpectationCache = field(default_factory=ExpectationCache)
    losses: LostCounts = field(default_factory=LostCounts)
    own: OwnEntryPoints | None = None
    """Those of the framework, where subjects are judged."""
    _prepared: tuple[Target, RemoteTarget | Finding] | None = None
    _domains: dict[str, tuple[Domain, tuple[str, ...]]] = field(default_factory=dict)
    """Of subjects, by name: what is declared and was observed, and the latter in words."""
    _dtypes: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    """Of subjects that refuse a dtype, by name, device and mode: those that they take."""
    _siblings: list[RemoteTarget] = field(default_factory=list)
    _kept: dict[str, Any] = field(default_factory=dict)
    _foreseen: dict[Quantity, Format] = field(default_factory=dict)
    _spoiled_by: str = ""

    def go_together(self, request: Request, other: Request) -> bool:
        """Whether two checks may be at work at a time: on a prepared entry point of the framework, neither building on the other."""
        checks = [self.checks[one.check] for one in (request, other)]
        target = self._target(request)
        return (
            self._prepared is not None
            and self._prepared[0] == target == self._target(other)
            and all(isinstance(check, EvaluatingCheck) and not isinstance(check, AccuracyCheck) for check in checks)
            and self._implementation(request.implementation).domain is None
        )

    def mostly_computes(self, request: Request) -> bool:
        """Whether a check computes much and asks little."""
        return self.checks[request.check].kind == "bound"

    def answer(self, request: Request, together: Callable[[], bool] = lambda: False) -> Reply:
        """Run one check on one target; whatever is raised becomes the outcome of its cells.

        Args:
            request: what to run.
            together: whether another check was at work too; asked where the runner is lost.

        Raises:
            LostTogether: so it was.
        """
        check, implementation = self.checks[request.check], self._implementation(request.implementation)
        target = self._target(request)
        started = time.perf_counter()
        self.runner.turn = Turn(f"running {check.id}", request.timeout)
        found, uses_random_inputs, changed, lost = self._found(check, implementation, target, request.budget, together)
        seconds = round(time.perf_counter() - started, 6)
        cells = tuple(
            Cell(
                check=check.id,
                kind=check.kind,
                level=check.level,
                operation=implementation.operation,
                quantity=finding.quantity.value,
                target=target,
                outcome=finding.outcome,
                reason=finding.reason,
                flags=(*finding.flags, *changed),
                error_u=_number(finding.error_u),
                error_ulp=_number(finding.error_ulp),
                error_over_bound=_number(finding.error_over_bound),
                grade=finding.grade,
                witness=finding.witness,
                growth=finding.growth,
                answer=finding.answer,
                evaluations=finding.evaluations,
                seconds=round(seconds / len(found), 6),
            )
            for finding in found
        )
        return Reply(cells=cells, uses_random_inputs=uses_random_inputs, lost=lost)

    def _target(self, request: Request) -> Target:
        return Target(
            framework=self.description.framework,
            version=self.description.version,
            implementation=request.implementation,
            device=request.device,
            mode=request.mode,
            dtype=request.dtype,
        )

    def _implementation(self, name: str) -> ImplementationDescription:
        return next(one for one in self.description.implementations if one.name == name)

    def _found(
        self,
        check: Check,
        implementation: ImplementationDescription,
        target: Target,
        budget: Budget,
        together: Callable[[], bool],
    ) -> tuple[Sequence[Finding], bool, Sequence[str], bool]:
        """The findings, whether another seed may find something else, what was changed of the process, and whether that was lost."""
        if reason := self.losses.given_up(target):
            return _everywhere(check, Outcome.ERROR, reason), False, (), True
        turn = self.runner.turn
        try:
            if not self.runner.is_running or self._spoiled_by not in ("", target.implementation):
                self._prepared, self._spoiled_by = None, ""  # what one implementation changed is none of another's business
                self.runner.start()
            try:
                found, uses_random_inputs = self._run(check, implementation, target, budget)
                self.runner.settle()
            finally:
                if turn.answers:
                    self.losses.note_answer(target)
        except ProcessLost as lost:
            self._prepared = None
            if together():
                raise LostTogether from None
            self.losses.note(target, str(lost))
            return _everywhere(check, Outcome.ERROR, str(lost)), False, (), True
        if turn.lasting:
            self._spoiled_by = target.implementation
        return found, uses_random_inputs, (*turn.undone, *turn.lasting), False

    def _run(
        self, check: Check, implementation: ImplementationDescription, target: Target, budget: Budget
    ) -> tuple[Sequence[Finding], bool]:
        if isinstance(check, ProcedureCheck):  # a run of its own, with nothing to prepare
            procedure = partial(run_procedure, self.runner, target.implementation)
            return _caught(lambda: check.perform(target, procedure), check), False
        assert isinstance(check, EvaluatingCheck), f"{check.id} can be neither performed nor run"
        prepared = self._prepare(implementation, target)
        if isinstance(prepared, Finding):
            return [replace(prepared, quantity=q) for q in check.quantities], False
        prepared = copy(prepared)  # another check may ask for a number of threads meanwhile
        device = next(d for d in self.description.devices if d.name == target.device)
        domain, observed = self._domains.get(target.implementation, (None, ()))
        flushes = target.dtype in device.flushes_subnormals
        if domain is not None:
            eager, compiled = domain.fitted(budget.eager_shapes), domain.fitted(budget.compiled_shapes)
            budget = replace(budget, eager_shapes=eager, compiled_shapes=compiled)
            flushes = flushes or domain.flushes_subnormals
        context = CheckContext(
            target,
            self.specs.operations[implementation.operation],
            prepared if domain is None else InDomain(prepared, domain, self.specs.operations[implementation.operation].definition),
            self.specs.error_model,
            flushes,
            budget,
            self.cache,
            prepared.probe,
            lambda: self._prepared_siblings(target),
            self._kept,
            declared(self.specs.policies, target.model_dump()),
            domain=domain,
            alone=self._alone(implementation, target),
            foreseen=self._foreseen,
        )
        found = _caught(lambda: check.run(context), check)
        if domain is not None:
            found = [_in_domain(self._beside_own(finding, check, context), check, domain, observed) for finding in found]
        return found, context.uses_random_inputs

    def _beside_own(self, finding: Finding, check: Check, context: CheckContext) -> Finding:
        """With a flag where the framework itself does wrong what a subject does."""
        failed = context.tallies[finding.quantity].failed if finding.quantity in context.tallies else None
        if self.own is None or failed is None or finding.outcome is not Outcome.FAIL:
            return finding
        flag = self.own.flag(check.id, finding.quantity, context.target, check.operation, failed)
        return replace(finding, flags=(*finding.flags, flag)) if flag else finding

    def _alone(
        self, implementation: ImplementationDescription, target: Target
    ) -> Callable[[Sequence[Inputs]], Sequence[Evaluation]] | None:
        """What runs a subject in a program of its own."""
        options, name = self.runner.options, implementation.entry.partition(":")[0]
        file = next((path for path in options.subjects if path.name == name), None)
        if file is None:
            return None
        domain, _ = self._domains.get(implementation.name, (Domain(), ()))
        info = info_of(target.framework)

        def run(inputs: Sequence[Inputs]) -> list[Evaluation]:
            found = evaluations(info, file, target, inputs, options, domain)
            return [declared_gradients(one, domain) if one.gradients else one for one in found]

        return run

    def _prepared_siblings(self, target: Target) -> list[Sibling]:
        """The implementations with the same name up to its last dot that sum the same squares, in the target's mode and dtype."""
        stem = target.implementation.rpartition(".")[0]
        found = []
        for other in self.description.implementations:
            if not stem or other.name == target.implementation or other.name.rpartition(".")[0] != stem:
                continue
            operation = self.specs.operations.get(other.operation)
            if operation and operation.definition.sums_plain_squares and target.mode in other.modes and target.dtype in other.dtypes:
                self._siblings.append(self._remote(other.name, target))
                found.append(Sibling(other.entry, operation.definition, self._siblings[-1]))
        return found

    def _prepare(self, implementation: ImplementationDescription, target: Target) -> RemoteTarget | Finding:
        """Prepare a target once, and smoke it: a broken adapter is told apart from an implementation that does not conform."""
        if self._prepared is None or self._prepared[0] != target:
            if self._prepared is not None and isinstance(self._prepared[1], RemoteTarget):
                for one in (self._prepared[1], *self._siblings):
                    one.release()
            self._siblings, self._kept, self._foreseen = [], {}, {}
            self._prepared = None
            self._prepared = (target, self._smoke(implementation, target))
        return self._prepared[1]

    def _remote(self, implementation: str, target: Target) -> RemoteTarget:
        compiles = target.mode in self.description.compiling_modes
        return RemoteTarget(self.runner, implementation, target.device, target.mode, target.dtype, compiles)

    def _observe_domain(self, remote: RemoteTarget, implementation: ImplementationDescription, target: Target) -> None:
        """What a subject takes is found out once, and holds for all of its targets."""
        if implementation.domain is None:
            return
        definition = self.specs.operations[implementation.operation].definition
        program = info_of(target.framework).program
        if implementation.name not in self._domains:
            self._domains[implementation.name] = observed_domain(
                remote, definition, implementation.domain, target.dtype, differentiates=bool(program and program.gradient)
            )
        domain, _ = self._domains[implementation.name]
        remote.truth_values = domain.mask_dtype == "bool"
        remote.optional = OPTIONAL - ({"hvp"} if domain.second_derivative else set())

    def _smoke(self, implementation: ImplementationDescription, target: Target) -> RemoteTarget | Finding:
        try:
            return self._smoked(implementation, target)
        except ProcessLost:
            raise
        except Exception as error:  # noqa: BLE001 - any failure on two plain numbers is the reason of every cell of this target
            outcome, reason, flags = _what_it_means(error)
            if implementation.domain is not None and implementation.domain.dtypes_declared and outcome is Outcome.UNSUPPORTED:
                outcome = Outcome.ERROR  # it says itself that it takes the dtype
            if isinstance(error, Raised) and (taken := self._takes_only(implementation, target)):
                seen = observation(f"takes {' and '.join(taken)} only", f"dtypes={taken}")
                return Finding(Quantity.VALUE, Outcome.UNSUPPORTED, f"it refuses {target.dtype}: {one_line(error)}", (*flags, seen))
            before = "before any check, on [1, 2] against zeros: " if outcome is Outcome.ERROR else ""
            return Finding(Quantity.VALUE, outcome, f"{before}{reason}", flags)

    def _smoked(self, implementation: ImplementationDescription, target: Target) -> RemoteTarget:
        """A target that has answered on plain numbers.

        Raises:
            ProcessLost: it did not survive them.
            Exception: what it raised.
        """
        definition = self.specs.operations[implementation.operation].definition
        remote = self._remote(implementation.name, target)
        self._observe_domain(remote, implementation, target)
        domain, _ = self._domains.get(implementation.name, (None, ()))
        with suppress(Refused):  # whoever says that it does not take these two is not broken: the checks ask further
            remote(plain_inputs(definition, smallest(definition, domain), target.dtype))
        return remote

    def _takes_only(self, implementation: ImplementationDescription, target: Target) -> tuple[str, ...]:
        """The dtypes that a subject takes where it declares none and refuses one; nothing where it takes none at all."""
        if implementation.domain is None or implementation.domain.dtypes_declared:
            return ()
        key = (implementation.name, target.device, target.mode)
        if key not in self._dtypes:
            taken = [dtype for dtype in implementation.dtypes if self._takes(implementation, target.model_copy(update={"dtype": dtype}))]
            self._dtypes[key] = tuple(taken)
        return self._dtypes[key]

    def _takes(self, implementation: ImplementationDescription, target: Target) -> bool:
        try:
            self._smoked(implementation, target).release()
        except ProcessLost:
            raise
        except Exception:  # noqa: BLE001 - in whatever way it refuses
            return False
        return True


def _in_domain(finding: Finding, check: Check, domain: Domain, observed: Sequence[str]) -> Finding:
    """What is found of a subject outside of its domain is told, and not judged."""
    flags = (*finding.flags, *observed, *([TRUTH_VALUES] if domain.mask_dtype else []))
    if finding.outcome is Outcome.UNSUPPORTED and check.claims and getattr(domain, check.claims):
        return replace(finding, outcome=Outcome.FAIL, reason=f"it declares {check.claims}=True, and {finding.reason}", flags=flags)
    if finding.outcome in {Outcome.FAIL, Outcome.ERROR} and check.claims and not getattr(domain, check.claims):
        reason = f"outside of its domain, as {check.claims}=True is not declared: {finding.reason}"
        return Finding(finding.quantity, Outcome.UNSUPPORTED, reason, flags)
    if finding.outcome is Outcome.ERROR and finding.reason == NOTHING and domain.is_limited:
        return Finding(finding.quantity, Outcome.UNSUPPORTED, f"none of its inputs is in the domain: {domain.in_words()}", flags)
    return replace(finding, flags=flags)


def _number(x: float | None) -> float | None:
    """Six significant digits of a finite number; a measured error needs no more."""
    return None if x is None or not np.isfinite(x) else float(f"{x:.6g}")


def _everywhere(check: Check, outcome: Outcome, reason: str, flags: tuple[str, ...] = ()) -> list[Finding]:
    return [Finding(quantity, outcome, reason, flags) for quantity in check.quantities]


def _caught(run: Callable[[], Sequence[Finding]], check: Check) -> Sequence[Finding]:
    try:
        return run()
    except ProcessLost:
        raise
    except Exception as error:  # noqa: BLE001 - the implementation under test may raise anything
        return _everywhere(check, *_what_it_means(error))


def _what_it_means(error: Exception) -> tuple[Outcome, str, tuple[str, ...]]:
    """Outcome, reason and flags of cells whose evaluation raised."""
    match error:
        case Unsupported():
            return Outcome.UNSUPPORTED, str(error)[:300], ()
        case ExecutionMismatch():
            return Outcome.ERROR, f"not attested: {error}"[:300], (f"returns {error.returned}",) if error.returned else ()
        case Raised():
            return Outcome.ERROR, f"raised {one_line(error)}", ()
        case _:
            return Outcome.ERROR, f"the check itself could not be made of what came back: {one_line(error)}", ()


def open_harness(runner: Runner, specs: Specs) -> Harness:
    """Start a runner, and judge what it has of the operations that there are.

    Raises:
        ProcessLost: it could not be started, or describes what no runner has.
    """
    started = runner.start()
    try:
        known = [one for one in started["implementations"] if one["operation"] in specs.titles]
        description = Description.model_validate({**started, "implementations": known})
    except (KeyError, TypeError, ValidationError):
        raise ProcessLost("the runner's first message was not a description of its framework") from None
    if runner.options.subjects:
        specs = replace(specs, policies=())  # which are declared of the frameworks' own entry points
    return Harness(runner, description, specs, all_checks(specs))
