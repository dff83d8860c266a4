"""What is wrong with a spec file, in one sentence: file, case, key, what was found and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.mistake import Mistake
from conformance.numerics.exact.number import Number
from conformance.specs.arrays import Numbers, parse_array
from conformance.specs.literals import LiteralError, parse


@dataclass(frozen=True)
class Problem:
    """One error. ``case`` and ``key`` are empty where the mistake is the whole file's."""

    file: Path
    case: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        parts = [_short(self.file), f"case {_one_line(self.case)}" if self.case else "", _one_line(self.key)]
        return f"{': '.join(part for part in parts if part)}: found {_one_line(self.found)}, expected {_one_line(self.expected)}"


class SpecError(Mistake):
    """A spec that cannot be used; the message is its first problem, and ``problem`` the same in parts."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class SpecContext:
    """A place in a spec file: what is wrong there is added to ``problems``, with the file, the case and the key.

    ``name`` is that of the case, the deviation or the like, and ``key`` that of a table inside it; both may be empty. ``before`` problems
    were known when the case began.
    """

    problems: list[Problem]
    file: Path
    name: str = ""
    key: str = ""
    before: int = 0

    def named(self, name: str) -> SpecContext:
        """The case of that name, or the like, in the file."""
        return SpecContext(self.problems, self.file, name, before=len(self.problems))

    def table(self, key: str) -> SpecContext:
        """The table under a key."""
        return replace(self, key=self._full(key))

    def _full(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key and key else self.key or key

    def complain(self, key: str, found: str, expected: str) -> None:
        """Keep one problem; an empty key is the table itself."""
        self.problems.append(Problem(self.file, self.name, self._full(key), found, expected))

    @property
    def wrong(self) -> bool:
        """Whether there is a problem since the case began."""
        return len(self.problems) > self.before

    def number(self, key: str, raw: object) -> Number | None:
        """The number that a literal denotes, or None after a complaint."""
        try:
            return parse(raw, fractions=True)
        except LiteralError as error:
            self.complain(key, error.found, error.expected)
            return None

    def array(self, key: str, raw: object, *, fractions: bool = False, dtypes: Iterable[str] = ()) -> Numbers | None:
        """The array under a key, all of whose numbers must be numbers of each of the ``dtypes``; or None after a complaint."""
        try:
            numbers = parse_array(raw, fractions=fractions)
            for dtype in dtypes:
                numbers.require_held(dtype)
        except LiteralError as error:
            self.complain(key + error.where, error.found, error.expected)
            return None
        return numbers


def _one_line(text: str, limit: int = 400) -> str:
    """``text`` as it may stand in a sentence on a terminal, whatever the file put into it."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def _short(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
