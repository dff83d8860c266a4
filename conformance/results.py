"""The results file: JSON lines, a header, one cell a line, a footer. Described and read here.

Floats that matter are hex strings inside a witness; every number is finite; nothing in a file is ever executed.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

FORMAT = 1
MAX_LINE = 1_000_000
"""Longest line accepted from a results file, in bytes: a cell of ours has a few thousand."""
MAX_TEXT = 10_000
"""Longest string kept in a record, in characters: a reason is a sentence or two, a traceback's end is cut off."""
MAX_ARRAY = 64
"""Most elements of an array that a witness spells out."""
MAX_CELLS = 500_000
"""Most cells that are read from one file: a framework has some ten thousand, and a small packed file can hold any number."""
MAX_SHARDS = 1_000

BETWEEN = " · "
"""Stands between the parts of an answer: value, dtype, shape, type, and what was warned of."""
RAISES, WARNS = "raises ", "warns "
"""How an answer begins that is an exception, and a part of one that is a warning."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def _storable(value: object) -> object:
    """Make a string that UTF-8 can hold (lone surrogates spelled out) and that is not longer than MAX_TEXT."""
    if not isinstance(value, str) or (value.isascii() and len(value) <= MAX_TEXT):
        return value
    spelled = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    return spelled if len(spelled) <= MAX_TEXT else spelled[: MAX_TEXT - 1] + "…"


Text = Annotated[str, BeforeValidator(_storable)]
"""A string that can always be written: a framework's message may hold anything, and must not cost the run."""

Count = Annotated[NonNegativeInt, Field(lt=2**63)]
Numerals = Annotated[tuple[Text, ...], Field(max_length=MAX_ARRAY)]


class ResultsError(Exception):
    """A results file that cannot be believed; the message names file, line, what was found and what was expected."""


class Outcome(StrEnum):
    """The six outcomes, never merged."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    ERROR = "error"
    DEVIATION = "deviation"
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not-run"


class Grade(StrEnum):
    """How accurate a passing cell is, best first (NUMERICS: correctly rounded … only inside the interval)."""

    CORRECTLY_ROUNDED = "correctly-rounded"
    FAITHFUL = "faithful"
    CONSTANT = "constant"
    LOGARITHMIC = "logarithmic"
    SQUARE_ROOT = "square-root"
    LINEAR = "linear"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Target(_Record):
    """implementation × framework version × device × mode × dtype; ``*`` where nothing could be enumerated."""

    framework: Text
    version: Text
    implementation: Text
    device: Text
    mode: Text
    dtype: Text

    @property
    def id(self) -> str:
        """``framework/implementation/device/mode/dtype``: the version belongs to the environment, not to the name."""
        return f"{self.framework}/{self.implementation}/{self.device}/{self.mode}/{self.dtype}"


class Witness(_Record):
    """The input, in hexadecimal, that gave a cell its worst error or its failure.

    Arrays of more than 64 elements are given by their first and last 8 and by ``recipe`` (check, family, seed,
    shape, position), from which the suite makes the same bits again. ``element`` is the flat index of the worst element.
    """

    shape: Annotated[tuple[Count, ...], Field(max_length=MAX_ARRAY)]
    prediction: Numerals = ()
    target: Numerals = ()
    weight: Numerals = ()
    upstream: Numerals = ()
    element: Count = 0
    expected: Text = ""
    allowed: tuple[Text, ...] = ()
    observed: Text = ""
    recipe: Text = ""


class AtSize(_Record):
    """The worst error of a growth check at one number of elements, and the largest that the interval there allows, in u."""

    n: Count
    error_u: FiniteFloat
    allowed_u: FiniteFloat | None = None
    """Unknown where nothing but exact results was seen."""
    bits: Text = ""
    """A digest of the results: targets that measured the same data and have the same digest computed the same numbers, bit for bit."""


class Cell(_Record):
    """One quantity of one check on one target."""

    record: Literal["cell"] = "cell"
    check: Text
    kind: Literal["case", "bound", "law", "behaviour"]
    level: Literal["must", "should"] = "must"
    operation: Text
    quantity: Text
    target: Target
    outcome: Outcome
    reason: Text = ""
    flags: tuple[Text, ...] = ()
    error_u: FiniteFloat | None = None
    error_ulp: FiniteFloat | None = None
    error_over_bound: FiniteFloat | None = None
    grade: Grade | None = None
    witness: Witness | None = None
    growth: Annotated[tuple[AtSize, ...], Field(max_length=MAX_ARRAY)] = ()
    """Of a growth check: what was measured at each number of elements, the smallest first."""
    answer: Text = ""
    """Of a behaviour: what came back, or what was raised."""
    evaluations: Count = 0
    seconds: FiniteFloat = 0.0

    @property
    def id(self) -> str:
        """``check:quantity@target``: unique within a run."""
        return f"{self.check}:{self.quantity}@{self.target.id}"


class RunEnvironment(_Record):
    """Where a worker ran."""

    framework: Text
    version: Text
    python: Text = ""
    platform: Text = ""
    packages: dict[Text, Text] = Field(default_factory=dict)
    flags: dict[Text, Text] = Field(default_factory=dict)
    devices: tuple[Text, ...] = ()


class Shard(_Record):
    """One of so many disjoint parts of a run."""

    number: Annotated[int, Field(ge=1, le=MAX_SHARDS)]
    of: Annotated[int, Field(ge=1, le=MAX_SHARDS)]

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"shard {self.number} of {self.of}, expected one of them")
        return self


class Header(_Record):
    """First line: what was asked, of what, by which suite."""

    record: Literal["header"] = "header"
    format: Literal[1] = 1
    run: Text
    started: Text
    suite_version: Text
    specs_digest: Text
    profile: Text
    seed: Count | None = None
    selection: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    """What of it was selected, as the options of a run say it; empty where all of it was."""
    shard: Shard | None = None
    environment: RunEnvironment
    entries: dict[Text, Text] = Field(default_factory=dict)
    """Implementation name → the entry point as a person writes it."""


class Footer(_Record):
    """Last line: how many cells there are of each outcome. No footer: the run is incomplete."""

    record: Literal["footer"] = "footer"
    cells: Count
    counts: dict[Outcome, Count]
    seconds: FiniteFloat


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
