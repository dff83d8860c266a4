"""Reading results files: every line is checked, and nothing in them is executed."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
)

from conformance.mistake import Mistake
from conformance.results.records import MAX_CELLS, MAX_LINE, Cell, Footer, Header


class ResultsError(Mistake):
    """A results file that cannot be believed; the message names file, line, what was found and what was expected."""


_Line = TypeAdapter[Header | Cell | Footer](Annotated[Header | Cell | Footer, Field(discriminator="record")])


def schema() -> dict[str, Any]:
    """Return the JSON Schema of one line of a results file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_Line.json_schema()}


@dataclass(frozen=True)
class Results:
    """One results file as read. ``footer`` is None when the run did not finish; ``lacking`` are shards of it that are not here.

    ``torn`` is the line at which the file ends in the middle of a record, 0 if it does not.
    """

    path: Path
    header: Header
    cells: tuple[Cell, ...]
    footer: Footer | None
    lacking: tuple[int, ...] = ()
    torn: int = 0

    @property
    def complete(self) -> bool:
        """Whether the run reached its end, in all of its shards."""
        return not self.shortfall

    @property
    def shortfall(self) -> str:
        """What an incomplete run did not do; empty if it is complete."""
        ended = "" if self.footer else "did not reach its end"
        lacks = ""
        if self.lacking and self.header.shard:
            named = ", ".join(map(str, self.lacking[:20])) + (", …" if len(self.lacking) > 20 else "")
            lacks = f"lacks {'shards' if len(self.lacking) > 1 else 'shard'} {named} of {self.header.shard.of}"
        return " and ".join(filter(None, (ended, lacks)))

    def version_of(self, cell: Cell) -> str:
        """The framework version that the cell belongs to; no target of a device that is not there has one of its own."""
        environment = self.header.environment
        own = cell.target.version
        return environment.version if not own and cell.target.framework == environment.framework else own


def _open(path: Path) -> BinaryIO:
    """A results file as bytes, unpacked on the way where its name ends in ``.gz``: never more than a line at a time."""
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _records(path: Path) -> Iterator[tuple[int, Header | Cell | Footer | None]]:
    """The records with their line numbers; None for a last one that was cut off, as it is where the writer was killed."""
    try:
        with _open(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
                if len(line) > MAX_LINE:
                    raise ResultsError(f"{path}:{number}: the line is longer than {MAX_LINE} bytes; expected one record")
                if not line.endswith(b"\n"):
                    yield number, None
                    return
                try:
                    yield number, _Line.validate_json(line)
                except ValidationError as error:
                    raise ResultsError(f"{path}:{number}: {_first_problem(error)}") from None
    except (OSError, EOFError, zlib.error) as error:  # gzip says what it finds without an error number
        raise ResultsError(f"{path}: {getattr(error, 'strerror', None) or error}; expected a results file") from None


def _first_problem(error: ValidationError) -> str:
    """Where, what is wrong and what was found, with nothing raw in it that could steer a terminal."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the line"
    found = ascii(first["input"])[:80]
    return f"{ascii(place[:80])[1:-1]}: {ascii(first['msg'][:200])[1:-1]}; found {found}"


def read(path: Path) -> Results:
    """Read one results file.

    Raises:
        ResultsError: the file is not a results file, is truncated inside its header, repeats a cell, or its footer miscounts.
    """
    records = _records(path)
    header = _header(path, records)
    footer: Footer | None = None
    torn = 0
    cells: dict[str, Cell] = {}
    for number, record in records:
        if footer is not None:
            raise ResultsError(f"{path}:{number}: found {_called(record)} after the footer, expected the end of the file")
        if record is None:
            torn = number
            break
        if isinstance(record, Header):
            raise ResultsError(f"{path}:{number}: found a second header, expected cells or the footer")
        if isinstance(record, Footer):
            footer = record
            continue
        if len(cells) == MAX_CELLS:
            raise ResultsError(f"{path}:{number}: found more than {MAX_CELLS} cells, expected the results of one framework")
        if cells.setdefault(record.id, record) is not record:
            raise ResultsError(f"{path}:{number}: found the cell {record.id!a} a second time, expected each cell once")
    if footer is not None:
        _require_counted(path, footer, cells.values())
    return Results(path, header, tuple(cells.values()), footer, torn=torn)


def _require_counted(path: Path, footer: Footer, cells: Collection[Cell]) -> None:
    counted = Counter(cell.outcome for cell in cells)
    if footer.cells != len(cells) or {k: v for k, v in footer.counts.items() if v} != dict(counted):
        raise ResultsError(f"{path}: the footer counts {footer.cells} cells, found {len(cells)}: cells are missing or added")


def read_header(path: Path) -> Header:
    """Read the first line of a results file only: what was asked, of what.

    Raises:
        ResultsError: it does not begin with a header.
    """
    return _header(path, _records(path))


def _header(path: Path, records: Iterator[tuple[int, Header | Cell | Footer | None]]) -> Header:
    for number, record in records:
        if isinstance(record, Header):
            return record
        raise ResultsError(f"{path}:{number}: found {_called(record)}, expected the header on the first line")
    raise ResultsError(f"{path}: the file is empty, expected a header line")


def _called(record: Header | Cell | Footer | None) -> str:
    return f"a {record.record}" if record else "a record that was cut off"
