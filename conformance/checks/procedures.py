"""Pinned runs of procedures: everything that comes back must be exactly what the spec states, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np

from conformance.checks.base import Check, Finding
from conformance.checks.wording import describe, hexadecimal
from conformance.frameworks.procedure import ExecutionSetting, ProcedureCall, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import FORMATS, Array
from conformance.results.records import Outcome, Target, Witness
from conformance.specs.model import ProcedureCase, Stated


@dataclass(frozen=True, kw_only=True)
class ProcedureCheck(Check):
    """One pinned run on one target; each of its quantities is all of that quantity's arrays."""

    kind = "case"
    case: ProcedureCase

    @classmethod
    def of(cls, operation: str, case: ProcedureCase) -> ProcedureCheck:
        """The check of a case, in the dtypes in which nothing rounds."""
        return cls(
            operation=operation,
            name=case.id,
            why=case.why,
            level=case.level,
            quantities=tuple(case.stated),
            dtypes=tuple(case.dtypes),
            case=case,
        )

    def perform(self, target: Target, call: ProcedureCall) -> Sequence[Finding]:
        """Run the procedure once, and hold all that came back to what is stated.

        Raises:
            ExecutionMismatch: what ran is not what was asked for.
            Exception: whatever the implementation raises; the engine makes it an error.
        """
        asked = ExecutionSetting(target.device, target.mode, target.dtype)
        produced = call(self.case.task(target.dtype), asked)
        produced.require(asked)
        return [_finding(quantity, produced, stated, target.dtype) for quantity, stated in self.case.stated.items()]


def _finding(quantity: Quantity, produced: ProcedureResult, stated: Mapping[str, Stated], dtype: str) -> Finding:
    if reason := produced.missing.get(quantity):
        return Finding(quantity, Outcome.UNSUPPORTED, reason)
    arrays = produced.arrays.get(quantity, {})
    for name, wanted in stated.items():
        if name not in arrays:
            return Finding(quantity, Outcome.ERROR, f"{quantity}: the implementation returned no {name}")
        if (failed := _compared(quantity, name, arrays[name], wanted, dtype)) is not None:
            return failed
    return Finding(quantity, Outcome.PASS, evaluations=1)


def _compared(quantity: Quantity, name: str, found: Array, wanted: Stated, dtype: str) -> Finding | None:
    """What is wrong with one array, at its first element that is wrong; None if nothing is."""
    subject = str(quantity) if name == quantity.value else f"{quantity}: {name}"
    if found.shape != wanted.numbers.shape:
        seen, due = f"shape {found.shape}", f"shape {wanted.numbers.shape}"
        witness = Witness(shape=wanted.numbers.shape, observed=seen, expected=due, recipe=name)
        return Finding(quantity, Outcome.FAIL, f"{subject}: found {seen}, expected {due}", witness=witness, evaluations=1)
    pairs = zip(found.astype(np.float64).ravel().tolist(), wanted.numbers.ravel().tolist(), strict=True)
    differs = next(((i, x, cast("Fraction", exact)) for i, (x, exact) in enumerate(pairs) if x != exact), None)
    if differs is None:
        return None
    at, x, exact = differs
    place = "".join(f"[{i}]" for i in np.unravel_index(at, found.shape)) if found.shape else ""
    words, fmt = describe(exact), FORMATS[dtype]
    error = abs(Fraction(x) - exact) if math.isfinite(x) else None
    return Finding(
        quantity,
        Outcome.FAIL,
        f"{subject}{place}: found {x!r}, expected exactly {words}, since nothing rounds",
        error_u=None if error is None else float(error / (fmt.unit_roundoff * max(abs(exact), fmt.smallest_normal))),
        error_ulp=None if error is None else float(error / fmt.ulp(exact)),
        witness=Witness(shape=found.shape, element=at, observed=hexadecimal(x), expected=words, allowed=(f"exactly {words}",), recipe=name),
        evaluations=1,
    )
