"""Deviations: from their tables to values, and which of them covers a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

from conformance.specs.grammar import DeviationFile, DeviationTable
from conformance.specs.literals import LiteralError, parse, show
from conformance.specs.model import Deviation
from conformance.specs.read import Reader
from conformance.specs.where import build_where, several, stands_on

_GLOB = frozenset("*?[")


def build_deviations(reader: Reader, file: Path, table: DeviationFile, checks: frozenset[str] | None) -> list[Deviation]:
    """The deviations of one file, one for each check and framework that a table names, so that each must be met.

    Mistakes are complained about to ``reader`` and left out. ``checks``: the ids of all checks, or None if they are not known.
    """
    return [deviation for entry in table.deviation for deviation in _build(reader, file, entry, checks)]


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


def _build(reader: Reader, file: Path, table: DeviationTable, checks: frozenset[str] | None) -> list[Deviation]:
    before = len(reader.problems)
    named = several(table.check)
    for check in named:
        if checks is not None and not _names_a_check(check, checks):
            reader.complain(
                file, check, "check", "no such check", "the id of a check, such as mse/mean/case/mean-thirds, or a glob of some"
            )
    where = build_where(reader, file, named[0], table.where)
    signature = _signature(reader, file, table)
    if len(reader.problems) > before:
        return []
    return [
        Deviation(
            check, table.quantity, {**where, "framework": (framework,)}, signature, table.because, table.url or "", table.review_by, file
        )
        for check in named
        for framework in where["framework"]
    ]


def _names_a_check(name: str, checks: frozenset[str]) -> bool:
    return name in checks or (is_glob(name) and any(fnmatchcase(check, name) for check in checks))


def _signature(reader: Reader, file: Path, table: DeviationTable) -> Mapping[str, str | Fraction]:
    written, name = table.signature, several(table.check)[0]
    shape = None if written.shape is None else str(tuple(written.shape))
    words = {"outcome": written.outcome, "dtype": written.dtype, "shape": shape}
    signature: dict[str, str | Fraction] = {key: word for key, word in words.items() if word is not None}
    for key in ("observed", "error_u_min", "error_u_max"):
        if (raw := getattr(written, key)) is None:
            continue
        try:
            number = parse(raw, fractions=True)
        except LiteralError as error:
            reader.complain(file, name, f"signature.{key}", error.found, error.expected)
            continue
        if isinstance(number, Fraction):
            signature[key] = number
        elif key == "observed" and not math.isfinite(number):
            signature[key] = str(number)
        elif key == "observed":
            signature[key] = Fraction(0)
        else:
            reader.complain(file, name, f"signature.{key}", show(raw), "a finite number")
    if written.model_fields_set <= {"outcome"} and written.outcome == "fail":
        reader.complain(file, name, "signature", "only an outcome", "how it fails: observed, shape, dtype, error_u_min or error_u_max")
    low, high = signature.get("error_u_min"), signature.get("error_u_max")
    if isinstance(low, Fraction) and isinstance(high, Fraction) and low > high:
        reader.complain(file, name, "signature.error_u_max", show(written.error_u_max), "at least error_u_min")
    return signature
