"""The self-test of the protocol: our runners keep it, and a runner that breaks it is told where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from conformance.frameworks import registry
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.runner.frames import Message
from conformance.runner.session import Session
from conformance.workers.child import ProcessLost, Question
from conformance.workers.in_process import InProcess
from conformance.workers.self_test import run


def session() -> Session:
    framework = NumpyFramework()
    return Session(framework, {one.name: one for one in framework.implementations()}, registry.info_of("numpy"))


class Spoiling(InProcess):
    """A runner one of whose answers is spoiled."""

    def __init__(self, call: str, change: Mapping[str, Any]) -> None:
        super().__init__(session())
        self.call_name, self.change = call, change

    def begin(self, message: Mapping[str, object], doing: str, timeout: float, ticks: int = 0) -> Question:
        question = super().begin(message, doing, timeout, ticks)
        if message["call"] == self.call_name and question.answer is not None and "raised" not in question.answer:
            question.answer = {**question.answer, **self.change}
        return question


def complaints(runner: InProcess) -> dict[str, str]:
    return {part: complaint for part, complaint in run(runner) if complaint}


def test_ours_keeps_it() -> None:
    assert complaints(InProcess(session())) == {}


@pytest.mark.parametrize(
    ("call", "change", "said"),
    [
        ("prepare", {"handle": "one"}, "found the handle 'one', expected a whole number"),
        ("prepare", {"handle": 1}, "found the handle 1 twice"),
        ("evaluate", {"groups": []}, "expected 1"),
        ("evaluate", {"groups": [{"count": 1, "value": np.zeros(1)}]}, "found no gradients in a result"),
        ("evaluate", {"groups": 3}, "found an answer without what belongs in it"),
        ("call", {"type": None, "warnings": None, "value": None, "changed": {"undone": [], "lasting": ["changes a setting"]}}, ""),
        ("release", {"changed": {"undone": ["changes the locale"], "lasting": []}}, "expected nothing"),
    ],
)
def test_what_breaks_it_is_said(call: str, change: Mapping[str, Any], said: str) -> None:
    found = complaints(Spoiling(call, change))
    assert (said == "") is (found == {})
    assert any(said in complaint for complaint in found.values()) or not said


@pytest.mark.parametrize("missing", ["framework", "devices", "compiling_modes"])
def test_what_is_not_described_is_said(missing: str) -> None:
    runner = InProcess(session())
    described = runner.start()
    del described[missing]
    runner.start = lambda: described  # type: ignore[method-assign]  # a runner that says something else
    assert complaints(runner)["it describes what it has"] == f"found no {missing}"


def test_another_version_is_said() -> None:
    runner = InProcess(session())
    described = {**runner.start(), "protocol": 99}
    runner.start = lambda: described  # type: ignore[method-assign]  # a runner that says something else
    assert complaints(runner)["it describes what it has"] == "found version 99 of the protocol, expected 1"


def test_a_runner_that_does_not_start_is_said() -> None:
    def lost() -> Message:
        raise ProcessLost("the runner died with exit code 1 while starting")

    runner = InProcess(session())
    runner.start = lost  # type: ignore[method-assign]  # a runner that says something else
    assert complaints(runner) == {"it starts": "the runner died with exit code 1 while starting"}
