"""What the builders of all cases share: complaints about a case, and the keys that every case has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.procedures.exact_run import ExactResult, Exacts
from conformance.specs.arrays import ArrayError, parse_array
from conformance.specs.grammar import CaseTable, OperationFile, PinnedTable, ProcedureFile
from conformance.specs.literals import LiteralError, require_held, show
from conformance.specs.model import ProcedureCase, Stated
from conformance.specs.read import Reader

F = TypeVar("F", bound=OperationFile | ProcedureFile)
T = TypeVar("T", bound=CaseTable | PinnedTable)


@dataclass
class CaseBuilder(Generic[F, T]):
    """The builder of one case of a file; ``wrong`` as soon as there was something to complain about."""

    reader: Reader
    file: Path
    whole: F
    """The file's tables."""
    table: T
    wrong: bool = field(default=False, init=False)

    def complain(self, key: str, found: str, expected: str) -> None:
        """Note a mistake in the case."""
        self.reader.complain(self.file, self.table.id, key, found, expected)
        self.wrong = True

    def check_own_keys(self) -> None:
        """The keys that every case has."""
        for flag in self.table.flags:
            if flag not in self.whole.flags:
                known = ", ".join(self.whole.flags) or "none, since the file has no [flags]"
                self.complain("flags", f"unknown flag {flag}", f"a flag of the file: {known}")
        if len(set(self.table.dtypes)) < len(self.table.dtypes):
            self.complain("dtypes", show(list(self.table.dtypes)), "each dtype once")

    @property
    def flags(self) -> Mapping[str, str]:
        """The flags of a case that was checked, with what goes wrong for whom it fails."""
        return {flag: self.whole.flags[flag] for flag in self.table.flags}


MOST_ELEMENTS = 4096
"""Of an array: a procedure is worked out number by number."""


PF = TypeVar("PF", bound=ProcedureFile)
PT = TypeVar("PT", bound=PinnedTable)


def in_format(numbers: Exacts, dtype: str) -> Array:
    """The exact numbers as an array of ``dtype``; exact, because every number was checked to be one of ``dtype``."""
    array: Array = numbers.astype(np.float64).astype(FORMATS[dtype].dtype)
    return array


class PinnedBuilder(CaseBuilder[PF, PT]):
    """The builder of one case of a procedure."""

    def numbers(self, key: str, raw: object, shape: Shape | None, *, given: bool) -> Exacts | None:
        """Finite numbers, of a shape unless it is None; those that are ``given`` to an implementation are numbers of every dtype."""
        try:
            numbers = parse_array(raw, fractions=not given)
        except ArrayError as error:
            self.complain(key + error.where, error.found, error.expected)
            return None
        if shape is not None and numbers.shape != shape:
            self.complain(key, f"shape {list(numbers.shape)}", f"shape {list(shape)}")
            return None
        if not 0 < numbers.size <= MOST_ELEMENTS:
            self.complain(key, f"{numbers.size} numbers", f"from 1 to {MOST_ELEMENTS}")
            return None
        for number, place in zip(numbers.written, numbers.places, strict=True):
            if isinstance(number, float):
                self.complain(key + place, show(str(number)), "a finite number, and 0 without a sign")
                return None
            try:
                for dtype in self.table.dtypes if given else ():
                    require_held(number, dtype)
            except LiteralError as error:
                self.complain(key + place, error.found, error.expected)
                return None
        exact = np.empty(numbers.size, dtype=object)
        exact[:] = [numbers.number(i) for i in range(numbers.size)]
        return exact.reshape(numbers.shape)

    def case(
        self,
        task: Callable[[str], Any],
        exactly: Callable[[], ExactResult],
        stated: Mapping[Quantity, Mapping[str, Stated]],
    ) -> ProcedureCase:
        """The case, of what its family makes of it."""
        table = self.table
        return ProcedureCase(
            id=table.id,
            why=table.why,
            level=table.level,
            dtypes=tuple(table.dtypes),
            task=task,
            exactly=exactly,
            stated=stated,
            file=self.file,
            flags=self.flags,
        )
