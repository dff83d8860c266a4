from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from conformance.numerics.definition import Quantity
from conformance.numerics.formats import FORMATS
from conformance.numerics.procedures.exact_run import ExactResult, Exacts, ExactSums, Representability
from conformance.numerics.procedures.training import train
from conformance.numerics.tasks import LOSS, METRIC, PARAMETERS, WEIGHTED_METRIC, Samples, TrainingTask, after, evaluated
from conformance.specs.load import load
from conformance.specs.model import ProcedureCase

CASES = [case for name, procedure in load().procedures.items() if name.startswith("training/") for case in procedure.cases]
Parameters = dict[str, Exacts]


def task_of(case: ProcedureCase) -> TrainingTask:
    """The exact task of a case; float64 holds each of its numbers."""

    def exactly(array: Exacts | None) -> Exacts | None:
        return None if array is None else np.frompyfunc(Fraction, 1, 1)(array.astype(np.float64).astype(object))

    def samples(these: Samples | None) -> Samples | None:
        if these is None:
            return None
        inputs, targets, weight = exactly(these.inputs), exactly(these.targets), exactly(these.weight)
        assert inputs is not None
        assert targets is not None
        return Samples(inputs, targets, weight, these.batch)

    task = case.task("float64")
    parameters = {name: exactly(array) for name, array in task.parameters.items()}
    return TrainingTask(parameters, samples(task.samples), task.rate, task.stops, samples(task.evaluation))  # type: ignore[arg-type]  # Fractions in place of floats


def loss(parameters: Parameters, samples: Samples) -> Fraction:
    """The definition, one scalar after the other."""
    first, first_bias, second, second_bias = (parameters[name].tolist() for name in PARAMETERS)
    total, count = Fraction(0), 0
    weights = [Fraction(1)] * len(samples.inputs) if samples.weight is None else samples.weight.tolist()
    for x, t, w in zip(samples.inputs.tolist(), samples.targets.tolist(), weights, strict=True):
        units = [max(sum(x[i] * first[i][u] for i in range(len(x))) + b, Fraction(0)) for u, b in enumerate(first_bias)]
        for o, b in enumerate(second_bias):
            total += w * (sum(h * second[u][o] for u, h in enumerate(units)) + b - t[o]) ** 2
            count += 1
    return total / count


def slope(parameters: Parameters, samples: Samples, name: str, at: tuple[int, ...]) -> Fraction:
    """The loss is a parabola in each single parameter, up to the next kink of the relu: its central difference is its derivative."""
    ends = []
    for h in (Fraction(1, 2**60), Fraction(-1, 2**60)):
        moved = {key: array.copy() for key, array in parameters.items()}
        moved[name][at] += h
        ends.append(loss(moved, samples))
    return (ends[0] - ends[1]) * 2**59


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_stated_numbers_follow_from_difference_quotients(case: ProcedureCase) -> None:
    task = task_of(case)
    parameters = dict(task.parameters)
    stated = {quantity: {name: one.numbers for name, one in named.items()} for quantity, named in case.stated.items()}
    for epoch in range(1, task.epochs + 1):
        seen, elements = Fraction(0), 0
        for batch in task.samples.batches():
            seen, elements = seen + loss(parameters, batch) * len(batch.inputs), elements + len(batch.inputs)
            steps = {
                name: np.array([slope(parameters, batch, name, at) for at in np.ndindex(array.shape)], dtype=object).reshape(array.shape)
                for name, array in parameters.items()
            }
            parameters = {name: array - task.rate * steps[name] for name, array in parameters.items()}
        assert stated[Quantity.LOSS][LOSS][epoch - 1] == seen / elements
        if epoch in task.stops:
            for name in PARAMETERS:
                assert stated[Quantity.PARAMETERS][after(name, epoch)].tolist() == parameters[name].tolist(), name
    if task.evaluation is not None:
        unweighted = Samples(task.evaluation.inputs, task.evaluation.targets, None, task.evaluation.batch)
        assert stated[Quantity.EVALUATION][LOSS] == loss(parameters, task.evaluation)
        assert stated[Quantity.METRIC][evaluated(METRIC)] == loss(parameters, unweighted)
        if task.evaluation.weight is not None:
            by_weights = loss(parameters, task.evaluation) * len(unweighted.inputs) / sum(task.evaluation.weight)
            assert stated[Quantity.METRIC][evaluated(WEIGHTED_METRIC)] == by_weights


