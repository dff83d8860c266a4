"""Files of replicas: from their tables to procedures, with every literal read and every shape checked."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from conformance.numerics.definition import Quantity
from conformance.numerics.procedures.replicas import averaged
from conformance.numerics.tasks import ReplicasTask, on_each
from conformance.specs.cases import PinnedBuilder, in_format
from conformance.specs.grammar import ReplicasCaseTable, ReplicasFile
from conformance.specs.literals import show
from conformance.specs.model import Procedure, ProcedureCase, Stated
from conformance.specs.read import Reader


def build_replicas(reader: Reader, file: Path, table: ReplicasFile) -> Procedure:
    """The procedure of one file; mistakes in it are complained about to ``reader`` and left out."""
    cases = [_CaseBuilder(reader, file, table, case).build() for case in table.case]
    return Procedure(table.procedure, table.title, tuple(case for case in cases if case is not None), file)


def _of_dtype(task: ReplicasTask, dtype: str) -> ReplicasTask:
    """The task with its exact numbers as arrays of ``dtype``."""
    inputs, targets, parameters = (in_format(array, dtype) for array in (task.inputs, task.targets, task.parameters))
    return ReplicasTask(inputs, targets, parameters, task.shards)


class _CaseBuilder(PinnedBuilder[ReplicasFile, ReplicasCaseTable]):
    def build(self) -> ProcedureCase | None:
        table = self.table
        self.check_own_keys()
        inputs = self.numbers("inputs", table.inputs, None, given=True)
        parameters = self.numbers("parameters", table.parameters, None, given=True)
        if inputs is None or parameters is None:
            return None
        for key, array in (("inputs", inputs), ("parameters", parameters)):
            if array.ndim != 2:
                self.complain(key, f"rank {array.ndim}", "rank 2")
        if self.wrong:
            return None
        if len(parameters) != inputs.shape[1]:
            self.complain("parameters", f"{len(parameters)} rows", f"{inputs.shape[1]}, one for each number in a row of the inputs")
            return None
        if sum(table.shards) != len(inputs):
            self.complain("shards", show(table.shards), f"numbers of rows whose sum is {len(inputs)}, as the inputs have them")
        targets = self.numbers("targets", table.targets, (len(inputs), parameters.shape[1]), given=True)
        loss = self.numbers("loss", table.loss, (), given=False)
        gradient = self.numbers("gradient", table.gradient, parameters.shape, given=False)
        if targets is None or loss is None or gradient is None or self.wrong:
            return None
        task = ReplicasTask(inputs, targets, parameters, tuple(table.shards))
        replicas = len(table.shards)
        stated = {
            Quantity.GRADIENT_PARAMETERS: on_each(replicas, Stated("gradient", gradient)),
            Quantity.LOSS: on_each(replicas, Stated("loss", loss)),
        }
        return self.case(partial(_of_dtype, task), partial(averaged, task), stated)
