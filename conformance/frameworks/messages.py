"""What was raised and what came back, in words that are the same every time: no addresses, no paths, a line of bounded length."""

from __future__ import annotations

import re

import numpy as np

from conformance.frameworks.base import Unsupported
from conformance.numerics.formats import Array

MOST_CHARACTERS = 100
"""Of a message: enough to recognise it."""
_MOST_ELEMENTS = 8

_PLACES = re.compile(r"\{\{.*?\}\}\s*|(?<![\w.])(?:/[\w.+\-@]+){3,}")
"""Names of nodes in TensorFlow's messages, and absolute paths."""
_SHAPES = re.compile(r"\[s\d+(?:, s?\d+)*\]")
"""Shapes as torch.compile writes them where they are dynamic."""
_ADDRESSES = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def one_line(error: BaseException) -> str:
    """An exception as one short line: its type and what its message begins with, or ends with where a traceback comes first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    message = lines[-1] if lines[0].startswith("in user code") else " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    name = type(error).__name__
    return f"{name}: {message.removeprefix(f'{name}: ')}".rstrip(": ")[:300]


def refusal(error: Exception) -> str:
    """What an implementation raised on a plain call, in settled words.

    Raises:
        Unsupported: it was the adapter that does not offer the call, and no framework that said so.
    """
    if isinstance(error, Unsupported) and not isinstance(error.__cause__, Exception):
        raise error
    return settled(one_line(error.__cause__ if isinstance(error, Unsupported) and error.__cause__ else error))


def settled(message: str, limit: int = MOST_CHARACTERS) -> str:
    """The first line of a message, without what changes from run to run, cut short and printable."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "")
    line = _SHAPES.sub("[…]", _ADDRESSES.sub("0x…", _PLACES.sub("", line)))
    line = "".join(character if character.isprintable() else "·" for character in line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def in_decimal(array: Array) -> str:
    """An array in short decimals, five digits of each number; of a long one, how it begins."""
    flat = [_number(x) for x in array.ravel()[:_MOST_ELEMENTS]]
    if not array.shape:
        return flat[0]
    more = ", …" if array.size > _MOST_ELEMENTS else ""
    return f"[{', '.join(flat)}{more}]"


def _number(x: np.generic) -> str:
    kind = x.dtype.kind
    if kind == "c":
        z = complex(x)
        return f"{z.real:.5g}{z.imag:+.5g}j"
    if kind in "biu":
        return str(x.item())
    return f"{float(x):.5g}"