def test_both_sides_of_the_relu_are_met_and_something_is_learnt() -> None:
    for case in CASES:
        run = case.exactly()
        assert not run.objections, case.id
        reported = case.stated[Quantity.LOSS][LOSS].numbers.tolist()
        assert reported[-1] < reported[0] or len(reported) == 1, case.id


# ---- what must be representable ----


def one_step(**others: Exacts) -> ExactResult:
    """A network of two units, with other parameters where they are given."""
    numbers = {"hidden-weight": [[1, -1]], "hidden-bias": [0, 0], "output-weight": [[1], [1]], "output-bias": [0]}
    parameters = {name: others.get(name.replace("-", "_"), fractions(rows)) for name, rows in numbers.items()}
    samples = Samples(fractions([[1], [2]]), fractions([[2], [0]]), None, 2)
    return train(TrainingTask(parameters, samples, Fraction(1, 2), (1,)))


def fractions(rows: object) -> Exacts:
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(np.array(rows, dtype=object)))


def test_a_plain_step_fits_every_format() -> None:
    run = one_step()
    assert run.objections == []
    assert [run.first_inexact_step(fmt) for fmt in FORMATS.values()] == [""] * 4
    assert run.arrays[Quantity.LOSS][LOSS].tolist() == [Fraction(5, 2)]
    assert run.arrays[Quantity.PARAMETERS]["output-bias after epoch 1"].tolist() == [Fraction(-1, 2)]


def test_what_does_not_fit_is_named() -> None:
    fine = one_step(output_bias=fractions([Fraction(1, 2**12)]))
    assert fine.first_inexact_step(FORMATS["float16"]) == "a partial sum of the prediction in epoch 1 may round"
    assert fine.first_inexact_step(FORMATS["float32"]) == "a partial sum of the loss of a batch in epoch 1 may round"
    assert fine.first_inexact_step(FORMATS["float64"]) == ""


def test_a_kink_and_a_relu_on_one_side_are_objected_to() -> None:
    assert one_step(hidden_bias=fractions([-1, 0])).objections == [
        "an input of the relu is exactly zero in epoch 1, where frameworks may differ"
    ]
    assert one_step(hidden_weight=fractions([[1, 1]])).objections == ["the relu is on one side only for a whole batch in epoch 1"]


def test_divisions_must_be_exact_in_both_ways_of_dividing() -> None:
    third = Representability("loss", Fraction(3), Fraction(3), Fraction(1), Fraction(3))
    assert third.first_inexact_step(FORMATS["float32"]) == ""
    assert Representability("loss", Fraction(4), Fraction(4), Fraction(1), Fraction(3)).first_inexact_step(FORMATS["float32"]) == (
        "the division of the loss by 3 may round"
    )
    reciprocal = Representability("loss", Fraction(49), Fraction(49), Fraction(1), Fraction(49))  # fl(1/49) · 49 rounds below 1
    assert "may round" in reciprocal.first_inexact_step(FORMATS["float64"])


def test_sums_in_any_order_fit() -> None:
    """2048 is a float16; 1 + 2048 - 2048 is exact only if the large ones are added first."""
    work = ExactSums()
    assert work.sum(fractions([1, 2048, -2048]), 0, "x").tolist() == 1
    assert work.demands[0].first_inexact_step(FORMATS["float16"]) == "a partial sum of the x may round"
    assert work.demands[0].first_inexact_step(FORMATS["float32"]) == ""
