"""One implementation on one framework, in this process: the cells of one check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from conformance.checks.catalogue import all_checks
from conformance.checks.profiles import PROFILES, Profile
from conformance.frameworks import registry
from conformance.frameworks.base import Implementation, Stream
from conformance.results.records import Cell
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
    profile: Profile = PROFILES["full"],
) -> list[Cell]:
    """The cells of one check (``mse/mean/law/swap``) on a function, of which nothing but ``policies`` is declared."""
    operation = "/".join(check.split("/")[:2])
    mine = Implementation("mine.form", "mine", operation, call, (mode,), (dtype,), own_gradient, stream)
    specs = replace(SPECS, policies=tuple(policies))
    asked = replace(profile, first=None, further=None)  # as much as a subject file is put to
    bench = Harness(registry.load(framework), {i.name: i for i in (mine, *others)}, specs, asked, "1", CHECKS)
    return list(bench.answer(Request(check=check, implementation="mine.form", device="cpu", mode=mode, dtype=dtype)).cells)
