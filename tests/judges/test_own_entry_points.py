"""What a subject does wrong because its framework does is documented of the framework, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import subjects
from one_target import request_of

from conformance.checks.cases import exactly
from conformance.checks.tally import Observation
from conformance.judges.domain import plain_inputs
from conformance.judges.own_entry_points import OwnEntryPoints, entry_point_of
from conformance.judges.process import JudgeOptions, JudgeProcess
from conformance.numerics.definition import Quantity
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array
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


TARGET = Target(framework="numpy", version="2.4.6", implementation="mine", device="cpu", mode="eager", dtype="bfloat16")
SPECS = load()


@pytest.fixture
def own() -> Iterator[OwnEntryPoints]:
    found = OwnEntryPoints(lambda: Runner("numpy"), SPECS.deviations)
    yield found
    found.close()


def failed(observed: Array, *, is_judged: bool = True) -> Observation:
    """What somebody computed of 2, 1 and 1 against zeros."""
    definition = SPECS.operations["mse/mean"].definition
    inputs = plain_inputs(definition, (3,), "bfloat16")
    oracle = exact(definition, inputs)
    return Observation(inputs, 3, exactly(oracle, Quantity.VALUE, FORMATS["bfloat16"]) if is_judged else None, observed, 0, "")


def flag(own: OwnEntryPoints, failure: Observation, check: str = SUMS) -> str:
    return own.flag(check, Quantity.VALUE, TARGET, "mse/mean", failure)


TWO = np.full((), 2, FORMATS["bfloat16"].dtype)
"""What NumPy makes of them, and so does everybody."""


def test_it_is_flagged_with_the_entry_point_that_agrees(own: OwnEntryPoints) -> None:
    assert entry_point_of([flag(own, failed(TWO))]) == "written-out.mean"


@pytest.mark.parametrize("observed", [-TWO, TWO + TWO, TWO.astype(np.float32), np.stack([TWO, TWO]), np.empty(0, TWO.dtype)], ids=repr)
def test_other_bits_another_dtype_and_another_shape_are_the_subjects_own(own: OwnEntryPoints, observed: Array) -> None:
    assert flag(own, failed(observed)) == ""


def test_what_was_not_held_to_an_exact_number_is_the_subjects_own(own: OwnEntryPoints) -> None:
    assert flag(own, failed(TWO, is_judged=False)) == ""


def test_of_what_is_not_documented_nobody_is_asked() -> None:
    def start() -> Runner:
        raise AssertionError("somebody was asked")

    assert flag(OwnEntryPoints(start, SPECS.deviations), failed(TWO), EXACT) == ""
    assert flag(OwnEntryPoints(start, ()), failed(TWO)) == ""


def test_where_they_cannot_be_asked_nothing_is_excused() -> None:
    class Lost(Runner):
        def start(self) -> Message:
            raise ProcessLost("no")

    nobody = OwnEntryPoints(lambda: Lost("numpy"), SPECS.deviations)
    for _ in range(2):
        assert flag(nobody, failed(TWO)) == ""
