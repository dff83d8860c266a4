"""Deviations: from their tables to values, and which of them covers a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from fractions import Fraction

from conformance.specs.grammar import DeviationFile, DeviationTable, SignatureTable
from conformance.specs.literals import show
from conformance.specs.model import Deviation
from conformance.specs.problems import SpecContext
from conformance.specs.where import build_where, several, stands_on

_GLOB = frozenset("*?[")


def build_deviations(context: SpecContext, table: DeviationFile, checks: frozenset[str] | None) -> list[Deviation]:
    """The deviations of one file, one for each check and framework that a table names, so that each must be met.

    Mistakes are complained about and left out. ``checks``: the ids of all checks, or None if they are not known.
    """
    return [deviation for entry in table.deviation for deviation in _build(context.named(several(entry.check)[0]), entry, checks)]


def names(check_glob: str, quantity_glob: str, check: str, quantity: str) -> bool:
    """Whether a check and a quantity match a deviation's globs."""
    return _matches(check, check_glob) and _matches(quantity, quantity_glob)


def covers(deviation: Deviation, check: str, quantity: str, target: Mapping[str, str]) -> bool:
    """Whether the deviation is about this cell: it names check and quantity, and the target has every key of ``where``."""
    return names(deviation.check, deviation.quantity, check, quantity) and stands_on(deviation.where, target)


def is_glob(wanted: str) -> bool:
    """Whether it can match other names than itself."""
    return not _GLOB.isdisjoint(wanted)


def _matches(name: str, wanted: str) -> bool:
    return name == wanted or (is_glob(wanted) and fnmatchcase(name, wanted))


def _build(context: SpecContext, table: DeviationTable, checks: frozenset[str] | None) -> list[Deviation]:
    named = several(table.check)
    for check in named:
        if checks is not None and not _names_a_check(check, checks):
            expected = "the id of a check, such as mse/mean/case/mean-thirds, or a glob of some"
            context.named(check).complain("check", "no such check", expected)
    where = build_where(context.table("where"), table.where)
    signature = _signature(context.table("signature"), table.signature)
    if context.wrong:
        return []
    rest = signature, table.because, table.url or "", table.review_by, context.file
    return [
        Deviation(check, table.quantity, {**where, "framework": (framework,)}, *rest) for check in named for framework in where["framework"]
    ]


def _names_a_check(name: str, checks: frozenset[str]) -> bool:
    return name in checks or (is_glob(name) and any(fnmatchcase(check, name) for check in checks))


def _signature(context: SpecContext, table: SignatureTable) -> Mapping[str, str | Fraction]:
    shape = None if table.shape is None else str(tuple(table.shape))
    words = {"outcome": table.outcome, "dtype": table.dtype, "shape": shape}
    signature: dict[str, str | Fraction] = {key: word for key, word in words.items() if word is not None}
    for key in ("observed", "error_u_min", "error_u_max"):
        raw = getattr(table, key)
        if raw is None or (number := context.number(key, raw)) is None:
            continue
        if isinstance(number, Fraction):
            signature[key] = number
        elif key == "observed":
            signature[key] = Fraction(0) if math.isfinite(number) else str(number)
        else:
            context.complain(key, show(raw), "a finite number")
    if table.model_fields_set <= {"outcome"} and table.outcome == "fail":
        context.complain("", "only an outcome", "how it fails: observed, shape, dtype, error_u_min or error_u_max")
    low, high = signature.get("error_u_min"), signature.get("error_u_max")
    if isinstance(low, Fraction) and isinstance(high, Fraction) and low > high:
        context.complain("error_u_max", show(table.error_u_max), "at least error_u_min")
    return signature
