"""Procedures, training and replicas: from their tables to values, with every literal read and every shape checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.procedures.exact_run import Exacts
from conformance.numerics.procedures.replicas import averaged
from conformance.numerics.procedures.training import train
from conformance.numerics.tasks import (
    LOSS,
    METRIC,
    PARAMETERS,
    WEIGHTED_METRIC,
    ReplicasTask,
    Samples,
    TrainingTask,
    after,
    evaluated,
    on_each,
)
from conformance.specs.build import build_cases
from conformance.specs.grammar import (
    EvaluationTable,
    NetworkTable,
    ProcedureFile,
    ReplicasCaseTable,
    ReplicasFile,
    TrainingCaseTable,
    TrainingFile,
)
from conformance.specs.literals import LiteralError, require_held, show
from conformance.specs.model import PinnedCase, Procedure, ProcedureCase, Stated
from conformance.specs.problems import SpecContext

MOST_ELEMENTS = 4096
"""Of an array: a procedure is worked out number by number."""


def exact_numbers(context: SpecContext, key: str, raw: object, shape: Shape | None, dtypes: Sequence[str] = ()) -> Exacts | None:
    """Finite numbers, of a shape unless it is None; None after a complaint.

    ``dtypes``: those in which the numbers are given to an implementation; none for what is only stated, which may be a fraction.
    """
    numbers = context.array(key, raw, fractions=not dtypes)
    if numbers is None:
        return None
    if shape is not None and numbers.shape != shape:
        context.complain(key, f"shape {list(numbers.shape)}", f"shape {list(shape)}")
        return None
    if not 0 < numbers.size <= MOST_ELEMENTS:
        context.complain(key, f"{numbers.size} numbers", f"from 1 to {MOST_ELEMENTS}")
        return None
    for number, place in zip(numbers.written, numbers.places, strict=True):
        try:
            if isinstance(number, float):
                raise LiteralError(show(str(number)), "a finite number, and 0 without a sign")
            for dtype in dtypes:
                require_held(number, dtype)
        except LiteralError as error:
            context.complain(key + place, error.found, error.expected)
            return None
    exact = np.empty(numbers.size, dtype=object)
    exact[:] = [numbers.number(i) for i in range(numbers.size)]
    return exact.reshape(numbers.shape)


def in_format(numbers: Exacts, dtype: str) -> Array:
    """The exact numbers as an array of ``dtype``; exact, because every number was checked to be one of ``dtype``."""
    array: Array = numbers.astype(np.float64).astype(FORMATS[dtype].dtype)
    return array


# -- training -----------------------------------------------------------------------------------------------------------


def build_training(context: SpecContext, table: TrainingFile) -> Procedure:
    """The procedure of one file; mistakes in it are complained about and left out."""
    cases = build_cases(context, table.case, table.flags, partial(_training_case, weighted=table.weighted))
    return Procedure(table.procedure, table.title, cases, context.file)


def _training_of_dtype(task: TrainingTask, dtype: str) -> TrainingTask:
    """The task with its exact numbers as arrays of ``dtype``."""

    def samples(these: Samples) -> Samples:
        weight = None if these.weight is None else in_format(these.weight, dtype)
        return Samples(in_format(these.inputs, dtype), in_format(these.targets, dtype), weight, these.batch)

    evaluation = None if task.evaluation is None else samples(task.evaluation)
    parameters = {name: in_format(array, dtype) for name, array in task.parameters.items()}
    return TrainingTask(parameters, samples(task.samples), task.rate, task.stops, evaluation)


def _training_case(context: SpecContext, table: TrainingCaseTable, keys: PinnedCase, *, weighted: bool) -> ProcedureCase | None:
    if [a.epoch for a in table.after] != sorted({a.epoch for a in table.after}):
        context.complain("after", show([a.epoch for a in table.after]), "each epoch once, in their order")
    network = _network(context.table("network"), table.network, table.dtypes)
    if network is None:
        return None

    def samples(at: SpecContext, these: TrainingCaseTable | EvaluationTable) -> Samples | None:
        inputs, outputs = network["hidden-weight"].shape[0], network["output-weight"].shape[1]
        return _samples(at, these, inputs, outputs, table.dtypes, weighted=weighted)

    trained = samples(context, table)
    evaluation = None if table.evaluation is None else samples(context.table("evaluation"), table.evaluation)
    rate = exact_numbers(context, "learning-rate", table.learning_rate, (), table.dtypes)
    if trained is None or rate is None:
        return None
    task = TrainingTask(network, trained, Fraction(rate.item()), tuple(a.epoch for a in table.after), evaluation)
    stated = _stated_of_training(context, table, task)
    return ProcedureCase(**vars(keys), task=partial(_training_of_dtype, task), exactly=partial(train, task), stated=stated)


def _network(
    context: SpecContext, table: NetworkTable, dtypes: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None
) -> dict[str, Exacts] | None:
    """The parameters of a table: of known shapes, or of shapes that fit each other."""
    found: dict[str, Exacts] = {}
    for name in PARAMETERS:
        array = exact_numbers(context, name, getattr(table, name.replace("-", "_")), None if shapes is None else shapes[name], dtypes)
        rank = 2 if name.endswith("weight") else 1
        if array is not None and array.ndim != rank:
            context.complain(name, f"rank {array.ndim}", f"rank {rank}")
        elif array is not None:
            found[name] = array
    if len(found) < len(PARAMETERS):
        return None
    units, outputs = found["hidden-weight"].shape[1], found["output-weight"].shape[1]
    for name, shape in (("hidden-bias", (units,)), ("output-weight", (units, outputs)), ("output-bias", (outputs,))):
        if found[name].shape != shape:
            context.complain(name, f"shape {list(found[name].shape)}", f"shape {list(shape)}, as the weights have it")
            return None
    return found


def _samples(
    context: SpecContext, table: TrainingCaseTable | EvaluationTable, inputs: int, outputs: int, dtypes: Sequence[str], *, weighted: bool
) -> Samples | None:
    rows = exact_numbers(context, "inputs", table.inputs, None, dtypes)
    if rows is None:
        return None
    if rows.ndim != 2 or rows.shape[1] != inputs:
        context.complain("inputs", f"shape {list(rows.shape)}", f"a row of {inputs} numbers for each sample")
        return None
    targets = exact_numbers(context, "targets", table.targets, (len(rows), outputs), dtypes)
    weight = None
    for key, raw in (("weight", table.weight), ("weighted-metric", table.weighted_metric)):
        if (raw is not None) != weighted:
            expected = "this key, because the procedure is weighted" if weighted else "none: the procedure is not weighted"
            context.complain(key, "nothing" if raw is None else show(raw), expected)
    if table.weight is not None:
        weight = exact_numbers(context, "weight", table.weight, (len(rows),), dtypes)
        if weight is not None and not sum(weight):
            context.complain("weight", "weights whose sum is 0", "another sum, because the weighted metric is divided by it")
    return None if targets is None or context.wrong else Samples(rows, targets, weight, table.batch)


def _stated_of_training(context: SpecContext, table: TrainingCaseTable, task: TrainingTask) -> Mapping[Quantity, Mapping[str, Stated]]:
    """All that must come back."""
    stated: dict[Quantity, dict[str, Stated]] = {}
    shapes = {name: array.shape for name, array in task.parameters.items()}

    def state(quantity: Quantity, name: str, key: str, raw: object, shape: Shape) -> None:
        numbers = None if raw is None else exact_numbers(context, key, raw, shape)
        if numbers is not None:
            stated.setdefault(quantity, {})[name] = Stated(key, numbers)

    for i, one in enumerate(table.after):
        for name, numbers in (_network(context.table(f"after[{i}]"), one, shapes=shapes) or {}).items():
            stated.setdefault(Quantity.PARAMETERS, {})[after(name, one.epoch)] = Stated(f"after[{i}].{name}", numbers)
    epochs = (task.epochs,)
    state(Quantity.LOSS, LOSS, "loss", table.loss, epochs)
    state(Quantity.METRIC, METRIC, "metric", table.metric, epochs)
    state(Quantity.METRIC, WEIGHTED_METRIC, "weighted-metric", table.weighted_metric, epochs)
    if (last := table.evaluation) is not None:
        state(Quantity.EVALUATION, LOSS, "evaluation.loss", last.loss, ())
        state(Quantity.METRIC, evaluated(METRIC), "evaluation.metric", last.metric, ())
        state(Quantity.METRIC, evaluated(WEIGHTED_METRIC), "evaluation.weighted-metric", last.weighted_metric, ())
    return stated


# -- replicas -----------------------------------------------------------------------------------------------------------


def build_replicas(context: SpecContext, table: ReplicasFile) -> Procedure:
    """The procedure of one file; mistakes in it are complained about and left out."""
    return Procedure(table.procedure, table.title, build_cases(context, table.case, table.flags, _replicas_case), context.file)


def _replicas_of_dtype(task: ReplicasTask, dtype: str) -> ReplicasTask:
    """The task with its exact numbers as arrays of ``dtype``."""
    inputs, targets, parameters = (in_format(array, dtype) for array in (task.inputs, task.targets, task.parameters))
    return ReplicasTask(inputs, targets, parameters, task.shards)


def _replicas_case(context: SpecContext, table: ReplicasCaseTable, keys: PinnedCase) -> ProcedureCase | None:
    inputs = exact_numbers(context, "inputs", table.inputs, None, table.dtypes)
    parameters = exact_numbers(context, "parameters", table.parameters, None, table.dtypes)
    if inputs is None or parameters is None:
        return None
    for key, array in (("inputs", inputs), ("parameters", parameters)):
        if array.ndim != 2:
            context.complain(key, f"rank {array.ndim}", "rank 2")
    if context.wrong:
        return None
    if len(parameters) != inputs.shape[1]:
        context.complain("parameters", f"{len(parameters)} rows", f"{inputs.shape[1]}, one for each number in a row of the inputs")
        return None
    if sum(table.shards) != len(inputs):
        context.complain("shards", show(table.shards), f"numbers of rows whose sum is {len(inputs)}, as the inputs have them")
    targets = exact_numbers(context, "targets", table.targets, (len(inputs), parameters.shape[1]), table.dtypes)
    loss = exact_numbers(context, "loss", table.loss, ())
    gradient = exact_numbers(context, "gradient", table.gradient, parameters.shape)
    if targets is None or loss is None or gradient is None:
        return None
    task = ReplicasTask(inputs, targets, parameters, tuple(table.shards))
    replicas = len(table.shards)
    stated = {
        Quantity.GRADIENT_PARAMETERS: on_each(replicas, Stated("gradient", gradient)),
        Quantity.LOSS: on_each(replicas, Stated("loss", loss)),
    }
    return ProcedureCase(**vars(keys), task=partial(_replicas_of_dtype, task), exactly=partial(averaged, task), stated=stated)


@dataclass(frozen=True)
class ProcedureFamily:
    """``build`` makes the procedure of one file; mistakes in it are complained about, and the cases that have them are left out."""

    model: type[ProcedureFile]
    build: Callable[[SpecContext, Any], Procedure]


PROCEDURE_FAMILIES: Mapping[str, ProcedureFamily] = {
    "training": ProcedureFamily(TrainingFile, build_training),
    "replicas": ProcedureFamily(ReplicasFile, build_replicas),
}
"""The families of procedures, by the folder that their files are in: the format of the files, and what makes a procedure of one."""
