"""The results file: JSON lines, a header, one cell a line, a footer. Described and read here.

Floats that matter are hex strings inside a witness; every number is finite; nothing in a file is ever executed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
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
    """Where a runner ran."""

    framework: Text
    version: Text
    python: Text = ""
    platform: Text = ""
    packages: dict[Text, Text] = Field(default_factory=dict)
    flags: dict[Text, Text] = Field(default_factory=dict)
    devices: tuple[Text, ...] = ()

    @property
    def title(self) -> str:
        """``torch 2.13.0``."""
        return f"{self.framework} {self.version}"

    @property
    def facts(self) -> dict[str, str]:
        """What a report tells of it beside framework and version: each fact's name and what it is."""
        return {"python": self.python, "platform": self.platform, "devices": ", ".join(self.devices)} | self.packages | self.flags


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


def split_id(identifier: str) -> tuple[str, str, str]:
    """``check:quantity@target`` taken apart; quantity and target may be missing."""
    rest, _, target = identifier.partition("@")
    check, _, quantity = rest.partition(":")
    return check, quantity, target
