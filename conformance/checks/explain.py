"""Why an interval is what it is: the check in words, its inputs, the exact result, and the roundings that make the bound."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.checks.base import Check
from conformance.checks.behaviours import BehaviourCheck
from conformance.checks.cases import CaseCheck, exactly, rounded_once
from conformance.checks.procedures import ProcedureCheck
from conformance.checks.wording import allowed_in_words, approximately, describe, hexadecimal
from conformance.mistake import Mistake
from conformance.numerics.bounds.error_model import Roundings
from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.bounds.value import relative_divisor_error
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.formats import FORMATS
from conformance.results.records import split_id
from conformance.specs.model import Operation, Specs

_SHOWN = 8


class UnknownId(Mistake):
    """An id that no check has; the message is one sentence."""


def explain(specs: Specs, checks: dict[str, Check], identifier: str, *, dtype: str | None = None, flushes: bool = False) -> Iterator[str]:
    """Lines of explanation of a check or a cell.

    Raises:
        UnknownId: there is no such check, or it is not declared for the dtype.
    """
    check_id, quantity, target = split_id(identifier)
    if check_id not in checks:
        raise UnknownId(f"unknown check {check_id!r}: expected an id from `conformance list checks`")
    check = checks[check_id]
    wanted = dtype or (target.rsplit("/", 1)[1] if target else "")
    if wanted and wanted not in check.dtypes:
        raise UnknownId(f"{check_id}: found the dtype {wanted!r}, expected one of {', '.join(check.dtypes)}")
    yield f"{check.id}  ({check.kind}, {check.level})"
    yield f"  {check.why}"
    if isinstance(check, ProcedureCheck):
        yield from _pinned(check, quantity)
        return
    operation = specs.operations[check.operation]
    definition = operation.definition
    yield f"  {operation.name}: {operation.title}: factor {definition.factor}, sum over {definition.over}, divided by {definition.divisor}"
    if isinstance(check, BehaviourCheck):
        yield "  What comes back is recorded and compared between frameworks; it is not judged."
        return
    if not isinstance(check, CaseCheck):
        yield "  Its inputs are generated: every result must lie in the interval of the inputs drawn; a failure carries its witness."
        return
    for name in [wanted] if wanted else check.dtypes:
        yield from _case(check, operation, specs, name, quantity, flushes=flushes)


def _pinned(check: ProcedureCheck, only: str) -> Iterator[str]:
    yield f"  In {', '.join(check.dtypes)} nothing on the way rounds, in whatever order, so that every result is exact:"
    for quantity, arrays in check.case.stated.items():
        for name, stated in arrays.items():
            if not only or quantity.value == only:
                numbers = stated.numbers.ravel().tolist()
                more = f", … ({len(numbers)} numbers)" if len(numbers) > _SHOWN else ""
                yield f"  {quantity}  {name}: {', '.join(describe(number) for number in numbers[:_SHOWN])}{more}"


def _case(check: CaseCheck, operation: Operation, specs: Specs, dtype: str, only: str, *, flushes: bool) -> Iterator[str]:
    inputs = check.case.inputs(dtype)
    oracle = exact(operation.definition, inputs)
    fmt = FORMATS[dtype]
    yield ""
    yield f"{dtype}  p = {fmt.precision}, u = 2^-{fmt.precision}, shape {inputs.shape}"
    for name in ("prediction", "target", "weight", "upstream"):
        if getattr(inputs, name) is None:
            continue
        array = getattr(inputs, name).ravel()
        more = f" … ({array.size} numbers)" if array.size > _SHOWN else ""
        yield f"  {name:<10} {', '.join(f'{float(x)!r} ({hexadecimal(x)})' for x in array[:_SHOWN])}{more}"
    for quantity in operation.definition.quantities:
        if only and quantity.value != only:
            continue
        yield from _quantity(check, oracle, specs, quantity, flushes=flushes)


def _quantity(check: CaseCheck, oracle: Exact, specs: Specs, quantity: Quantity, *, flushes: bool) -> Iterator[str]:
    fmt = oracle.inputs.format
    yield f"  {quantity}"
    if check.case.tighten:
        rule = exactly if check.case.tighten == "exact" else rounded_once
        expectation = rule(oracle, quantity, fmt)
        yield f"    the case is stricter than the error model: {check.case.tighten}"
    else:
        expectation = expectation_of(oracle, specs.error_model, quantity, fmt, flushes=flushes)
        if oracle.divisors:
            yield from _roundings(oracle, specs, quantity, flushes=flushes)
    for flat in range(min(expectation.index.size, _SHOWN)):
        interval = expectation.at(flat)
        place = f"[{flat}] " if expectation.index.size > 1 else ""
        yield f"    {place}exactly {describe(interval.exact)}; allowed {allowed_in_words(interval)}"
    if expectation.index.size > _SHOWN:
        yield f"    … {expectation.index.size} elements"


def _roundings(oracle: Exact, specs: Specs, quantity: Quantity, *, flushes: bool) -> Iterator[str]:
    """Each step with its count, and what a divisor or a root adds that is itself rounded; of the first element of the value."""
    fmt, rooted = oracle.inputs.format, oracle.definition.root
    by_weight, through_root = quantity is Quantity.GRADIENT_WEIGHT, rooted and quantity is not Quantity.VALUE
    steps = Roundings(
        specs.error_model,
        oracle.definition,
        quantity,
        fmt,
        fmt,
        oracle.per_weight if by_weight else oracle.summands,
        oracle.divisors[0],
        weighted=oracle.weighted,
        unit_upstream=not through_root and all(float(x) == 1 for x in oracle.inputs.upstream.ravel()[:1000]),
    )
    for step, count in steps.steps:
        yield f"    {step.step}: {count} in {steps.format_of(step).name}: {step.because}"
    u = fmt.unit_roundoff
    yield f"    together a relative error of at most {approximately(steps.theta)} = {float(steps.theta / u):.4g} u"
    if error := relative_divisor_error(oracle, 0, flushes=flushes):
        power = "(1 - e)², since it may divide twice" if by_weight else "1 - e"
        yield f"    the sum of the weights is rounded too, by at most e = {float(error / u):.4g} u: 1 plus the above is divided by {power}"
    if by_weight and oracle.definition.divisor is Divisor.WEIGHTS:
        yield "    relative to the sum of both parts' magnitudes, square and value; the value's own bound is added"
    if through_root:
        yield f"    and what is allowed for the root, with three more roundings in {fmt.name}: 1/(2·root) is divided, doubled, multiplied"
    elif rooted:
        yield "    all of it before the root is taken: the ends below are the roots of the ends there"
