"""The two sides of a comparison: what results files hold of one framework, as entry points that a person may call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from packaging.version import Version

from conformance.mistake import Mistake
from conformance.reports.compare.expression import read as read_entry
from conformance.results.merging import find, merge
from conformance.results.reading import Results, read, read_header
from conformance.results.records import Cell, Outcome

RAN = frozenset({Outcome.PASS, Outcome.DEVIATION, Outcome.FAIL, Outcome.ERROR})
"""Outcomes of a cell that ran: the others say nothing about how a framework behaves."""

EAGER = "eager"
_KEYWORD = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*=(?!=)")
_COMMON_KEYWORDS = frozenset({"reduction", "dtype", "weight", "sample_weight"})
_ABBREVIATED = ("mse", "meansquarederror")


class SideError(Mistake):
    """A side of a comparison that the results do not have; the message says what was found and what there is."""


@dataclass(frozen=True)
class Entry:
    """One implementation of one operation: how a person writes it, and its cells that ran."""

    implementation: str
    operation: str
    text: str
    cells: tuple[Cell, ...]

    @property
    def streamed(self) -> bool:
        """Whether it takes batches."""
        return " in batches" in self.text

    @property
    def keywords(self) -> int:
        """How many keywords it is called with: the fewer, the plainer."""
        return len(_KEYWORD.findall(self.text))

    @property
    def formula(self) -> bool:
        """Whether the squares are written out in it: what it computes can be read off it, in any framework."""
        return "square(" in self.text or "**2" in self.text.replace(" ", "")

    @property
    def looks_like(self) -> tuple[str, str] | None:
        """What a reader takes it for: the name of the function, spelled alike in all frameworks, and its reduction, a mean if none is said.

        None of a formula, of a call inside another one, and of one whose other keywords, or parts of its arguments, say what it does.
        """
        found = read_entry(self.text)
        if not found.callee or not found.plain or self.formula or self.streamed or set(_KEYWORD.findall(self.text)) - _COMMON_KEYWORDS:
            return None
        name = found.callee.rpartition(".")[2].lower().replace("_", "")
        name = name.replace(*_ABBREVIATED) if name.startswith(_ABBREVIATED[0]) else name
        return name.removesuffix("loss"), found.reduction or "mean"

    @property
    def brief(self) -> str:
        """The call with its keywords and without its arguments, where that is all there is to say; else the whole text."""
        if self.looks_like is None:
            return self.text
        found = read_entry(self.text)
        weight = next((f"{word}=…" for word in ("sample_weight", "weight") if word in found.keywords), "")
        return f"{found.callee}({', '.join(filter(None, [found.reduction_text, weight]))})"

    @cached_property
    def _by_check(self) -> Mapping[tuple[str, str], tuple[Cell, ...]]:
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault((cell.check, cell.quantity), []).append(cell)
        return {key: tuple(sorted(cells, key=plainest)) for key, cells in found.items()}

    def on(self, check: str, quantity: str) -> tuple[Cell, ...]:
        """The cells of one check and quantity, the plainest target first."""
        return self._by_check.get((check, quantity), ())

    @cached_property
    def proof(self) -> Cell | None:
        """The cell that best shows that the entry point computes its operation: a pinned one of several numbers, that passes."""
        passing = (cell for cell in self.cells if cell.outcome is Outcome.PASS and cell.kind != "behaviour")
        return min(passing, key=_persuasion, default=None)


def plainest(cell: Cell) -> tuple[bool, bool, bool, str, str]:
    """Sort the CPU, eager execution and float32 first: what people run unless they say otherwise."""
    target = cell.target
    return (target.device != "cpu", target.mode != EAGER, target.dtype != "float32", target.mode, target.dtype)


def _persuasion(cell: Cell) -> tuple[object, ...]:
    told = ("matrix", "rank", "square", "three", "thirds")
    name = cell.check.rpartition("/")[2]
    place = next((n for n, word in enumerate(told) if word in name), len(told))
    return (cell.kind != "case", cell.quantity not in {"value", "parameters"}, *plainest(cell)[:3], place, cell.check)


@dataclass(frozen=True)
class Side:
    """One framework, or one entry point of it, in one version."""

    framework: str
    version: str
    entries: tuple[Entry, ...]
    complete: bool = True
    chosen: str = ""
    """A sentence about the choice, where the name could have meant several frameworks or versions."""
    sources: tuple[Results, ...] = field(default=(), repr=False)

    @property
    def title(self) -> str:
        """``torch 2.13.0``, or ``torch 2.13.0, mse_loss.mean``."""
        named = f", {self.entries[0].implementation}" if self.single else ""
        return f"{self.framework} {self.version}".strip() + named

    @property
    def single(self) -> bool:
        """Whether there is one entry point only: then whatever the other side has is held against it."""
        return len(self.entries) == 1

    def of(self, operation: str) -> tuple[Entry, ...]:
        """The entry points of an operation, the plain ones first and those for batches last."""
        return tuple(sorted((e for e in self.entries if e.operation == operation), key=lambda e: (e.streamed, e.keywords)))

    @property
    def operations(self) -> tuple[str, ...]:
        """What its entry points compute."""
        return tuple(dict.fromkeys(entry.operation for entry in self.entries))


@dataclass(frozen=True)
class EntryPair:
    """An entry point, and what is written in its place on the other side."""

    a: Entry
    b: Entry


def counterparts(entry: Entry, side: Side) -> tuple[Entry, ...]:
    """The entry points of a side that compute the same, best first: a function for a function, a formula for a formula."""
    key = entry.looks_like
    return tuple(
        sorted(side.of(entry.operation), key=lambda e: (e.streamed != entry.streamed, e.looks_like != key, e.formula != entry.formula))
    )


def pairs(a: Side, b: Side) -> tuple[EntryPair, ...]:
    """Every entry point of the first side with what is written in its place; the plain mean first."""
    found = [EntryPair(entry, same[0]) for entry in a.entries if (same := counterparts(entry, b)) and same[0].streamed == entry.streamed]
    return tuple(sorted(found, key=lambda p: (p.a.streamed, p.a.formula, p.a.operation != "mse/mean", p.a.keywords)))


def all_pairs(both: Iterable[EntryPair], b: Side) -> tuple[EntryPair, ...]:
    """The pairs, and every other entry point that might be written instead."""
    return tuple(EntryPair(pair.a, e) for pair in both for e in counterparts(pair.a, b) if e.streamed == pair.a.streamed)


def side_of(results: Iterable[Results], framework: str, implementation: str = "", chosen: str = "") -> Side:
    """All that the results hold of a framework that ran, in its newest version; or of one entry point of it.

    Raises:
        SideError: nothing of it ran, or there is no such entry point.
    """
    parts = [part for part in results if any(cell.target.framework == framework for cell in part.cells)]
    ran = [cell for part in parts for cell in part.cells if cell.target.framework == framework and cell.outcome in RAN]
    versions = sorted({cell.target.version for cell in ran}, key=_release)
    if not versions:
        raise SideError(f"found no cell of {framework!a} that ran, expected some: there is nothing to compare")
    texts = {name: text for part in parts for name, text in part.header.entries.items()}
    entries = tuple(_entries((cell for cell in ran if cell.target.version == versions[-1]), texts))
    if len(versions) > 1:
        chosen = f"{chosen} Of {framework} the version {versions[-1]} was taken; there is also {', '.join(versions[:-1])}.".strip()
    if implementation:
        names = list(dict.fromkeys(entry.implementation for entry in entries))
        entries = tuple(entry for entry in entries if entry.implementation == implementation)
        if not entries:
            raise SideError(f"{framework}: found the entry point {implementation!a}, expected one of {', '.join(names)}")
    return Side(framework, versions[-1], entries, all(part.complete for part in parts), chosen, tuple(parts))


def _entries(cells: Iterable[Cell], texts: Mapping[str, str]) -> Iterator[Entry]:
    grouped: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        if cell.target.implementation != "*":
            grouped.setdefault((cell.target.implementation, cell.operation), {}).setdefault(cell.id, cell)
    order = list(texts)
    rank = {name: number for number, name in enumerate(order)}
    for name, operation in sorted(grouped, key=lambda key: rank.get(key[0], len(rank))):
        yield Entry(name, operation, texts.get(name, name), tuple(grouped[name, operation].values()))


def _release(version: str) -> tuple[bool, Version | str]:
    try:
        return (True, Version(version))
    except ValueError:  # InvalidVersion is one, and so is a number of too many digits
        return (False, version)


def choose(a: str, b: str, paths: Sequence[Path]) -> tuple[Side, Side]:
    """The two sides, each given as ``framework`` or ``framework:implementation``, from these files and folders.

    Raises:
        ResultsError: a file cannot be believed, or the two sides were judged by different specs.
        SideError: the results do not hold a side.
    """
    files: dict[str, list[Path]] = {}
    for path in find(paths):
        files.setdefault(read_header(path).environment.framework, []).append(path)
    names = [name.partition(":")[0] for name in (a, b)]
    loaded = {framework: merge(map(read, files[framework])) for name in names for framework in meant(name, list(files))}
    frameworks, sentences = zip(*(_framework(name, other, loaded) for name, other in (names, names[::-1])), strict=True)
    merge(part for framework in dict.fromkeys(frameworks) for part in loaded[framework])  # refuses what different specs have judged
    one, other = (
        side_of(loaded[framework], framework, given.partition(":")[2], sentence)
        for framework, given, sentence in zip(frameworks, (a, b), sentences, strict=True)
    )
    return one, other


def meant(name: str, present: Sequence[str]) -> list[str]:
    """The frameworks that a name may mean: the one that is called so, else those whose name it begins.

    Raises:
        SideError: there is none.
    """
    found = [name] if name in present else [one for one in present if name and one.startswith(f"{name}-")]
    if not found:
        raise SideError(f"found the framework {name!a}, expected one that the results hold: {', '.join(map(ascii, present)) or 'nothing'}")
    return found


def _framework(name: str, other: str, loaded: Mapping[str, Sequence[Results]]) -> tuple[str, str]:
    """The framework that a name stands for, and a sentence if it could have been another one.

    Of several backends it is that on the other side, so that what differs is not the backend; else the one of which most ran.
    """
    found = meant(name, list(loaded))
    ran = {one: sum(cell.outcome in RAN for part in loaded[one] for cell in part.cells) for one in found}
    best = max(found, key=lambda one: (one == f"{name}-{other}", ran[one]))
    others = ", ".join(one for one in found if one != best)
    return best, f"{name} stands for {best} here; there is also {others}." if others else ""
