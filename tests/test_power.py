"""The power of the checks: whatever is wrong fails at least one of them, whatever is right passes them all.

Each miniature runs through the checks of the shipped specs, in this process, on all dtypes. A wrong one may stop at the first cell that
fails; ``pytest -rA`` and the property ``killed-by`` of a JUnit report name that cell.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from conformance.checks.trial import ExpectationCache
from conformance.executors.protocol import Request
from conformance.executors.worker import Bench, open_bench
from conformance.frameworks.base import Device, Implementation
from conformance.frameworks.numpy import NumpyFramework
from conformance.plan import operation_of
from conformance.profiles import PROFILES
from conformance.results import Cell, Outcome
from conformance.subject import DTYPES, Subject, load_subjects

MINIATURES = Path(__file__).parent / "miniatures"
WRONG = ("wrong_value", "wrong_precision", "wrong_range", "wrong_shape", "wrong_gradient", "wrong_state")
RIGHT = ("right", "right_gradient")
HAS_TORCH = importlib.util.find_spec("torch") is not None
GROWTH_SIZES = (1_000, 100_000)
"""The profile's million elements tell no miniature apart that these do not."""


@lru_cache
def miniatures(stem: str) -> list[Subject]:
    return load_subjects(MINIATURES / f"{stem}.py")


def parameters(stems: Sequence[str], torch_stem: str) -> list[object]:
    """One parameter for each miniature, by operation and so by expectations; PyTorch's are skipped where it is not installed."""
    found = [(stem, subject) for stem in (*stems, *((torch_stem,) if HAS_TORCH else ())) for subject in miniatures(stem)]
    found.sort(key=lambda pair: pair[1].operation)
    made: list[object] = [pytest.param(subject, id=f"{stem}/{subject.name}") for stem, subject in found]
    if not HAS_TORCH:
        made.append(pytest.param(None, id=torch_stem, marks=pytest.mark.skip(reason="PyTorch is not installed")))
    return made


@lru_cache
def bench(framework: str) -> Bench:
    opened = open_bench(framework, None, PROFILES["quick"], [])
    opened.profile = replace(opened.profile, growth_sizes=GROWTH_SIZES)
    return opened


@lru_cache
def expectations(operation: str, dtype: str, *, flushes: bool) -> ExpectationCache:
    return ExpectationCache()


def cells(subject: Subject, on: Bench) -> Iterator[Cell]:
    """The cells of a miniature, check after check, each on all its dtypes: whatever is wrong in one dtype only is found early too."""
    implementation: Implementation = subject.implementation()
    on.implementations = {implementation.name: implementation}
    flushing = {dtype for device in on.framework.devices() for dtype in device.flushes_subnormals}
    for check in on.checks.values():
        if operation_of(check) != implementation.operation:
            continue
        for dtype in check.dtypes:
            on.cache = expectations(implementation.operation, dtype, flushes=dtype in flushing)
            request = Request(check=check.id, implementation=implementation.name, device="cpu", mode="eager", dtype=dtype)
            yield from on.answer(request).cells


def rejecting(found: Iterator[Cell]) -> Cell | None:
    """The first cell that rejects a miniature."""
    return next((cell for cell in found if cell.outcome in {Outcome.FAIL, Outcome.ERROR}), None)


def accusations(found: Iterator[Cell]) -> list[str]:
    """Every cell that is not a pass, with its reason and its input."""
    return [f"{cell.id}: {cell.outcome}: {cell.reason} {cell.witness}" for cell in found if cell.outcome is not Outcome.PASS]


@pytest.mark.parametrize("subject", parameters(WRONG, "wrong_torch"))
def test_what_is_wrong_is_rejected(subject: Subject, record_property: Callable[[str, object], None]) -> None:
    killer = rejecting(cells(subject, bench(subject.framework)))
    assert killer is not None, f"no check rejects {subject.name}: {subject.call.__doc__}"
    record_property("killed-by", killer.id)
    print(f"{subject.name}: {killer.id}: {killer.reason}")  # noqa: T201 - what ``pytest -rA`` shows


@pytest.mark.parametrize("subject", parameters(RIGHT, "right_torch"))
def test_what_is_right_is_accepted(subject: Subject) -> None:
    assert accusations(cells(subject, bench(subject.framework))) == []


class FlushingNumpy(NumpyFramework):
    """NumPy on a device that declares to flush."""

    def devices(self) -> Sequence[Device]:
        return (Device("cpu", "cpu", frozenset(DTYPES)),)


def flushing_bench() -> Bench:
    return replace(bench("numpy"), framework=FlushingNumpy(), cache=ExpectationCache())


@pytest.mark.parametrize("subject", miniatures("flushing"), ids=lambda subject: subject.name)
def test_flushing_is_accepted_where_it_is_declared_and_only_there(subject: Subject) -> None:
    assert accusations(cells(subject, flushing_bench())) == []
    assert rejecting(cells(subject, bench("numpy"))) is not None


def test_keeping_subnormals_is_rejected_where_flushing_is_declared() -> None:
    keeping = next(subject for subject in miniatures("right") if subject.name == "computes-in-float64")
    killer = rejecting(cells(keeping, flushing_bench()))
    assert killer is not None
    assert killer.check == "mse/mean/law/subnormals-as-declared"


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    wrong = [subject for stem in WRONG for subject in miniatures(stem)]
    right = [subject for stem in RIGHT for subject in miniatures(stem)]
    waiting = miniatures("later")
    everything = [*wrong, *right, *waiting, *miniatures("flushing")]
    assert {subject.name for subject in waiting} == set(importlib.import_module("later").LATER)
    assert len(wrong) >= 150
    assert len(right) >= 40
    assert len({subject.name for subject in everything}) == len(everything)
    assert [subject.name for subject in everything if not (subject.call.__doc__ or "").strip()] == []
