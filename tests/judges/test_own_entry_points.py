"""What a subject does wrong because its framework does is documented of the framework, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import subjects
from one_target import request_of

from conformance.checks.tally import Observation
from conformance.judges.domain import plain_inputs
from conformance.judges.own_entry_points import OwnEntryPoints, entry_point_of
from conformance.judges.process import JudgeOptions, JudgeProcess
from conformance.numerics.definition import Quantity
from conformance.results.records import Cell, Outcome, Target
from conformance.run.ledger import DeviationLedger
from conformance.runner.frames import Message
from conformance.specs.load import load
from conformance.workers.child import ProcessLost
from conformance.workers.runner import Runner

AS_NUMPY = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("bfloat16",))
def as_numpy(prediction, target):
    return np.mean(np.square(prediction - target))
"""
BY_ONE_LESS = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("bfloat16",))
def by_one_less(prediction, target):
    return np.square(prediction - target).sum() / prediction.dtype.type(max(prediction.size - 1, 1))
"""
SUMS, EXACT = "mse/mean/bound/constant-residual", "mse/mean/law/exact-arithmetic"
"""bfloat16 is summed in bfloat16 by NumPy, of which the first is documented to fail."""


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[JudgeProcess]:
    process = JudgeProcess("numpy", JudgeOptions(subjects=[subjects.write(tmp_path, AS_NUMPY, BY_ONE_LESS)]))
    process.describe()
    yield process
    process.shutdown()


def value(process: JudgeProcess, check: str, implementation: str) -> Cell:
    reply = process.run(request_of(check, implementation, dtype="bfloat16"))
    return next(cell for cell in reply.cells if cell.quantity == "value")


def test_what_the_framework_computes_too_is_a_documented_departure(judge: JudgeProcess) -> None:
    found = value(judge, SUMS, "as_numpy")
    assert (found.outcome, entry_point_of(found.flags)) == (Outcome.FAIL, "written-out.mean")
    applied = DeviationLedger(load().deviations, date.min).apply(found)
    assert applied.outcome is Outcome.DEVIATION
    assert applied.flags == found.flags
    assert value(judge, EXACT, "as_numpy").outcome is Outcome.PASS


def test_what_the_framework_does_not_compute_is_wrong(judge: JudgeProcess) -> None:
    ledger = DeviationLedger(load().deviations, date.min)
    for check in (SUMS, EXACT):
        found = value(judge, check, "by_one_less")
        assert (found.outcome, entry_point_of(found.flags)) == (Outcome.FAIL, "")
        assert ledger.apply(found) == found


def test_what_is_not_documented_is_wrong_whoever_computes_it_too(judge: JudgeProcess) -> None:
    found = value(judge, SUMS, "as_numpy")
    nothing_documented = DeviationLedger([], date.min)
    assert nothing_documented.apply(found) == found


def test_where_they_cannot_be_asked_nothing_is_excused() -> None:
    class Lost(Runner):
        def start(self) -> Message:
            raise ProcessLost("no")

    target = Target(framework="numpy", version="2.4.6", implementation="mine", device="cpu", mode="eager", dtype="bfloat16")
    inputs = plain_inputs(load().operations["mse/mean"].definition, (3,), "bfloat16")
    failed = Observation(inputs, 3, None, inputs.prediction, 0, "")
    own = OwnEntryPoints(lambda: Lost("numpy"), load().deviations)
    for _ in range(2):
        assert own.flag(SUMS, Quantity.VALUE, target, "mse/mean", failed) == ""
