"""What the specs say of the checks of a report: in words, where it is written, the inputs of pinned cases, the roundings counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import NamedTuple

from conformance.checks.base import Check
from conformance.checks.bounds import BoundCheck
from conformance.checks.cases import CaseCheck
from conformance.checks.catalogue import all_checks
from conformance.checks.growth import AccuracyCheck, GrowthCheck
from conformance.checks.laws.law import LawCheck
from conformance.checks.procedures import ProcedureCheck
from conformance.checks.wording import describe, hexadecimals
from conformance.numerics.bounds.error_model import Roundings
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.formats import FORMATS
from conformance.results.records import Witness
from conformance.specs.arrays import Numbers
from conformance.specs.model import Case, Specs

_MOST_INPUTS = 64
"""Elements of a pinned array that are spelled out: as many as a witness holds."""
_MOST_STATED = 8
_MOST_MADE = 20_000
"""Longer arrays are not made for the sake of a report."""
_DIVIDES_BY_SHAPE = (Divisor.ONE, Divisor.COUNT, Divisor.LAST_AXIS)


class CheckDescription(NamedTuple):
    """A check in words: why it is there, where it is written, and what goes wrong for whoever fails it."""

    why: str
    source: str
    consequences: Sequence[str] = ()


class Pinned(NamedTuple):
    """The inputs of a pinned case in one dtype, and what its spec states must come back, by quantity.

    ``stricter`` is the case's own rule, where it is stricter than the error model.
    """

    inputs: Witness
    stated: Mapping[str, str]
    stricter: str = ""


@dataclass(frozen=True)
class CountedRounding:
    """One step of the error model in one situation: how many roundings, in which format, and why."""

    step: str
    count: int
    format: str
    because: str


class Derivation(NamedTuple):
    """The roundings that make an interval, and the relative error that they come to, in u."""

    roundings: tuple[CountedRounding, ...]
    together_u: float


@dataclass(frozen=True)
class Background:
    """Specs and checks, as far as a report quotes them beyond what results files hold. A report without one quotes nothing."""

    specs: Specs
    checks: Mapping[str, Check]
    _pinned: dict[tuple[str, str], Pinned] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, specs: Specs) -> Background:
        """With every check that the specs name."""
        return cls(specs, all_checks(specs))

    @property
    def digest(self) -> str:
        """The specs' digest."""
        return self.specs.digest

    def said(self, check: str) -> CheckDescription | None:
        """The check in words."""
        found = self.checks.get(check)
        if found is None:
            return None
        law = self.specs.laws.get(found.law.name, "") if isinstance(found, LawCheck) else ""
        why = found.why if found.why == law else f"{law} {found.why}".strip()
        flags = found.case.flags.values() if isinstance(found, CaseCheck | ProcedureCheck) else ()
        return CheckDescription(why, self._source(found), tuple(flags))

    def _source(self, check: Check) -> str:
        """The file of the specs or of the suite in which the check is written, and its name there."""
        if isinstance(check, CaseCheck | ProcedureCheck):
            return f"{_inside(check.case.file, self.specs.root)}, case {check.case.id}"
        if isinstance(check, LawCheck):
            return f"{check.law.test.__module__.replace('.', '/')}.py, law {check.law.name}"
        if isinstance(check, BoundCheck):
            return f"conformance/inputs/families.py, family {check.id.rpartition('/')[2]}"
        if isinstance(check, GrowthCheck | AccuracyCheck):
            return "conformance/checks/growth.py"
        return "specs/behaviours"

    def pinned(self, check: str, dtype: str) -> Pinned | None:
        """The inputs of a pinned case of an operation."""
        found = self.checks.get(check)
        if not isinstance(found, CaseCheck) or dtype not in found.dtypes or prod(found.case.shape) > _MOST_MADE:
            return None
        if (check, dtype) not in self._pinned:
            self._pinned[check, dtype] = _pinned(found.case, dtype)
        return self._pinned[check, dtype]

    def derivation(self, operation: str, quantity: str, dtype: str, shape: tuple[int, ...], *, unit_upstream: bool) -> Derivation | None:
        """The error model's roundings of one element, for results in the dtype of the inputs."""
        found = self.specs.operations.get(operation)
        if found is None or dtype not in FORMATS or quantity not in found.definition.quantities:
            return None
        definition, fmt = found.definition, FORMATS[dtype]
        if definition.divisor not in _DIVIDES_BY_SHAPE or definition.least_rank > len(shape):
            return None
        summands = definition.summands(shape)
        divisor = {Divisor.ONE: 1, Divisor.COUNT: summands, Divisor.LAST_AXIS: shape[-1] if shape else 1}[definition.divisor]
        if not divisor:
            return None
        steps = Roundings(
            self.specs.error_model,
            definition,
            Quantity(quantity),
            fmt,
            fmt,
            summands,
            Fraction(divisor),
            weighted=definition.weight_shape(shape) is not None,
            unit_upstream=unit_upstream,
        )
        roundings = tuple(CountedRounding(s.step, count, steps.format_of(s).name, s.because) for s, count in steps.steps)
        return Derivation(roundings, float(steps.theta / fmt.unit_roundoff))


def _inside(file: Path, root: Path) -> str:
    """The file's path as a reader of the repository knows it."""
    return f"specs/{file.relative_to(root).as_posix()}" if file.is_relative_to(root) else file.name


def _pinned(case: Case, dtype: str) -> Pinned:
    inputs = case.inputs(dtype)
    arrays = {
        name: hexadecimals(array, _MOST_INPUTS)
        for name in ("prediction", "target", "weight", "upstream")
        if (array := getattr(inputs, name)) is not None
    }
    witness = Witness(shape=inputs.shape, **arrays)  # type: ignore[arg-type]  # pydantic checks it
    stated = {quantity.value: _first(numbers) for quantity, numbers in case.stated.items() if numbers.size}
    return Pinned(witness, stated, case.tighten)


def _first(numbers: Numbers) -> str:
    shown = ", ".join(describe(numbers.number(flat)) for flat in range(min(numbers.size, _MOST_STATED)))
    return shown if numbers.size <= _MOST_STATED else f"{shown}, … ({numbers.size} numbers)"
