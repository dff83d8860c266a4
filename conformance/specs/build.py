"""Tables to values: what every case has, and the operations with their cases, every literal read and every shape checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from typing import TypeVar

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Shape, Weights
from conformance.numerics.formats import Array
from conformance.specs.arrays import Numbers, ones
from conformance.specs.grammar import CaseTable, CatchTable, DefinitionTable, OperationFile, PinnedTable
from conformance.specs.literals import show, spell
from conformance.specs.model import Allowance, Case, Catch, Operation, PinnedCase
from conformance.specs.problems import SpecContext

Table = TypeVar("Table", bound=CaseTable | PinnedTable)
Built = TypeVar("Built", bound=PinnedCase)


def build_cases(
    context: SpecContext, tables: Sequence[Table], flags: Mapping[str, str], build: Callable[[SpecContext, Table, PinnedCase], Built | None]
) -> tuple[Built, ...]:
    """The cases of a file, without those in which there is a mistake; ``flags`` are those of the file."""
    cases = []
    for table in tables:
        own = context.named(table.id)
        for flag in table.flags:
            if flag not in flags:
                known = ", ".join(flags) or "none, since the file has no [flags]"
                own.complain("flags", f"unknown flag {flag}", f"a flag of the file: {known}")
        if len(set(table.dtypes)) < len(table.dtypes):
            own.complain("dtypes", show(list(table.dtypes)), "each dtype once")
        known_flags = {flag: flags[flag] for flag in table.flags if flag in flags}
        keys = PinnedCase(table.id, table.why, table.level, tuple(table.dtypes), context.file, known_flags)
        case = build(own, table, keys)
        if case is not None and not own.wrong:
            cases.append(case)
    return tuple(cases)


def build_operation(context: SpecContext, table: OperationFile) -> Operation:
    """The operation of one file; mistakes in it are complained about and left out."""
    definition = _build_definition(context.table("definition"), table.definition)
    return Operation(
        name=table.operation,
        title=table.title,
        definition=definition,
        cases=build_cases(context, table.case, table.flags, partial(_build_case, definition)),
        laws=tuple(table.laws),
        families=tuple(table.families),
        file=context.file,
        accuracy=table.accuracy or "",
    )


def _build_definition(context: SpecContext, table: DefinitionTable) -> Definition:
    factor = context.number("factor", table.factor)
    positive = factor if isinstance(factor, Fraction) and factor > 0 else Fraction(1)
    if factor is not None and factor != positive:
        context.complain("factor", show(table.factor), "a positive number")
    definition = Definition(positive, Over(table.over), Divisor(table.divisor), Weights(table.weights), table.root)
    if definition.weights is Weights.NONE and definition.divisor in {Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS}:
        context.complain("divisor", show(table.divisor), "one, count or last-axis, because the operation has no weights")
    return definition


@lru_cache(maxsize=128)
def _inputs(dtype: str, prediction: Numbers, target: Numbers, weight: Numbers | None, upstream: Numbers) -> Inputs:
    """The arrays of a case in ``dtype``: read-only, so that one that is kept stays as it was written."""

    def made(numbers: Numbers) -> Array:
        array = numbers.array(dtype)
        array.setflags(write=False)
        return array

    return Inputs(made(prediction), made(target), None if weight is None else made(weight), made(upstream))


def _build_case(definition: Definition, context: SpecContext, table: CaseTable, keys: PinnedCase) -> Case | None:
    for i, allow in enumerate(table.allow):
        if foreign := next((dtype for dtype in allow.dtypes or () if dtype not in table.dtypes), None):
            context.complain(f"allow[{i}].dtypes", foreign, f"dtypes of the case: {', '.join(table.dtypes)}")
    prediction = context.array("prediction", table.prediction, dtypes=table.dtypes)
    target = context.array("target", table.target, dtypes=table.dtypes)
    if prediction is None or target is None:
        return None
    shape = prediction.shape
    _require_shape(context, "target", target, shape, "the shape of prediction")
    if len(shape) < definition.least_rank:
        context.complain("prediction", f"{len(shape)} axes", f"{definition.least_rank} or more, by the definition")
        return None
    value_shape = definition.value_shape(shape)
    weight = _weight(definition, context, table, shape)
    upstream = ones(value_shape) if table.upstream is None else context.array("upstream", table.upstream, dtypes=table.dtypes)
    if upstream is not None:
        _require_shape(context, "upstream", upstream, value_shape, "the shape of the value")
    stated = _stated(definition, context, table, shape)
    catches = [_catch(definition, context.table(f"catches[{i}]"), catch, shape) for i, catch in enumerate(table.catches)]
    if upstream is None:
        return None
    gradients = (Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
    return Case(
        **vars(keys),
        shape=shape,
        inputs=partial(_inputs, prediction=prediction, target=target, weight=weight, upstream=upstream),
        tighten=table.tighten or "",
        allow=tuple(
            Allowance(quantity, allow.outcome, allow.because, tuple(allow.dtypes or table.dtypes))
            for allow in table.allow
            for quantity in ((Quantity.VALUE,) if allow.quantity == "value" else gradients)
        ),
        stated=stated,
        catches=tuple(catches),
    )


def _weight(definition: Definition, context: SpecContext, table: CaseTable, shape: Shape) -> Numbers | None:
    weight_shape = definition.weight_shape(shape)
    if table.weight is None:
        if weight_shape is not None:
            context.complain("weight", "nothing", "this key, because the operation is weighted")
        return None
    if weight_shape is None:
        context.complain("weight", "a weight", "none, because the operation has no weights")
        return None
    weight = context.array("weight", table.weight, dtypes=table.dtypes)
    if weight is not None:
        _require_shape(context, "weight", weight, weight_shape, "the shape of the weights of the operation")
        if definition.masked and (other := next((x for x in weight.written if x not in (0, 1)), None)) is not None:
            context.complain("weight", spell(other), "0 or 1, because it is a mask")
    return weight


def _require_shape(context: SpecContext, key: str, numbers: Numbers, shape: Shape, meaning: str) -> None:
    if numbers.shape != shape:
        context.complain(key, f"shape {list(numbers.shape)}", f"shape {list(shape)}, {meaning}")


def _stated(definition: Definition, context: SpecContext, table: CaseTable | CatchTable, shape: Shape) -> Mapping[Quantity, Numbers]:
    """The expected value and gradient of a case, or what a mistake returns: a value of whatever shape."""
    stated: dict[Quantity, Numbers] = {}
    expected = {
        "value": (Quantity.VALUE, definition.value_shape(shape), "the shape of the value"),
        "gradient": (Quantity.GRADIENT_PREDICTION, shape, "the shape of prediction"),
        "gradient-target": (Quantity.GRADIENT_TARGET, shape, "the shape of target"),
        "gradient-weight": (Quantity.GRADIENT_WEIGHT, definition.weight_shape(shape) or (), "the shape of weight"),
    }
    for key, (quantity, right_shape, meaning) in expected.items():
        raw = getattr(table, key.replace("-", "_"), None)
        numbers = None if raw is None else context.array(key, raw, fractions=True)
        if numbers is None:
            continue
        if quantity not in definition.quantities:
            context.complain(key, "this key", "none, because the operation has no such gradient")
            continue
        if isinstance(table, CaseTable) or quantity is not Quantity.VALUE:
            _require_shape(context, key, numbers, right_shape, meaning)
        stated[quantity] = numbers
    return stated


def _catch(definition: Definition, context: SpecContext, table: CatchTable, shape: Shape) -> Catch:
    returns = _stated(definition, context, table, shape)
    if not returns and not context.wrong:
        context.complain("", "neither value nor gradient", "what the mistaken implementation returns")
    return Catch(table.mistake, returns)
