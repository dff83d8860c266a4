"""The worker process: loads one framework, then answers requests on its pipe until it closes.

A framework may print on stdout, read from stdin, change the working directory or die: the pipe is a private copy of stdout, and
stdout itself is sent to stderr before the framework is imported. A process that uses more memory than it may is refused it by the
system, and one whose engine is gone is ended, by the system too, since a framework that hangs would not notice.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from packaging.utils import canonicalize_name

from conformance.checks.base import Check, EvaluatingCheck, Finding
from conformance.checks.budget import Budget
from conformance.checks.catalogue import all_checks
from conformance.checks.context import CheckContext, ExpectationCache, Sibling
from conformance.checks.procedures import ProcedureCheck
from conformance.frameworks import registry
from conformance.frameworks.base import Evaluate, ExecutionMismatch, Framework, Implementation, Refused, Unsupported
from conformance.frameworks.messages import one_line
from conformance.frameworks.probe import Probe, ScopedProbe
from conformance.frameworks.vmap import VMAP, Batched
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import FORMATS
from conformance.results.records import Cell, Outcome, Target
from conformance.runner.packages import packages_of
from conformance.runner.pipe_and_limits import end_with_the_engine, limit_memory, private_pipe
from conformance.runner.process_state import ProcessState
from conformance.specs.load import load
from conformance.specs.model import Specs
from conformance.specs.policies import declared
from conformance.subject import load_subjects
from conformance.workers.protocol import Description, DeviceDescription, ImplementationDescription, Reply, Request


@dataclass
class Harness:
    """One framework, its implementations and the checks, ready to be asked."""

    framework: Framework
    implementations: dict[str, Implementation]
    specs: Specs
    version: str
    checks: dict[str, Check]
    process_state: ProcessState = field(default_factory=ProcessState)
    watched: bool = False
    """Whether flags of the framework are compared after each check: subject files may change them, adapters do not."""
    cache: ExpectationCache = field(default_factory=ExpectationCache)
    _prepared: tuple[Target, Evaluate | Finding] | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settings = self._flags() if self.watched else {}

    def _flags(self) -> dict[str, str]:
        with self.process_state.framework_state():
            return dict(self.framework.environment().flags)

    def _changed_settings(self) -> tuple[str, ...]:
        """What the implementation changed of the framework's own settings."""
        before, self._settings = self._settings, self._flags() if self.watched else {}
        return tuple(f"changes {name}" for name, value in self._settings.items() if value != before.get(name))

    def description(self) -> Description:
        """What this worker has."""
        with self.process_state.framework_state():
            environment = self.framework.environment()
        named = {canonicalize_name(name) for name in environment.packages}
        info = registry.info_of(self.framework.name)
        below = packages_of(info.requires)
        modes = {mode: None for i in self.implementations.values() for mode in i.modes}
        return Description(
            framework=self.framework.name,
            version=environment.version,
            python=platform.python_version(),
            platform=platform.platform(),
            packages={**environment.packages, **{name: found for name, found in below.items() if name not in named}},
            flags=dict(environment.flags),
            devices=tuple(
                DeviceDescription(name=d.name, kind=d.kind, flushes_subnormals=tuple(sorted(d.flushes_subnormals)))
                for d in self.framework.devices()
            ),
            implementations=tuple(
                ImplementationDescription(name=i.name, entry=i.entry, operation=i.operation, modes=tuple(i.modes), dtypes=tuple(i.dtypes))
                for i in self.implementations.values()
            ),
            usual_mode=info.usual_mode,
            compiling_modes=tuple(mode for mode in modes if info.compiles_each_shape(mode)),
        )

    def answer(self, request: Request) -> Reply:
        """Run one check on one target; whatever is raised becomes the outcome of its cells."""
        check = self.checks[request.check]
        implementation = self.implementations[request.implementation]
        target = Target(
            framework=self.framework.name,
            version=self.version,
            implementation=implementation.name,
            device=request.device,
            mode=request.mode,
            dtype=request.dtype,
        )
        started = time.perf_counter()
        found, uses_random_inputs = self._run(check, implementation, target, request.budget)
        seconds = round(time.perf_counter() - started, 6)
        undone, lasting = self.process_state.restore()
        lasting += self._changed_settings()
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
                flags=(*finding.flags, *undone, *lasting),
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
        return Reply(cells=cells, uses_random_inputs=uses_random_inputs, tainted=bool(lasting))

    def _run(self, check: Check, implementation: Implementation, target: Target, budget: Budget) -> tuple[Sequence[Finding], bool]:
        """What the check found, and whether another seed may find something else."""
        if isinstance(check, ProcedureCheck):  # a run of its own, with nothing to prepare
            return _caught(lambda: check.perform(target, self.process_state.called(implementation.call)), check), False
        assert isinstance(check, EvaluatingCheck), f"{check.id} can be neither performed nor run"
        evaluate = self._prepare(implementation, target)
        if isinstance(evaluate, Finding):
            return [replace(evaluate, quantity=q) for q in check.quantities], False
        device = next(d for d in self.framework.devices() if d.name == target.device)
        context = CheckContext(
            target,
            self.specs.operations[implementation.operation],
            evaluate,
            self.specs.error_model,
            target.dtype in device.flushes_subnormals,
            budget,
            self.cache,
            self._probe(implementation, target),
            lambda: self._siblings(implementation, target),
            self._kept,
            declared(self.specs.policies, target.model_dump()),
        )
        return _caught(lambda: check.run(context), check), context.uses_random_inputs

    def _probe(self, implementation: Implementation, target: Target) -> Probe:
        make = getattr(self.framework, "probe", None)
        if make is None:
            return Probe()
        return ScopedProbe(make(implementation, target.device, target.mode, target.dtype), self.process_state.framework_state)

    def _siblings(self, implementation: Implementation, target: Target) -> list[Sibling]:
        """The implementations with the same name up to its last dot that sum the same squares, in the target's mode and dtype."""
        stem = implementation.name.rpartition(".")[0]
        return [
            Sibling(other.entry, operation.definition, self._prepared_for(other, target))
            for other in self.implementations.values()
            if stem and other.name != implementation.name and other.name.rpartition(".")[0] == stem
            if target.mode in other.modes and target.dtype in other.dtypes
            if (operation := self.specs.operations.get(other.operation)) and operation.definition.sums_plain_squares
        ]

    def _prepare(self, implementation: Implementation, target: Target) -> Evaluate | Finding:
        """Prepare a target once, and smoke it: a broken adapter is told apart from an implementation that does not conform."""
        if self._prepared is None or self._prepared[0] != target:
            self._kept = {}
            self._prepared = (target, self._smoke(implementation, target))
        return self._prepared[1]

    def _prepared_for(self, implementation: Implementation, target: Target) -> Evaluate:
        prepare = self.process_state.called(self.framework.prepare)
        evaluate = self.process_state.called(prepare(implementation, target.device, target.mode, target.dtype))
        return Batched(evaluate) if target.mode == VMAP else evaluate

    def _smoke(self, implementation: Implementation, target: Target) -> Evaluate | Finding:
        dtype = FORMATS[target.dtype].dtype
        definition = self.specs.operations[implementation.operation].definition
        shape = (1,) * (definition.least_rank - 1) + (2,)
        prediction, zeros = np.array([1, 2], dtype).reshape(shape), np.zeros(shape, dtype)
        weight_shape = definition.weight_shape(shape)
        weight = None if weight_shape is None else np.ones(weight_shape, dtype)
        inputs = Inputs(prediction, zeros, weight, np.ones(definition.value_shape(shape), dtype))
        try:
            evaluate = self._prepared_for(implementation, target)
            with suppress(Refused):  # whoever says that it does not take these two is not broken: the checks ask further
                evaluate(inputs)
        except Exception as error:  # noqa: BLE001 - any failure on two plain numbers is the reason of every cell of this target
            outcome, reason, flags = _what_it_means(error)
            before = "before any check, on [1, 2] against zeros: " if outcome is Outcome.ERROR else ""
            return Finding(Quantity.VALUE, outcome, f"{before}{reason}", flags)
        return evaluate


