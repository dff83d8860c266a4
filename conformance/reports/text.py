"""Words and numbers as every report shows them: hostile text made visible, figures made short."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from shlex import quote
from typing import TypeVar

from conformance.results.records import Grade, Outcome, Target

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")

GLYPHS: Mapping[Outcome, str] = {
    Outcome.ERROR: "!",
    Outcome.FAIL: "✗",
    Outcome.DEVIATION: "≠",
    Outcome.NOT_RUN: "?",
    Outcome.UNSUPPORTED: "–",
    Outcome.PASS: "✓",
}
"""One sign for each outcome, so that no report needs colour to be read."""

PARTIAL = "◐"
"""Passing, yet not the whole of it: beside the passes there are cells that are unsupported or not run."""

GRADE_SHORT: Mapping[Grade, str] = {
    Grade.CORRECTLY_ROUNDED: "rounded",
    Grade.FAITHFUL: "faithful",
    Grade.CONSTANT: "O(1)",
    Grade.LOGARITHMIC: "O(log n)",
    Grade.SQUARE_ROOT: "O(√n)",
    Grade.LINEAR: "O(n)",
}

MEANING: Mapping[Outcome, str] = {
    Outcome.ERROR: "raised, crashed, hung, or ran as something other than what was asked for",
    Outcome.FAIL: "outside what the mathematics and the error model allow",
    Outcome.DEVIATION: "a documented departure, still exactly as documented",
    Outcome.NOT_RUN: "not run, with its reason",
    Outcome.UNSUPPORTED: "the framework says that it does not offer this",
    Outcome.PASS: "inside the derived interval",
}

GRADE_MEANING: Mapping[Grade, str] = {
    Grade.CORRECTLY_ROUNDED: "always the exact result, rounded once",
    Grade.FAITHFUL: "less than one unit in the last place away",
    Grade.CONSTANT: "a few units in the last place, whatever n is",
    Grade.LOGARITHMIC: "grows with log n, as a tree of additions does",
    Grade.SQUARE_ROOT: "grows with √n",
    Grade.LINEAR: "grows with n, as adding one by one does",
}

_DTYPES = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_NUMBERS = re.compile(r"[-+]?(?:0x[0-9a-f]+(?:\.[0-9a-f]*)?(?:p[-+]?\d+)?|\d+(?:\.\d*)?(?:e[-+]?\d+)?(?:/\d+)?)", re.IGNORECASE)
_LINK = re.compile(r"(https?://[A-Za-z0-9.\-]+(?:/[A-Za-z0-9./_~%#?&=+\-]*)?(?<!\.))")


def group_by(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """The items of each key, keys and items in the order in which they come."""
    grouped: dict[_Key, list[_Item]] = {}
    for item in items:
        grouped.setdefault(key(item), []).append(item)
    return grouped


def printable(text: str, limit: int = 400) -> str:
    """One line in which every character can be seen: white space folded, control and invisible characters spelled out."""
    line = _SPACES.sub(" ", text[: 4 * limit]).strip()
    if not line.isprintable():
        line = "".join(c if c.isprintable() else _spelled(c) for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def source(program: str) -> str:
    """Show a program's lines as they are, but with every character that cannot be seen spelled out."""
    return "\n".join("".join(c if c.isprintable() else _spelled(c) for c in line) for line in program.split("\n"))


def _spelled(character: str) -> str:
    point = ord(character)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def format_error(error: float | None) -> str:
    """Write an error short enough for a table: two digits while it is small, whole numbers, then powers of ten."""
    if error is None:
        return ""
    size = abs(error)
    if size == 0:
        return "0"
    if size < 0.01:
        return "<0.01"
    if size < 9.95:
        return f"{error:.1f}" if size >= 0.095 else f"{error:.2f}"
    return f"{error:,.0f}" if size < 99_999.5 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


def accuracy_in_words(error: float | None, grade: Grade | None) -> str:
    """``1.5 u O(log n)``; empty where no error was measured."""
    return "" if error is None else f"{format_error(error)} u{f' {GRADE_SHORT[grade]}' if grade else ''}"


def short_dtype(dtype: str) -> str:
    """``f16`` for ``float16``; what is not known stays as it is."""
    return _DTYPES.get(dtype, printable(dtype, 12))


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sort narrow formats first, unknown ones after them, ``*`` last."""
    known = list(_DTYPES)
    return (known.index(dtype) if dtype in known else len(known) + (dtype == "*"), dtype)


def decimal(numeral: str) -> str:
    """Read a hexadecimal float as a person does; empty where it is not one, or is one already."""
    try:
        number = float.fromhex(numeral) if len(numeral) < 64 and "0x" in numeral else None
    except (ValueError, OverflowError):
        return ""
    return "" if number is None else repr(number)


def shortest(numeral: str) -> str:
    """Write a hexadecimal float without the zeros that end its digits."""
    return re.sub(r"^([-+]?0x[0-9a-f]+)(?:\.0*|(\.[0-9a-f]*[1-9a-f])0*)p", lambda m: f"{m[1]}{m[2] or ''}p", numeral[:100])


@lru_cache(maxsize=4096)  # thousands of cells are left out for the same reason
def without_numbers(text: str) -> str:
    """Replace every number in the text, so that one defect seen in many numbers reads the same."""
    return _NUMBERS.sub("#", text)


def split_links(line: str) -> Iterator[tuple[str, bool]]:
    """The line in pieces, each with whether it is the address of a page."""
    for number, piece in enumerate(_LINK.split(line)):
        yield piece, number % 2 == 1


def replay_command(identifier: str, limit: int = 400) -> str:
    """The command that runs a cell again."""
    return f"conformance replay {quote(printable(identifier, limit))}"


def plural(count: int, noun: str) -> str:
    """``1 cell``, ``2 cells``, ``20,412 cells``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def truncate(items: Sequence[str], most: int, noun: str = "") -> str:
    """Join the items with commas, only the first ``most`` of them, and say how many are left out."""
    left = len(items) - most
    return ", ".join(items[:most]) + (f" and {left} more{' ' + noun if noun else ''}" if left > 0 else "")


def targets_in_words(targets: Iterable[Target], most: int = 4) -> list[str]:
    """Say many targets in few words: ``torch · mse_loss · cpu · eager, compile · float16``, ``most`` implementations named.

    Dtypes are folded first, then modes, then implementations, wherever all the rest agrees.
    """
    folded: dict[tuple[str, ...], dict[str, None]] = {}
    for target in targets:
        folded.setdefault((target.framework, target.implementation, target.device, target.mode), {})[target.dtype] = None
    dtypes = {key: ", ".join(sorted(values, key=dtype_order)) for key, values in folded.items()}
    modes: dict[tuple[str, ...], list[str]] = {}
    for (framework, implementation, device, mode), held in dtypes.items():
        modes.setdefault((framework, implementation, device, held), []).append(mode)
    implementations: dict[tuple[str, ...], list[str]] = {}
    for (framework, implementation, device, held), names in modes.items():
        implementations.setdefault((framework, device, ", ".join(names), held), []).append(implementation)
    return [
        printable(" · ".join(part for part in (framework, truncate(names, most), device, mode, held) if part != "*"))
        for (framework, device, mode, held), names in implementations.items()
    ]
