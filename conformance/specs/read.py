"""One TOML file, read safely: bytes to text to table to pydantic model, every mistake collected as a Problem."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from conformance.specs.grammar import SpecTable, keys_at
from conformance.specs.literals import RawFloat, show
from conformance.specs.problems import Problem, SpecContext

MAX_BYTES = 4 << 20
"""Largest file that is read."""
MAX_BYTES_TOGETHER = 32 << 20
"""As much is read of one folder."""
MAX_TABLES = 2_000
"""Most tables in one list, such as the cases of a file: each costs a linter some milliseconds."""

Model = TypeVar("Model", bound=SpecTable)


class _UnreadableError(Exception):
    """What is wrong with a file as a whole, or with all that is under a key."""

    def __init__(self, found: str, expected: str, key: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.key = found, expected, key


@dataclass
class Reader:
    """Reads the files of a folder and keeps what was wrong with them; ``contents`` are the bytes read, for the digest."""

    root: Path
    problems: list[Problem] = field(default_factory=list)
    contents: dict[Path, bytes] = field(default_factory=dict)
    _together: int = 0

    def context(self, file: Path) -> SpecContext:
        """That of a file as a whole."""
        return SpecContext(self.problems, file)

    def tables(self, files: Iterable[Path], model: type[Model]) -> Iterator[tuple[SpecContext, Model]]:
        """Those of the files that can be read as a ``model``, by name, each read when it is asked for."""
        for file in sorted(files):
            if (table := self.read(file, model)) is not None:
                yield self.context(file), table

    def read(self, file: Path, model: type[Model]) -> Model | None:
        """The file as a ``model``, or None after a complaint."""
        if self._together > MAX_BYTES_TOGETHER:
            return None
        context = self.context(file)
        try:
            raw = self._toml(file)
            return model.model_validate(raw)
        except _UnreadableError as error:
            context.complain(error.key, error.found, error.expected)
        except ValidationError as error:
            for place, found, expected in _complaints(error, model):
                name, key = _locate(raw, place)
                context.named(name).complain(key, found, expected)
        return None

    def _toml(self, file: Path) -> dict[str, Any]:
        content = self._content(file)
        self._together += len(content)
        if self._together > MAX_BYTES_TOGETHER:
            raise _UnreadableError(f"more than {MAX_BYTES_TOGETHER >> 20} MiB in the folder up to this file", "fewer or smaller files")
        self.contents[file] = content
        table = _parsed(content)
        for key, value in table.items():
            if isinstance(value, list) and len(value) > MAX_TABLES:
                raise _UnreadableError(f"{len(value)} of them", f"at most {MAX_TABLES} in one file", key)
        return table

    def _content(self, file: Path) -> bytes:
        """The bytes of a plain file inside the folder: a pipe might never end, and a link may lead to what is nobody's business."""
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise _UnreadableError("something that is not a plain file", "a readable TOML file")
        try:
            if not file.resolve(strict=True).is_relative_to(self.root.resolve()):
                raise _UnreadableError("a link that leads out of the folder", "a file inside it")
            with file.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except (OSError, RuntimeError) as error:  # RuntimeError: a ring of links, to Python 3.12
            found = getattr(error, "strerror", None) or "a ring of links"
            raise _UnreadableError(f"a file that cannot be read ({found})", "a readable TOML file") from None
        if len(content) > MAX_BYTES:
            raise _UnreadableError(f"a file of more than {MAX_BYTES >> 20} MiB", "a smaller one: long arrays are written as generators")
        return content


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"), parse_float=RawFloat)
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"bytes that are not UTF-8 at offset {error.start}", "UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        raise _UnreadableError(f"a TOML syntax error ({message[:1].lower()}{message[1:]})", "TOML") from None
    except RecursionError:
        raise _UnreadableError("tables or lists nested too deep to read", "rank 8 at most") from None
    except ValueError:  # an integer with more digits than Python converts
        raise _UnreadableError("an integer of more than 4300 digits", "a shorter literal") from None


_NAMED_BY = {"case": "id", "deviation": "check", "question": "id", "policy": "policy", "matrix": "name"}
"""The lists of tables that a file may hold, and the key that names a table of each."""


def _locate(raw: dict[str, Any], place: tuple[str | int, ...]) -> tuple[str, str]:
    """The case (its id, or its number where it has none) and the key that ``place`` points at."""
    case = ""
    if place and (named_by := _NAMED_BY.get(str(place[0]))) and len(place) > 1 and isinstance(place[1], int):
        entry = raw[str(place[0])][place[1]]
        name = entry.get(named_by) if isinstance(entry, dict) else None
        case = name if isinstance(name, str) and name else f"number {place[1] + 1}"
        place = place[2:]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return case, key.lstrip(".")


_EXPECTED = {
    "string_too_short": "a sentence, not an empty one",
    "string_type": "a string",
    "list_type": "a list",
    "int_type": "an integer",
    "bool_type": "true or false",
    "date_type": "a date such as 2027-06-30",
    "date_from_datetime_inexact": "a date such as 2027-06-30",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "too_short": "at least one element",
}


_BRANCH = re.compile(r"\[key\]$|constrained-|(list|literal)\[")
"""How pydantic names, after the place, a branch of a union or the key of a mapping."""


_UNIONS = {
    "count": 'an integer from 1 to 16, "n-1" or "division"',
    **dict.fromkeys(("check", "framework", "implementation", "device", "mode"), "a string that is not empty, or a list of such"),
    "dtype": "one or a list of float16, bfloat16, float32 and float64",
}


_PATTERNS = {
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "lower-case letters and digits, words joined by hyphens",
    r"^[a-z0-9-]+/[a-z0-9-]+$": "a family and a name, such as mse/mean",
    r"^https?://[^\s]+$": "a link that begins with https://",
    r"^3\.[0-9]{1,2}$": "a version of Python, such as 3.11",
}


def _complaints(error: ValidationError, model: type[SpecTable]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every complaint of pydantic as (place, found, expected), in the words of the other problems."""
    seen: set[tuple[str | int, ...]] = set()
    errors = error.errors(include_url=False)
    for one in sorted(errors, key=lambda one: one["type"] != "extra_forbidden"):  # a misspelt key explains the missing one
        kind, context = one["type"], one.get("ctx", {})
        place = tuple(takewhile(lambda part: not (isinstance(part, str) and _BRANCH.match(part)), one["loc"]))
        if place in seen:
            continue
        seen.add(place)
        names = tuple(part for part in place if isinstance(part, str))
        if place != one["loc"] and (either := _UNIONS.get(names[-1])):
            yield place, show(one["input"]), either
        elif kind == "extra_forbidden":
            keys = ", ".join(keys_at(model, names[:-1])) or "no key"
            yield place, f"unknown key {names[-1]}", f"one of {keys}"
        elif kind == "missing":
            yield place, "nothing", "this key"
        elif kind == "literal_error":
            yield place, show(one["input"]), str(context["expected"]).replace("'", '"')
        elif kind == "string_pattern_mismatch":
            yield place, show(one["input"]), _PATTERNS.get(str(context["pattern"]), f"a match of {context['pattern']}")
        else:
            message = re.sub(r"^(Input|String|List|Value) should (be|have) ", "", one["msg"])
            yield place, show(one["input"]), _EXPECTED.get(kind, message)
