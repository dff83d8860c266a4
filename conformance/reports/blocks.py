"""Markdown that fits: blocks of entries, each with its share of the page; what does not fit is left out, and that is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_BYTES = 200_000
"""A step summary may hold 1 MiB; a person reads much less."""

_RESERVE = 300
"""Room for the sentences that say what is missing."""


class Block(NamedTuple):
    """A part of a page that may be cut between two of its entries, never within one, and always ends with its closing.

    Entries that are made one by one are made only as long as they fit.
    """

    opening: str
    entries: Iterable[str] = ()
    closing: str = "\n"
    most: int = MAX_BYTES


def fitted(blocks: Iterable[Block], elsewhere: str) -> str:
    """Put the blocks together in fewer than ``MAX_BYTES`` bytes; ``elsewhere`` names what holds more."""
    pieces: list[str] = []
    left, missing = MAX_BYTES - _RESERVE, False
    for block in blocks:
        room = min(block.most, left) - _size(block.opening) - _size(block.closing) - _RESERVE
        held: list[str] = []
        for entry in block.entries:
            room -= _size(entry)
            if room < 0:
                break
            held.append(entry)
        if room < 0 and not held:
            missing = True
            continue
        if room < 0:
            count = f"{len(block.entries) - len(held):,} " if isinstance(block.entries, Sequence) else ""
            held.append(f"\n*… and {count}more: see {elsewhere}.*\n")
        part = "".join([block.opening, *held, block.closing])
        pieces.append(part)
        left -= _size(part)
    if missing:
        pieces.append(f"\n*The rest is too long for this page: see {elsewhere}.*\n")
    return "".join(pieces)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
