"""Laws of subjects: after many calls, between two calls, between two passes, and without the suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import subjects
from one_target import SPECS, cells_of, request_of

from conformance.judges.harness import open_harness
from conformance.numerics.formats import Array
from conformance.results.records import Cell, Outcome
from conformance.workers.runner import Runner, RunnerOptions


def mean(p: Array, t: Array) -> Any:
    return np.square(p - t).mean()


def gradient(p: Array, t: Array, upstream: Array) -> tuple[Array, Array]:
    part = (2 * upstream / p.dtype.type(p.size)) * (p - t)
    return part, -part


class Tires:
    """One more than it should be after so many calls."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, p: Array, t: Array) -> Any:
        self.left -= 1
        return mean(p, t) + (self.left < 0)


class OneBuffer:
    """Each result lies where the one before did."""

    def __init__(self) -> None:
        self.buffer = np.empty((), np.float32)

    def __call__(self, p: Array, t: Array) -> Any:
        self.buffer[...] = mean(p, t)
        return self.buffer


class LastPass:
    """A gradient of what was seen last, whatever it is asked of."""

    def __call__(self, p: Array, t: Array) -> Any:
        self.seen = p, t
        return mean(p, t)

    def gradient(self, *arguments: Array) -> tuple[Array, Array]:
        return gradient(*self.seen, arguments[-1])


def outcomes(cells: list[Cell]) -> set[Outcome]:
    return {cell.outcome for cell in cells}


@pytest.mark.parametrize("law", ["endurance", "results-stay", "two-graphs"])
def test_a_law_is_kept_by_what_is_right(law: str) -> None:
    assert outcomes(cells_of(f"mse/mean/law/{law}", mean, gradient)) == {Outcome.PASS}


def test_what_changes_after_a_thousand_calls_does_not_endure() -> None:
    (cell,) = (cell for cell in cells_of("mse/mean/law/endurance", Tires(1000), gradient) if cell.outcome is Outcome.FAIL)
    assert cell.quantity == "value"
    assert cell.witness is not None
    assert re.match(r"after \d{4,} calls: ", cell.witness.recipe)


def test_a_buffer_that_is_used_again_does_not_stay() -> None:
    (cell,) = cells_of("mse/mean/law/results-stay", OneBuffer())
    assert cell.outcome is Outcome.FAIL
    assert "after the next call" in cell.reason


def test_a_forward_pass_that_is_remembered_is_that_of_another_graph() -> None:
    loss = LastPass()
    (cell,) = cells_of("mse/mean/law/two-graphs", loss, loss.gradient)
    assert cell.outcome is Outcome.FAIL
    assert "another loss between its two passes" in cell.reason


# ---- without the suite ----

WATCHED = "if not any(name.startswith('conformance.runner') for name in sys.modules): return np.float32(7)"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[[str], list[Cell]]]:
    """The cells of a subject in a file."""
    runners: list[Runner] = []

    def cells(function: str) -> list[Cell]:
        runners.append(Runner("numpy", RunnerOptions(subjects=[subjects.write(tmp_path, function)])))
        return list(open_harness(runners[-1], SPECS).answer(request_of("mse/mean/law/by-itself", "right")).cells)

    yield cells
    for runner in runners:
        runner.shutdown()


def test_what_is_right_is_so_by_itself(alone: Callable[[str], list[Cell]]) -> None:
    assert outcomes(alone(subjects.RIGHT)) == {Outcome.PASS}


def test_what_is_right_only_while_it_is_watched_is_wrong(alone: Callable[[str], list[Cell]]) -> None:
    cells = alone(subjects.RIGHT.replace("    return np.mean", f"    {WATCHED}\n    return np.mean"))
    (value,) = [cell for cell in cells if cell.quantity == "value"]
    assert value.outcome is Outcome.FAIL
    assert value.reason.startswith("value: found 7.0, ")
    assert value.reason.endswith("without the suite")


def test_what_does_not_run_by_itself_says_why(alone: Callable[[str], list[Cell]]) -> None:
    cells = alone(
        subjects.RIGHT.replace(
            "    return np.mean", f"    {WATCHED.replace('return np.float32(7)', 'raise OSError(3)')}\n    return np.mean"
        )
    )
    assert outcomes(cells) == {Outcome.ERROR}
    assert {"by itself, without the suite, it does not run; its last words: OSError: 3" in cell.reason for cell in cells} == {True}


def test_what_has_no_file_is_not_run_by_itself() -> None:
    assert outcomes(cells_of("mse/mean/law/by-itself", mean, gradient)) == {Outcome.UNSUPPORTED}
