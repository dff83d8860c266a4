"""Tables to values: the cases of an operation, with every literal read and every shape checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Shape, Weights
from conformance.specs.arrays import ArrayError, Numbers, ones, parse_array
from conformance.specs.cases import CaseBuilder
from conformance.specs.grammar import CaseTable, CatchTable, DefinitionTable, OperationFile
from conformance.specs.literals import LiteralError, parse, show, spell
from conformance.specs.model import Allowance, Case, Catch, Operation
from conformance.specs.read import Reader


def build_operation(reader: Reader, file: Path, table: OperationFile) -> Operation:
    """The operation of one file; mistakes in it are complained about to ``reader`` and left out."""
    definition = _build_definition(reader, file, table.definition)
    cases = [_CaseBuilder(reader, file, table, case, definition).build() for case in table.case]
    return Operation(
        name=table.operation,
        title=table.title,
        definition=definition,
        cases=tuple(case for case in cases if case is not None),
        laws=tuple(table.laws),
        families=tuple(table.families),
        file=file,
        accuracy=table.accuracy or "",
    )


def _build_definition(reader: Reader, file: Path, table: DefinitionTable) -> Definition:
    factor = Fraction(1)
    try:
        number = parse(table.factor, fractions=True)
        if isinstance(number, float) or number <= 0:
            raise LiteralError(show(table.factor), "a positive number")
        factor = number
    except LiteralError as error:
        reader.complain(file, "", "definition.factor", error.found, error.expected)
    definition = Definition(factor, Over(table.over), Divisor(table.divisor), Weights(table.weights), table.root)
    if definition.weights is Weights.NONE and definition.divisor in {Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS}:
        reader.complain(
            file, "", "definition.divisor", show(table.divisor), "one, count or last-axis, because the operation has no weights"
        )
    return definition


@lru_cache(maxsize=128)
def _inputs(dtype: str, prediction: Numbers, target: Numbers, weight: Numbers | None, upstream: Numbers) -> Inputs:
    arrays = [None if numbers is None else numbers.array(dtype) for numbers in (prediction, target, weight, upstream)]
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    assert arrays[0] is not None and arrays[1] is not None and arrays[3] is not None  # noqa: PT018 - for the type checker
    return Inputs(arrays[0], arrays[1], arrays[2], arrays[3])


def _make_inputs(dtype: str, *, prediction: Numbers, target: Numbers, weight: Numbers | None, upstream: Numbers) -> Inputs:
    """The arrays of a case in ``dtype``: read-only, so that one that is kept stays as it was written."""
    return _inputs(dtype, prediction, target, weight, upstream)


@dataclass
class _CaseBuilder(CaseBuilder[OperationFile, CaseTable]):
    definition: Definition

    def build(self) -> Case | None:
        table = self.table
        self.check_own_keys()
        for i, allow in enumerate(table.allow):
            if foreign := next((dtype for dtype in allow.dtypes or () if dtype not in table.dtypes), None):
                self.complain(f"allow[{i}].dtypes", foreign, f"dtypes of the case: {', '.join(table.dtypes)}")
        prediction = self._input("prediction", table.prediction)
        target = self._input("target", table.target)
        if prediction is None or target is None:
            return None
        self._require_shape("target", target, prediction.shape, "the shape of prediction")
        if len(prediction.shape) < self.definition.least_rank:
            self.complain("prediction", f"{len(prediction.shape)} axes", f"{self.definition.least_rank} or more, by the definition")
            return None
        value_shape = self.definition.value_shape(prediction.shape)
        weight = self._weight(prediction.shape)
        upstream = ones(value_shape) if table.upstream is None else self._input("upstream", table.upstream)
        if upstream is not None:
            self._require_shape("upstream", upstream, value_shape, "the shape of the value")
        stated = self._stated("", table, prediction.shape)
        catches = [self._catch(i, catch, prediction.shape) for i, catch in enumerate(table.catches)]
        if self.wrong or upstream is None:
            return None
        return Case(
            id=table.id,
            why=table.why,
            level=table.level,
            dtypes=tuple(table.dtypes),
            shape=prediction.shape,
            inputs=partial(_make_inputs, prediction=prediction, target=target, weight=weight, upstream=upstream),
            tighten=table.tighten or "",
            allow=tuple(
                Allowance(quantity, allow.outcome, allow.because, tuple(allow.dtypes or table.dtypes))
                for allow in table.allow
                for quantity in (
                    (Quantity.VALUE,) if allow.quantity == "value" else (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
                )
            ),
            file=self.file,
            stated=stated,
            catches=tuple(catches),
            flags=self.flags,
        )

    def _array(self, key: str, raw: object, *, fractions: bool) -> Numbers | None:
        try:
            return parse_array(raw, fractions=fractions)
        except ArrayError as error:
            self.complain(key + error.where, error.found, error.expected)
            return None

    def _input(self, key: str, raw: object) -> Numbers | None:
        numbers = self._array(key, raw, fractions=False)
        if numbers is None:
            return None
        for dtype in self.table.dtypes:
            try:
                numbers.require_held(dtype)
            except ArrayError as error:
                self.complain(key + error.where, error.found, error.expected)
                return None
        return numbers

    def _weight(self, shape: Shape) -> Numbers | None:
        weight_shape = self.definition.weight_shape(shape)
        if self.table.weight is None:
            if weight_shape is not None:
                self.complain("weight", "nothing", "this key, because the operation is weighted")
            return None
        if weight_shape is None:
            self.complain("weight", "a weight", "none, because the operation has no weights")
            return None
        weight = self._input("weight", self.table.weight)
        if weight is not None:
            self._require_shape("weight", weight, weight_shape, "the shape of the weights of the operation")
            if self.definition.masked and (other := next((x for x in weight.written if x not in (0, 1)), None)) is not None:
                self.complain("weight", spell(other), "0 or 1, because it is a mask")
        return weight

    def _require_shape(self, key: str, numbers: Numbers, shape: Shape, meaning: str) -> None:
        if numbers.shape != shape:
            self.complain(key, f"shape {list(numbers.shape)}", f"shape {list(shape)}, {meaning}")

    def _stated(self, prefix: str, table: CaseTable | CatchTable, shape: Shape) -> Mapping[Quantity, Numbers]:
        """The expected value and gradient of a case (``prefix`` empty), or what a mistake returns, of whatever shape."""
        stated: dict[Quantity, Numbers] = {}
        expected = {
            "value": (Quantity.VALUE, self.definition.value_shape(shape), "the shape of the value"),
            "gradient": (Quantity.GRADIENT_PREDICTION, shape, "the shape of prediction"),
            "gradient-target": (Quantity.GRADIENT_TARGET, shape, "the shape of target"),
            "gradient-weight": (Quantity.GRADIENT_WEIGHT, self.definition.weight_shape(shape) or (), "the shape of weight"),
        }
        for key, (quantity, right_shape, meaning) in expected.items():
            raw = getattr(table, key.replace("-", "_"), None)
            numbers = None if raw is None else self._array(prefix + key, raw, fractions=True)
            if numbers is None:
                continue
            if quantity not in self.definition.quantities:
                self.complain(prefix + key, "this key", "none, because the operation has no such gradient")
                continue
            if not prefix or quantity is not Quantity.VALUE:
                self._require_shape(prefix + key, numbers, right_shape, meaning)
            stated[quantity] = numbers
        return stated

    def _catch(self, i: int, table: CatchTable, shape: Shape) -> Catch:
        returns = self._stated(f"catches[{i}].", table, shape)
        if not returns and not self.wrong:
            self.complain(f"catches[{i}]", "neither value nor gradient", "what the mistaken implementation returns")
        return Catch(table.mistake, returns)
