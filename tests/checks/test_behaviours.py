"""Behaviours are asked, answered in settled words, and judged by nobody."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from one_target import CHECKS, SPECS, cells_of

from conformance.checks.behaviours import given, in_words
from conformance.frameworks.messages import settled
from conformance.frameworks.probe import AsIs, Returned
from conformance.numerics.definition import Weights
from conformance.numerics.formats import Array
from conformance.results.records import Cell, Outcome


def mean(p: Array, t: Array) -> Any:
    return np.mean(np.square(p - t))


def asked(question: str, call: Any) -> Cell:
    (cell,) = cells_of(f"mse/mean/behaviour/{question}", call)
    return cell


def test_an_answer_says_what_came_back() -> None:
    cell = asked("column-against-vector", mean)
    assert (cell.kind, cell.outcome) == ("behaviour", Outcome.PASS)
    assert cell.answer == "1.3333 · float32 · shape () · numpy.float32"


def test_an_answer_says_what_was_raised_and_is_no_failure() -> None:
    def refuses(p: Array, t: Array) -> Any:
        if p.shape != t.shape:
            raise ValueError(f"shapes {p.shape} and {t.shape} at 0x7f0000001234")
        return mean(p, t)

    cell = asked("column-against-vector", refuses)
    assert cell.outcome is Outcome.PASS
    assert cell.answer == "raises ValueError: shapes (3, 1) and (3,) at 0x…"


def test_an_answer_says_what_was_warned_of() -> None:
    def warns(p: Array, t: Array) -> Any:
        warnings.warn("sizes differ", UserWarning, stacklevel=1)
        return mean(p, t)

    assert asked("column-against-vector", warns).answer.endswith("warns UserWarning: sizes differ")


@pytest.mark.parametrize(
    "dirty", ["two\nlines", "bell\x07", "x" * 500, "node {{function_node __f_1}} at /usr/lib/python/site-packages/a.py"]
)
def test_settled_words_are_one_short_printable_line(dirty: str) -> None:
    words = settled(dirty)
    assert words.isprintable()
    assert len(words) <= 100
    assert "site-packages" not in words
    assert "function_node" not in words


def test_arrays_lists_and_raw_arrays_are_given_as_the_question_says() -> None:
    kinds: dict[str, type | tuple[type, ...]] = {"tensor": np.ndarray, "python": (list, float, int), "numpy": AsIs, "read-only": AsIs}
    arguments = [argument for question in SPECS.behaviours for argument in (question.prediction, question.target)]
    assert {argument.given for argument in arguments} == set(kinds)
    for argument in arguments:
        made = given(argument)
        assert isinstance(made, kinds[argument.given])
        if argument.given == "read-only":
            assert isinstance(made, AsIs)
            assert not made.array.flags.writeable


def test_long_answers_are_cut() -> None:
    assert in_words(Returned(np.arange(20.0), "numpy.ndarray")).startswith("[0, 1, 2, 3, 4, 5, 6, 7, …] · float64 · shape (20,)")


def test_every_question_is_a_check_of_the_operations_it_names() -> None:
    for question in SPECS.behaviours:
        for operation in question.operations:
            assert CHECKS[f"{operation}/behaviour/{question.id}"].kind == "behaviour"


def test_a_question_with_a_weight_hands_it_over() -> None:
    (cell,) = cells_of("mse/weighted-sum/behaviour/weights-of-rows", lambda p, t, w: np.sum(w * np.square(p - t)))
    assert cell.answer == "58 · float32 · shape () · numpy.float32"


def test_weighted_operations_are_asked_with_weights_and_the_others_without() -> None:
    asked = [(SPECS.operations[name].definition.weights, q.weight) for q in SPECS.behaviours for name in q.operations]
    assert {(weights is Weights.NONE, weight is None) for weights, weight in asked} == {(True, True), (False, False)}
