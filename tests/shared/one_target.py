"""One implementation on one framework, in this process: the cells of one check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from conformance.checks.budget import Budget
from conformance.checks.catalogue import all_checks
from conformance.frameworks import registry
from conformance.frameworks.base import Framework, Implementation, Stream
from conformance.frameworks.vmap import VMAP
from conformance.judges.harness import Harness, open_harness
from conformance.judges.protocol import Request
from conformance.results.records import Cell
from conformance.run.profiles import PROFILES
from conformance.runner.session import Session
from conformance.specs.load import load
from conformance.specs.model import Policy, Specs
from conformance.workers.in_process import InProcess

SPECS = load()
CHECKS = all_checks(SPECS)


def runner_of(framework: Framework, implementations: Sequence[Implementation]) -> InProcess:
    """A runner of implementations in this process; it is not started."""
    return InProcess(Session(framework, {one.name: one for one in implementations}, registry.info_of(framework.name)))


def harness_of(framework: Framework, implementations: Sequence[Implementation], specs: Specs = SPECS) -> Harness:
    """A judge of implementations in this process."""
    return open_harness(runner_of(framework, implementations), specs)


def own_harness(name: str) -> Harness:
    """A judge of a framework's own entry points, in this process; of them nothing is declared."""
    framework = registry.load(name)
    return harness_of(framework, framework.implementations(), replace(SPECS, policies=()))


def request_of(
    check: str, implementation: str, *, mode: str = "eager", dtype: str = "float32", budget: Budget = PROFILES["full"].budget
) -> Request:
    """One check on an implementation, on the CPU."""
    return Request(check=check, implementation=implementation, device="cpu", mode=mode, dtype=dtype, budget=budget, timeout=60)


def cells_of(
    check: str,
    call: Callable[..., Any],
    own_gradient: Callable[..., Any] | None = None,
    *,
    stream: Stream | None = None,
    framework: str = "numpy",
    mode: str = "eager",
    dtype: str = "float32",
    others: Sequence[Implementation] = (),
    policies: Sequence[Policy] = (),
    budget: Budget = PROFILES["full"].budget,
) -> list[Cell]:
    """The cells of one check (``mse/mean/law/swap``) on a function, of which nothing but ``policies`` is declared."""
    operation = "/".join(check.split("/")[:2])
    mine = Implementation("mine.form", "mine", operation, call, (mode,), (dtype,), own_gradient, stream)
    harness = harness_of(registry.load(framework), (mine, *others), replace(SPECS, policies=tuple(policies)))
    info = registry.info_of(framework)
    budget = replace(budget, compiles_each_shape=budget.compiles_each_shape or info.compiles_each_shape(mode))
    if mode == VMAP:
        budget = replace(budget, batch=PROFILES["full"].vmap_batch or budget.batch)
    return list(harness.answer(request_of(check, "mine.form", mode=mode, dtype=dtype, budget=budget)).cells)
