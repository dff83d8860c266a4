"""One implementation on one framework, in this process: the cells of one check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from conformance.checks.budget import Budget
from conformance.checks.catalogue import all_checks
from conformance.frameworks import registry
from conformance.frameworks.base import Implementation, Stream
from conformance.frameworks.vmap import VMAP
from conformance.results.records import Cell
from conformance.run.profiles import PROFILES
from conformance.specs.load import load
from conformance.specs.model import Policy
from conformance.workers.protocol import Request
from conformance.workers.worker import Harness

SPECS = load()
CHECKS = all_checks(SPECS)


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
    specs = replace(SPECS, policies=tuple(policies))
    harness = Harness(registry.load(framework), {i.name: i for i in (mine, *others)}, specs, "1", CHECKS)
    info = registry.info_of(framework)
    budget = replace(budget, compiles_each_shape=budget.compiles_each_shape or info.compiles_each_shape(mode))
    if mode == VMAP:
        budget = replace(budget, batch=PROFILES["full"].vmap_batch or budget.batch)
    request = Request(check=check, implementation="mine.form", device="cpu", mode=mode, dtype=dtype, budget=budget)
    return list(harness.answer(request).cells)
