"""What is wrong with a spec file, in one sentence: file, case, key, what was found and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One mistake. ``case`` and ``key`` are empty where the mistake is the whole file's."""

    file: Path
    case: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        parts = [_short(self.file), f"case {_one_line(self.case)}" if self.case else "", _one_line(self.key)]
        return f"{': '.join(part for part in parts if part)}: found {_one_line(self.found)}, expected {_one_line(self.expected)}"


class SpecError(Exception):
    """A spec that cannot be used; the message is its first problem, and ``problem`` the same in parts."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _one_line(text: str, limit: int = 400) -> str:
    """``text`` as it may stand in a sentence on a terminal, whatever the file put into it."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def _short(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
