"""What the builders of all cases share: complaints about a case, and the keys that every case has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from conformance.specs.grammar import CaseTable, OperationFile, PinnedTable, ProcedureFile
from conformance.specs.literals import show
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
