"""Checks of the specs that need the oracle: every stated number, every allowed outcome, every mistake said to be caught."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Quantity
from conformance.numerics.exact.decode import distinct
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.exact.representable import first_inexact_step
from conformance.numerics.formats import FORMATS, Format
from conformance.numerics.procedures.exact_run import Exacts
from conformance.specs.arrays import Numbers
from conformance.specs.literals import equal, spell
from conformance.specs.load import collect, specs_root
from conformance.specs.model import Case, Operation, ProcedureCase, Stated
from conformance.specs.problems import Problem, SpecContext

_KEYS = {
    Quantity.VALUE: "value",
    Quantity.GRADIENT_PREDICTION: "gradient",
    Quantity.GRADIENT_TARGET: "gradient-target",
    Quantity.GRADIENT_WEIGHT: "gradient-weight",
}
_ALLOWING = (Quantity.VALUE, Quantity.GRADIENT_PREDICTION)


def lint(root: Path | None = None) -> list[Problem]:
    """Every mistake in the specs under ``root`` (by default, those that came with the package), in the order of the files."""
    specs, problems = collect(specs_root() if root is None else root)
    if not specs.error_model:
        return problems
    for operation in specs.operations.values():
        for case in operation.cases:
            _lint_case(SpecContext(problems, case.file).named(case.id), operation, case, specs.error_model)
    for procedure in specs.procedures.values():
        for pinned in procedure.cases:
            found: list[Problem] = []
            _lint_pinned(SpecContext(found, pinned.file, pinned.id), pinned)
            problems += dict.fromkeys(found)  # several arrays may have to be what the file states once
    return problems


def _lint_pinned(context: SpecContext, case: ProcedureCase) -> None:
    """A run of a procedure: every stated number, and whether nothing on the way to it rounds in any dtype."""
    run = case.exactly()
    for found in run.objections:
        context.complain("case", found, "a run in which nothing can be done in two ways")
    for quantity, arrays in run.arrays.items():
        stated = case.stated.get(quantity, {})
        for name in arrays.keys() ^ stated.keys():
            context.complain(str(quantity), f"{name} {'stated' if name in stated else 'not stated'}", "what comes back")
        for name in (name for name in arrays if name in stated):
            _check_numbers(context, stated[name], arrays[name])
    for dtype in case.dtypes:
        if why := run.first_inexact_step(FORMATS[dtype]):
            context.complain("dtypes", f"{dtype}, in which {why}", "dtypes in which nothing rounds")


def _check_numbers(context: SpecContext, stated: Stated, truth: Exacts) -> None:
    differs = np.flatnonzero(stated.numbers.ravel() != truth.ravel()).tolist()
    if differs:
        place = "" if not truth.shape else f" at {_position(differs[0], truth.shape)}"
        found, expected = (spell(array.ravel()[differs[0]]) for array in (stated.numbers, truth))
        context.complain(stated.key, f"{found}{place}", f"the exact {expected}")


def _lint_case(context: SpecContext, operation: Operation, case: Case, model: tuple[RoundingStep, ...]) -> None:
    oracle = exact(operation.definition, case.inputs(case.dtypes[0]))
    _check_stated(context, case, oracle)
    if context.wrong:
        return
    quantities = operation.definition.quantities
    expectations = {
        dtype: {quantity: expectation_of(exact(operation.definition, case.inputs(dtype)), model, quantity) for quantity in quantities}
        for dtype in case.dtypes
    }
    _check_allowed(context, case, expectations)
    _check_catches(context, case, expectations)
    _check_tightened(context, case, oracle)


def _check_stated(context: SpecContext, case: Case, oracle: Exact) -> None:
    """Every stated number: of those that are wrong the first of each quantity."""
    for quantity, numbers in case.stated.items():
        array = oracle.of(quantity)
        kinds = distinct([array.index, numbers.index()])[0].tolist() if numbers.size else []
        for flat in sorted(kinds):
            truth, stated = array.at(flat), numbers.number(flat)
            if not equal(truth, stated):
                place = "" if not array.shape else f" at {_position(flat, array.shape)}"
                context.complain(_KEYS[quantity], f"{spell(stated)}{place}", f"the exact {spell(truth)}")
                break


def _position(flat: int, shape: tuple[int, ...]) -> str:
    return "".join(f"[{i}]" for i in np.unravel_index(flat, shape))


# -- allowed outcomes -----------------------------------------------------------------------------------------------


def _permitted(expectation: Expectation) -> Mapping[str, tuple[str, ...]]:
    """The outcomes that the error model permits outside the interval, each with the names of what leads to them."""
    permitted: dict[str, tuple[str, ...]] = {}
    for interval in expectation.intervals:
        if interval.infinity:
            permitted["inf"] = (*permitted.get("inf", ()), *interval.allowances)
        if interval.wide > interval.bound:
            permitted["narrow-scale"] = (*permitted.get("narrow-scale", ()), *interval.allowances)
    return permitted


def _check_allowed(context: SpecContext, case: Case, expectations: Mapping[str, Mapping[Quantity, Expectation]]) -> None:
    for quantity in _ALLOWING:
        key = _KEYS[quantity]
        permitted = {dtype: _permitted(expectations[dtype][quantity]) for dtype in case.dtypes}
        for outcome in ("inf", "narrow-scale"):
            stated = [allow for allow in case.allow if allow.quantity is quantity and allow.outcome == outcome]
            for dtype in case.dtypes:
                says = any(dtype in allow.dtypes for allow in stated)
                names = dict.fromkeys(permitted[dtype].get(outcome, ()))
                if names and not says:
                    expected = f"one with a because, since the error model permits it: {', '.join(names)}"
                    context.complain("allow", f"no {outcome} for the {key} in {dtype}", expected)
                elif says and not names:
                    context.complain("allow", f"{outcome} for the {key} in {dtype}", "none, since the error model does not permit it")


# -- resolving power ------------------------------------------------------------------------------------------------


def _check_catches(context: SpecContext, case: Case, expectations: Mapping[str, Mapping[Quantity, Expectation]]) -> None:
    for i, catch in enumerate(case.catches):
        for quantity, returned in catch.returns.items():
            for dtype, per_quantity in expectations.items():
                if not _is_caught(per_quantity[quantity], returned, FORMATS[dtype]):
                    widest = _widest(per_quantity[quantity])
                    expected = f"a result outside the interval in every dtype of the case (in {dtype} it is {widest})"
                    context.complain(f"catches[{i}].{_KEYS[quantity]}", f'"{catch.mistake}", which {dtype} accepts', expected)
                    break


def _is_caught(expectation: Expectation, returned: Numbers, output: Format) -> bool:
    """Whether some element of what the mistake returns is refused, as stated and when rounded to ``output``."""
    if returned.shape != expectation.shape:
        return True
    if not returned.size:
        return False
    for flat in distinct([expectation.index, returned.index()])[0].tolist():
        number = returned.number(flat)
        rounded = output.round(number) if isinstance(number, Fraction) else number
        if not expectation.contains(flat, number) and not expectation.contains(flat, rounded):
            return True
    return False


def _widest(expectation: Expectation) -> str:
    ends = []
    for interval in expectation.intervals[:3]:
        if isinstance(interval.lower, float) and math.isnan(interval.lower):
            ends.append("nan")
        else:
            ends.append(f"[{float(interval.lower):.6g}, {float(interval.upper):.6g}]")
    return ", ".join(ends) + (", …" if len(expectation.intervals) > 3 else "")


# -- tightened cases ------------------------------------------------------------------------------------------------


def _check_tightened(context: SpecContext, case: Case, oracle: Exact) -> None:
    """A tightened case must be one that every conforming evaluation can pass: its intermediates must be representable."""
    if not case.tighten:
        return
    for dtype in case.dtypes:
        why = first_inexact_step(oracle, FORMATS[dtype], rounded_once=case.tighten == "correctly-rounded")
        if why:
            context.complain("tighten", f"{case.tighten}, though in {dtype} {why}", "a case in which nothing else rounds")
            return
