"""The laws of streams: each is broken by the stream that it is about and by it alone, and kept by what is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from one_target import cells_of

from conformance.numerics.formats import Array
from conformance.reports.reproduce import reproducer
from conformance.results.records import Outcome

Batches = Sequence[tuple[Array, Array]]
LAWS = ("any-split", "any-split-of-a-vector", "empty-batch", "updates-reset")


def mean(p: Array, t: Array) -> Any:
    return np.square(p - t).mean()


def total(batches: Batches) -> Any:
    return sum(np.square(p - t).sum() for p, t in batches)


def right(batches: Batches) -> Any:
    return total(batches) / np.float32(sum(p.size for p, t in batches))


def of_means(batches: Batches) -> Any:
    return np.mean([mean(*batch) for batch in batches if batch[0].size])


def of_vectors(batches: Batches) -> Any:
    return of_means(batches) if batches[0][0].ndim == 1 else right(batches)


def counts_nothing(batches: Batches) -> Any:
    return total(batches) / np.float32(sum(max(p.size, 1) for p, t in batches))


def refuses_nothing(batches: Batches) -> Any:
    if not all(p.size for p, t in batches):
        raise ValueError("found no rows")
    return right(batches)


class Drifts:
    """A last bit that remembers how many streams there were: exact data cannot see it, the interval allows it."""

    streams = 0

    def __call__(self, batches: Batches) -> Any:
        self.streams += 1
        found = right(batches)
        rounds = not (batches[0][0] == np.rint(batches[0][0])).all()
        return np.nextafter(found, np.float32(np.inf)) if rounds and self.streams % 4 < 2 else found  # the first and the third differ


def outcomes(stream: Callable[[Batches], Any] | None, dtype: str = "float32") -> dict[str, Outcome]:
    return {law: cell.outcome for law in LAWS for cell in cells_of(f"mse/mean/law/{law}", mean, stream=stream, dtype=dtype)}


PASS, FAIL = Outcome.PASS, Outcome.FAIL


@pytest.mark.parametrize(
    ("stream", "broken"),
    [
        (right, set()),
        (refuses_nothing, set()),
        (of_means, {"any-split", "any-split-of-a-vector"}),
        (of_vectors, {"any-split-of-a-vector"}),
        (counts_nothing, {"empty-batch"}),
        (Drifts(), {"updates-reset"}),
    ],
)
def test_a_stream_breaks_the_law_that_it_is_about(stream: Callable[[Batches], Any], broken: set[str]) -> None:
    assert {law for law, outcome in outcomes(stream).items() if outcome is not PASS} == broken


def test_without_a_stream_the_cells_say_so() -> None:
    assert set(outcomes(None).values()) == {Outcome.UNSUPPORTED}
    (cell,) = cells_of("mse/mean/law/any-split", mean)
    assert cell.reason == "the implementation takes no stream of batches"


def test_a_failure_tells_how_the_whole_was_cut() -> None:
    (cell,) = cells_of("mse/mean/law/any-split", mean, stream=of_means)
    assert "in batches of 3, 3, 2 rows" in cell.reason
    assert cell.witness is not None
    assert cell.witness.recipe.endswith("batches=3,3,2")
    assert cell.witness.shape == (8, 4)


def test_a_refused_empty_batch_is_a_flag() -> None:
    (cell,) = cells_of("mse/mean/law/empty-batch", mean, stream=refuses_nothing)
    assert "refuses an empty batch: ValueError: found no rows" in cell.flags


def test_a_stream_that_loses_digits_is_an_error() -> None:
    (cell,) = cells_of("mse/mean/law/any-split", mean, stream=lambda batches: np.float32(right(batches)), dtype="float64")
    assert cell.outcome is Outcome.ERROR
    assert "came back as float32" in cell.reason


def test_a_stream_of_sums_is_a_sum() -> None:
    for law in LAWS:
        (cell,) = cells_of(f"mse/sum/law/{law}", lambda p, t: np.square(p - t).sum(), stream=total)
        assert cell.outcome is PASS, cell.reason
    (cell,) = cells_of("mse/sum/law/any-split", lambda p, t: np.square(p - t).sum(), stream=right)
    assert cell.outcome is FAIL


def test_the_program_of_a_failure_cuts_as_the_law_did(capsys: pytest.CaptureFixture[str]) -> None:
    (cell,) = cells_of("mse/mean/law/any-split", mean, stream=of_means)
    program = reproducer(cell, "np.mean([np.mean(np.square(p - t)) for p, t in batches])")
    exec(program, {})  # noqa: S102 - the program that a report shows
    assert cell.witness is not None
    found = int(float.fromhex(cell.witness.observed))
    assert f"found {found}." in cell.reason
    assert f"found    {found}." in capsys.readouterr().out
    assert reproducer(cell, "np.mean(np.square(prediction - target))") == "", "this entry point does not show the stream"
