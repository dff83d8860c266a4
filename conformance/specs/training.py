"""Training files: from their tables to procedures, with every literal read and every shape checked."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path

from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.procedures.exact_run import Exacts
from conformance.numerics.procedures.training import train
from conformance.numerics.tasks import LOSS, METRIC, PARAMETERS, WEIGHTED_METRIC, Samples, TrainingTask, after, evaluated
from conformance.specs.cases import PinnedBuilder, in_format
from conformance.specs.grammar import EvaluationTable, NetworkTable, TrainingCaseTable, TrainingFile
from conformance.specs.literals import show
from conformance.specs.model import Procedure, ProcedureCase, Stated
from conformance.specs.read import Reader


def build_training(reader: Reader, file: Path, table: TrainingFile) -> Procedure:
    """The procedure of one file; mistakes in it are complained about to ``reader`` and left out."""
    cases = [_CaseBuilder(reader, file, table, case).build() for case in table.case]
    return Procedure(table.procedure, table.title, tuple(case for case in cases if case is not None), file)


def _of_dtype(task: TrainingTask, dtype: str) -> TrainingTask:
    """The task with its exact numbers as arrays of ``dtype``."""

    def samples(these: Samples) -> Samples:
        weight = None if these.weight is None else in_format(these.weight, dtype)
        return Samples(in_format(these.inputs, dtype), in_format(these.targets, dtype), weight, these.batch)

    evaluation = None if task.evaluation is None else samples(task.evaluation)
    parameters = {name: in_format(array, dtype) for name, array in task.parameters.items()}
    return TrainingTask(parameters, samples(task.samples), task.rate, task.stops, evaluation)


class _CaseBuilder(PinnedBuilder[TrainingFile, TrainingCaseTable]):
    def build(self) -> ProcedureCase | None:
        table = self.table
        self.check_own_keys()
        if [a.epoch for a in table.after] != sorted({a.epoch for a in table.after}):
            self.complain("after", show([a.epoch for a in table.after]), "each epoch once, in their order")
        network = self._network("network", table.network, given=True)
        if network is None:
            return None
        inputs, outputs = network["hidden-weight"].shape[0], network["output-weight"].shape[1]
        samples = self._samples("", table, inputs, outputs)
        evaluation = None if table.evaluation is None else self._samples("evaluation.", table.evaluation, inputs, outputs)
        rate = self.numbers("learning-rate", table.learning_rate, (), given=True)
        if samples is None or rate is None:
            return None
        task = TrainingTask(network, samples, Fraction(rate.item()), tuple(a.epoch for a in table.after), evaluation)
        stated = self._stated(task)
        return None if self.wrong else self.case(partial(_of_dtype, task), partial(train, task), stated)

    def _network(
        self, key: str, table: NetworkTable, shapes: Mapping[str, Shape] | None = None, *, given: bool
    ) -> dict[str, Exacts] | None:
        """The parameters of a table: of known shapes, or of shapes that fit each other."""
        found: dict[str, Exacts] = {}
        for name in PARAMETERS:
            array = self.numbers(
                f"{key}.{name}", getattr(table, name.replace("-", "_")), None if shapes is None else shapes[name], given=given
            )
            rank = 2 if name.endswith("weight") else 1
            if array is not None and array.ndim != rank:
                self.complain(f"{key}.{name}", f"rank {array.ndim}", f"rank {rank}")
                array = None
            if array is not None:
                found[name] = array
        if len(found) < len(PARAMETERS):
            return None
        units, outputs = found["hidden-weight"].shape[1], found["output-weight"].shape[1]
        for name, shape in (("hidden-bias", (units,)), ("output-weight", (units, outputs)), ("output-bias", (outputs,))):
            if found[name].shape != shape:
                self.complain(f"{key}.{name}", f"shape {list(found[name].shape)}", f"shape {list(shape)}, as the weights have it")
                return None
        return found

    def _samples(self, prefix: str, table: TrainingCaseTable | EvaluationTable, inputs: int, outputs: int) -> Samples | None:
        rows = self.numbers(f"{prefix}inputs", table.inputs, None, given=True)
        if rows is None:
            return None
        if rows.ndim != 2 or rows.shape[1] != inputs:
            self.complain(f"{prefix}inputs", f"shape {list(rows.shape)}", f"a row of {inputs} numbers for each sample")
            return None
        targets = self.numbers(f"{prefix}targets", table.targets, (len(rows), outputs), given=True)
        weight = None
        for key, raw in (("weight", table.weight), ("weighted-metric", table.weighted_metric)):
            if (raw is not None) != self.whole.weighted:
                expected = "this key, because the procedure is weighted" if self.whole.weighted else "none: the procedure is not weighted"
                self.complain(prefix + key, "nothing" if raw is None else show(raw), expected)
        if table.weight is not None:
            weight = self.numbers(f"{prefix}weight", table.weight, (len(rows),), given=True)
            if weight is not None and not sum(weight):
                self.complain(f"{prefix}weight", "weights whose sum is 0", "another sum, because the weighted metric is divided by it")
        return None if targets is None or self.wrong else Samples(rows, targets, weight, table.batch)

    def _stated(self, task: TrainingTask) -> Mapping[Quantity, Mapping[str, Stated]]:
        """All that must come back."""
        table, stated = self.table, dict[Quantity, dict[str, Stated]]()
        shapes = {name: array.shape for name, array in task.parameters.items()}

        def state(quantity: Quantity, name: str, key: str, raw: object, shape: Shape) -> None:
            numbers = None if raw is None else self.numbers(key, raw, shape, given=False)
            if numbers is not None:
                stated.setdefault(quantity, {})[name] = Stated(key, numbers)

        for i, one in enumerate(table.after):
            for name, numbers in (self._network(f"after[{i}]", one, shapes, given=False) or {}).items():
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
