"""How small an error is found, and what is left of the input that shows it: a bias, one element of a million, a program that runs alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from one_target import SPECS, harness_of, request_of

from conformance.checks.base import Check
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.reports.reproduce import reproducer
from conformance.results.records import Cell, Outcome
from conformance.subject import Subject, load_subjects

HEADER = """\
import numpy as np
import conformance

def gradients(prediction, target, upstream):
    part = (prediction - target) * (prediction.dtype.type(2 / max(prediction.size, 1)) * upstream)
    return part, -part

@conformance.implementation("mse/{operation}", framework="numpy", dtypes=("{dtype}",))
def {name}(prediction, target):
    {value}

@{name}.gradient
def _(prediction, target, upstream):
    {gradient}
"""
MEAN, NONE = "return np.mean(np.square(prediction - target))", "return np.square(prediction - target)"
GRADIENT = "return gradients(prediction, target, upstream)"
GRADIENT_OF_NONE = "part = 2 * (prediction - target) * upstream; return part, -part"


def written(folder: Path, name: str, *, value: str = MEAN, gradient: str = GRADIENT, operation: str = "mean") -> Subject:
    """A float32 loss in a file of its own."""
    file = folder / f"{name}.py"
    file.write_text(HEADER.format(operation=operation, dtype="float32", name=name, value=value, gradient=gradient), encoding="utf-8")
    (subject,) = load_subjects(file)
    return subject


def failures(subject: Subject, kind: str = "") -> list[Cell]:
    """The cells of every check, or of those of one kind, that fail."""

    def belongs(check: Check) -> bool:
        return check.id.startswith(f"{subject.operation}/{kind}") and "float32" in check.dtypes

    on = harness_of(NumpyFramework(), [subject.implementation()], replace(SPECS, policies=()))
    requests = [request_of(check.id, subject.name) for check in on.checks.values() if belongs(check)]
    return [cell for request in requests for cell in on.answer(request).cells if cell.outcome is Outcome.FAIL]


def test_a_bias_of_a_millionth_is_found_in_a_float32_value(tmp_path: Path) -> None:
    wrong = written(tmp_path, "biased", value="return np.float32(np.mean(np.square(prediction - target).astype(float)) * (1 + 1e-6))")
    assert {cell.quantity for cell in failures(wrong, "bound")} == {"value"}


def test_a_bias_of_a_millionth_is_found_in_a_float32_gradient(tmp_path: Path) -> None:
    biased = "part = gradients(prediction, target, upstream)[0] * np.float32(1 + 1e-6); return part, -part"
    found = failures(written(tmp_path, "biased", gradient=biased), "bound")
    assert {cell.quantity for cell in found} == {"gradient/prediction", "gradient/target"}


@pytest.mark.parametrize("element", [1, 654_321, 999_999])
def test_one_wrong_element_of_a_million_is_found_in_the_value(tmp_path: Path, element: int) -> None:
    doubled = f"result.reshape(-1)[{element}:{element + 1}] *= 1 + (result.size >= 10**6)"
    wrong = written(
        tmp_path,
        "one_wrong",
        operation="none",
        value=f"result = np.square(prediction - target); {doubled}; return result",
        gradient=GRADIENT_OF_NONE,
    )
    found = [cell for cell in failures(wrong, "case") if cell.quantity == "value"]
    assert found
    assert f"element {element} of " in found[0].reason


@pytest.mark.parametrize("element", [1, 654_321, 999_999])
def test_one_wrong_element_of_a_million_is_found_in_a_gradient(tmp_path: Path, element: int) -> None:
    doubled = (
        f"part = gradients(prediction, target, upstream)[0]; part.reshape(-1)[{element}:{element + 1}] *= 1 + (part.size >= 10**6); "
        "return part, -part"
    )
    found = [cell for cell in failures(written(tmp_path, "one_wrong", gradient=doubled), "case") if cell.quantity == "gradient/prediction"]
    assert found
    assert f"element {element} of " in found[0].reason


def test_a_generated_failure_shrinks_and_its_program_runs_alone(tmp_path: Path) -> None:
    clipped = "return np.mean(np.minimum(np.square(prediction - target), np.float32(20)))"
    cell = next(cell for cell in failures(written(tmp_path, "clipped", value=clipped), "bound/ordinary") if cell.quantity == "value")
    assert cell.witness is not None
    numbers = [float.fromhex(text) for text in (*cell.witness.prediction, *cell.witness.target)]
    assert len(cell.witness.prediction) <= 2
    assert all(x == int(x) and abs(x) < 1000 for x in numbers)
    program = reproducer(cell, "clipped.py:clipped")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    found, expected = (line.split()[-1] for line in done.stdout.splitlines()[:2])
    assert float(found) <= 20 < float(expected)
    assert np.isclose(float(found), float.fromhex(cell.witness.observed))
