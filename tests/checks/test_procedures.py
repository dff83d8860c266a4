"""What comes of a run of a procedure: every way in which it can fail, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from one_target import CHECKS, cells_of

from conformance.checks.explain import explain
from conformance.frameworks.numpy.training import perform
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.tasks import TrainingTask
from conformance.results.records import Cell, Outcome
from conformance.specs.load import load

CHECK = "training/sgd/case/sgd-one-step"


def cells(change: Callable[[ProcedureResult], Any], dtype: str = "float32") -> dict[str, Cell]:
    """The cells of a right run of which something was changed, by quantity."""

    def call(task: TrainingTask, setting: ExecutionSetting) -> Any:
        return change(perform(task, setting))

    return {cell.quantity: cell for cell in cells_of(CHECK, call, dtype=dtype)}


def with_array(quantity: Quantity, name: str, array: object) -> Callable[[ProcedureResult], ProcedureResult]:
    def change(produced: ProcedureResult) -> ProcedureResult:
        arrays = {**produced.arrays, quantity: {**produced.arrays[quantity], name: np.asarray(array)}}
        return replace(produced, arrays=arrays)

    return change


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_right_run_passes_and_what_it_lacks_is_unsupported(dtype: str) -> None:
    found = cells(lambda produced: produced, dtype)
    assert {quantity: cell.outcome for quantity, cell in found.items()} == {
        "parameters": Outcome.PASS,
        "loss": Outcome.PASS,
        "evaluation": Outcome.PASS,
        "metric": Outcome.UNSUPPORTED,
    }
    assert found["metric"].reason == "a loop written by hand reports no metric beside the loss"


def test_one_wrong_bit_fails_its_quantity_alone() -> None:
    near = math.nextafter(4.125, 5)
    found = cells(with_array(Quantity.LOSS, "loss", [near]))
    assert [quantity for quantity, cell in found.items() if cell.outcome is Outcome.FAIL] == ["loss"]
    cell = found["loss"]
    assert cell.reason == f"loss[0]: found {near!r}, expected exactly 33/8, since nothing rounds"
    assert cell.witness is not None
    assert (cell.witness.observed, cell.witness.expected, cell.witness.element) == (near.hex(), "33/8", 0)
    assert cell.error_ulp == pytest.approx(2.0**-29)


@pytest.mark.parametrize(
    ("change", "outcome", "reason"),
    [
        (with_array(Quantity.LOSS, "loss", 4.125), Outcome.FAIL, "loss: found shape (), expected shape (1,)"),
        (with_array(Quantity.LOSS, "loss", [math.nan]), Outcome.FAIL, "loss[0]: found nan, expected exactly 33/8, since nothing rounds"),
        (lambda p: replace(p, arrays={**p.arrays, Quantity.LOSS: {}}), Outcome.ERROR, "loss: the implementation returned no loss"),
        (lambda p: replace(p, ran=ExecutionSetting("cpu", "jit", "float32")), Outcome.ERROR, "asked for the mode eager, it ran in jit"),
        (lambda p: replace(p, ran=ExecutionSetting("gpu", "eager", "float32")), Outcome.ERROR, "asked for the device cpu, it ran on gpu"),
        (lambda p: replace(p, ran=ExecutionSetting("cpu", "eager", "float64")), Outcome.ERROR, "asked for float32, it ran in float64"),
        (lambda p: p.arrays, Outcome.ERROR, "raised TypeError: the implementation returned dict, expected a ProcedureResult"),
    ],
)
def test_what_is_said(change: Callable[[ProcedureResult], Any], outcome: Outcome, reason: str) -> None:
    cell = cells(change)["loss"]
    assert cell.outcome is outcome
    assert cell.reason.removeprefix("not attested: ") == reason


def test_it_is_explained() -> None:
    lines = list(explain(load(), CHECKS, f"{CHECK}:parameters"))
    assert lines[0] == f"{CHECK}  (case, must)"
    assert "  parameters  output-bias after epoch 1: 2, 1/2" in lines
    assert not any(line.startswith("  loss") for line in lines)
