"""The results file: JSON lines, a header, one cell a line, a footer. Written, read and merged here.

Floats that matter are hex strings inside a witness; every number is finite; nothing in a file is ever executed.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Literal, Self, TextIO, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, NonNegativeInt, TypeAdapter, ValidationError

FORMAT = 1
MAX_LINE = 1_000_000
"""Longest line accepted from a results file, in bytes: a cell of ours has a few thousand."""
MAX_TEXT = 10_000
"""Longest string kept in a record, in characters: a reason is a sentence or two, a traceback's end is cut off."""
MAX_ARRAY = 64
"""Most elements of an array that a witness spells out."""

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


class Writer:
    """Appends records to a results file, each flushed at once so that a crash loses nothing finished."""

    def __init__(self, path: Path, header: Header) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8", newline="\n")
        self._counts: Counter[Outcome] = Counter()
        self._write(header)

    def _write(self, record: Header | Cell | Footer) -> None:
        named = {"record": record.record} | ({"format": FORMAT} if isinstance(record, Header) else {})
        text = json.dumps(named | record.model_dump(mode="json", exclude_defaults=True), allow_nan=False, separators=(",", ":"))
        if len(text) >= MAX_LINE:
            raise ValueError(f"a {record.record} of {len(text)} characters, expected fewer than {MAX_LINE}: no reader would accept it")
        self._file.write(text + "\n")
        self._file.flush()

    def append(self, cell: Cell) -> None:
        """Write one finished cell."""
        self._counts[cell.outcome] += 1
        self._write(cell)

    def close(self, seconds: float) -> None:
        """Write the footer: the run is complete."""
        self._write(Footer(cells=self._counts.total(), counts=dict(self._counts), seconds=seconds))
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


@dataclass(frozen=True)
class Results:
    """One results file as read. ``footer`` is None when the run did not finish."""

    path: Path
    header: Header
    cells: tuple[Cell, ...]
    footer: Footer | None

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return self.footer is not None

    def version_of(self, cell: Cell) -> str:
        """The framework version that the cell belongs to; no target of a device that is not there has one of its own."""
        environment = self.header.environment
        own = cell.target.version
        return environment.version if not own and cell.target.framework == environment.framework else own


def _open(path: Path) -> BinaryIO:
    """A results file as bytes, unpacked on the way where its name ends in ``.gz``: never more than a line at a time."""
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _records(path: Path) -> Iterator[tuple[int, Header | Cell | Footer]]:
    try:
        with _open(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
                if len(line) > MAX_LINE:
                    raise ResultsError(f"{path}:{number}: the line is longer than {MAX_LINE} bytes; expected one record")
                if not line.endswith(b"\n"):
                    found = ascii(line[:40].decode("utf-8", "replace"))
                    raise ResultsError(f"{path}:{number}: the file ends in the middle of a record ({found}…): it was truncated")
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
        ResultsError: the file is not a results file, is truncated inside a record, repeats a cell, or its footer miscounts.
    """
    header: Header | None = None
    footer: Footer | None = None
    cells: list[Cell] = []
    seen: set[str] = set()
    for number, record in _records(path):
        if header is None:
            if not isinstance(record, Header):
                raise ResultsError(f"{path}:{number}: found a {record.record}, expected the header on the first line")
            header = record
        elif footer is not None:
            raise ResultsError(f"{path}:{number}: found a {record.record} after the footer, expected the end of the file")
        elif isinstance(record, Header):
            raise ResultsError(f"{path}:{number}: found a second header, expected cells or the footer")
        elif isinstance(record, Footer):
            footer = record
        else:
            if record.id in seen:
                raise ResultsError(f"{path}:{number}: found the cell {record.id!a} a second time, expected each cell once")
            seen.add(record.id)
            cells.append(record)
    if header is None:
        raise ResultsError(f"{path}: the file is empty, expected a header line")
    counted = Counter(cell.outcome for cell in cells)
    if footer is not None and (footer.cells != len(cells) or {k: v for k, v in footer.counts.items() if v} != dict(counted)):
        raise ResultsError(f"{path}: the footer counts {footer.cells} cells, found {len(cells)}: cells are missing or added")
    return Results(path, header, tuple(cells), footer)


def read_header(path: Path) -> Header:
    """Read the first line of a results file only: what was asked, of what.

    Raises:
        ResultsError: it does not begin with a header.
    """
    number, record = next(_records(path), (1, None))
    if not isinstance(record, Header):
        found = f"a {record.record}" if record else "nothing"
        raise ResultsError(f"{path}:{number}: found {found}, expected the header on the first line")
    return record


def find(paths: Sequence[Path]) -> list[Path]:
    """List the results files among ``paths``, folders searched for ``*.jsonl`` and ``*.jsonl.gz``, each file once."""
    found: dict[Path, Path] = {}
    for path in paths:
        inside = sorted([*path.rglob("*.jsonl"), *path.rglob("*.jsonl.gz")]) if path.is_dir() else [path]
        if not inside:
            raise ResultsError(f"{path}: the folder holds no *.jsonl or *.jsonl.gz file, expected at least one results file")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def merge(parts: Iterable[Results]) -> list[Results]:
    """Keep the results that may be shown together: of one specs digest, each file once.

    A copy of a file, or an earlier state of it, is dropped. Two files of one run that differ are both kept, and so are
    two runs of the same targets: whoever shows them must show both.

    Raises:
        ResultsError: two parts were judged by different specs.
    """
    kept: list[Results] = []
    for part in parts:
        if kept and part.header.specs_digest != kept[0].header.specs_digest:
            raise ResultsError(
                f"{part.path}: specs digest {part.header.specs_digest[:12]!a}, but {kept[0].path} has "
                f"{kept[0].header.specs_digest[:12]!a}: results of different specs cannot be merged"
            )
        if any(_continues(other, part) for other in kept):
            continue
        kept = [other for other in kept if not _continues(part, other)]
        kept.append(part)
    return kept


def _continues(whole: Results, part: Results) -> bool:
    """Whether ``whole`` is the same file as ``part``, at the same time or later."""
    return (
        whole.header == part.header
        and whole.cells[: len(part.cells)] == part.cells
        and (part.footer is None or part.footer == whole.footer)
    )