def _number(x: float | None) -> float | None:
    """Six significant digits of a finite number; a measured error needs no more."""
    return None if x is None or not np.isfinite(x) else float(f"{x:.6g}")


def _caught(run: Callable[[], Sequence[Finding]], check: Check) -> Sequence[Finding]:
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - the implementation under test may raise anything
        outcome, reason, flags = _what_it_means(error)
    return [Finding(q, outcome, reason, flags) for q in check.quantities]


def _what_it_means(error: Exception) -> tuple[Outcome, str, tuple[str, ...]]:
    """Outcome, reason and flags of cells whose evaluation raised."""
    match error:
        case Unsupported():
            return Outcome.UNSUPPORTED, str(error)[:300], ()
        case ExecutionMismatch():
            return Outcome.ERROR, f"not attested: {error}"[:300], (f"returns {error.returned}",) if error.returned else ()
        case _:
            return Outcome.ERROR, f"raised {one_line(error)}", ()


def open_harness(name: str, specs_root: Path | None = None, subjects: Sequence[Path] = ()) -> Harness:
    """Load a framework and what is to be tested on it: its own entry points, or those of the subject files."""
    process_state = ProcessState()
    specs = load(specs_root)
    with process_state.framework_state():
        framework = registry.load(name)
        own = () if subjects else framework.implementations()
        mine = [s.implementation() for path in subjects for s in load_subjects(path) if s.adapter == name]
        version = framework.environment().version
    process_state.restore()
    if subjects:
        specs = replace(specs, policies=())  # which are declared of the frameworks' own entry points
    implementations = {i.name: i for i in (*own, *mine) if i.operation in specs.titles}
    return Harness(framework, implementations, specs, version, all_checks(specs), process_state, watched=bool(subjects))


def serve(pipe: TextIO, requests: TextIO, harness: Harness) -> None:
    """Describe the harness, then answer each request with one line."""
    pipe.write(harness.description().model_dump_json() + "\n")
    pipe.flush()
    for line in requests:
        pipe.write(harness.answer(Request.model_validate_json(line)).model_dump_json(exclude_defaults=True) + "\n")
        pipe.flush()


def main() -> None:
    """Entry point: ``python -m conformance.workers.worker FRAMEWORK``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("--specs", type=Path)
    parser.add_argument("--subject", type=Path, action="append", default=[])
    parser.add_argument("--memory", type=int)
    options = parser.parse_args()
    end_with_the_engine()
    pipe, requests = private_pipe()
    if options.memory:
        limit_memory(options.memory)
    try:
        harness = open_harness(options.framework, options.specs, options.subject)
    except Exception as error:  # noqa: BLE001 - an import may fail in any way; the engine shows the reason
        pipe.write(Description(framework=options.framework, failed=one_line(error)).model_dump_json() + "\n")
        pipe.flush()
        sys.exit(1)
    serve(pipe, requests, harness)


if __name__ == "__main__":
    main()
