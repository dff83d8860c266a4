"""An array written in a spec file: nested lists of literals, a single literal, or a generator table.

A generator stays a pattern until an array is asked for, so that a million equal residuals cost as little to read as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.definition import Shape
from conformance.numerics.exact.number import Number
from conformance.numerics.formats import FORMATS, Array
from conformance.specs.literals import EXPECTED_FORMS, INPUT_FORMS, LiteralError, parse, require_held, show

MAX_ELEMENTS = 1 << 22
MAX_RANK = 8

_GENERATOR = "{ repeat = [literals], shape = [lengths], at = [{ index = …, literal = … }] } (at is optional)"


@dataclass(frozen=True, eq=False)
class Numbers:
    """An array of exact numbers: ``repeat`` cycled to fill ``shape`` in C order, then ``at`` put over it.

    Compared by identity: -0 and 0 are equal, and yet different arrays.

    ``places`` says where in the file each of ``repeat`` and then of ``at`` was written.
    """

    shape: Shape
    repeat: tuple[Number, ...]
    at: tuple[tuple[int, Number], ...] = ()
    places: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    def number(self, flat_index: int) -> Number:
        """The element at ``flat_index``, in C order."""
        for index, number in reversed(self.at):
            if index == flat_index:
                return number
        return self.repeat[flat_index % len(self.repeat)]

    @cached_property
    def written(self) -> tuple[Number, ...]:
        """Every number that was written, in the order of the file."""
        return (*self.repeat, *(number for _, number in self.at))

    def index(self) -> npt.NDArray[np.int64]:
        """For each element, flat, its position in ``written``."""
        index = np.arange(self.size, dtype=np.int64) % max(len(self.repeat), 1)
        for position, (flat_index, _) in enumerate(self.at, start=len(self.repeat)):
            index[flat_index] = position
        return index

    def array(self, dtype: str) -> Array:
        """The array in ``dtype``; exact, because every number was checked to be one of ``dtype``."""
        written = np.array([float(number) for number in self.written], dtype=np.float64).astype(FORMATS[dtype].dtype)
        return written[self.index()].reshape(self.shape)

    def require_held(self, dtype: str) -> None:
        """Check that every number is a number of ``dtype``: a format, an integer type or bool.

        Raises:
            LiteralError: the first that is not, and where.
        """
        for number, place in zip(self.written, self.places, strict=True):
            try:
                require_held(number, dtype)
            except LiteralError as error:
                raise LiteralError(error.found, error.expected, place) from None


def ones(shape: Shape) -> Numbers:
    """An array of ones: the upstream gradient of a case that states none."""
    return Numbers(shape, (parse(1, fractions=False),), places=("",))


def parse_array(raw: object, *, fractions: bool) -> Numbers:
    """Read an array. ``fractions`` as for :func:`conformance.specs.literals.parse`.

    Raises:
        LiteralError: it is ragged, too large, nested too deep, or an element is no literal.
    """
    if isinstance(raw, dict):
        return _parse_generator(raw, fractions=fractions)
    if not isinstance(raw, list):
        return Numbers((), (_parse_at("", raw, fractions=fractions, alone=True),), places=("",))
    shape = _shape(raw)
    literals = list(_flatten(raw, shape, ""))
    numbers = tuple(_parse_at(place, literal, fractions=fractions) for place, literal in literals)
    return Numbers(shape, numbers, places=tuple(place for place, _ in literals))


def _parse_at(place: str, raw: object, *, fractions: bool, alone: bool = False) -> Number:
    try:
        return parse(raw, fractions=fractions)
    except LiteralError as error:
        lists = f"nested lists of literals, or {_GENERATOR}, where a literal is "
        forms = EXPECTED_FORMS if fractions else INPUT_FORMS
        whole = alone and not isinstance(raw, str | int)
        raise LiteralError(error.found, lists + forms if whole else error.expected, place) from None


def _shape(raw: list[Any]) -> Shape:
    """The shape that the first elements suggest; ``_flatten`` checks that the others agree."""
    shape: list[int] = []
    level: object = raw
    while isinstance(level, list):
        shape.append(len(level))
        if len(shape) > MAX_RANK:
            raise LiteralError(f"lists nested more than {MAX_RANK} deep", f"rank {MAX_RANK} at most")
        level = level[0] if level else None
    return tuple(shape)


def _flatten(raw: object, shape: Shape, place: str) -> Iterator[tuple[str, object]]:
    if not shape:
        if isinstance(raw, list):
            raise LiteralError(f"a list of length {len(raw)}", "a literal, like the elements before it: no ragged array", place)
        yield place, raw
        return
    if not isinstance(raw, list):
        raise LiteralError(show(raw), f"a list of length {shape[0]}, like those before it: no ragged array", place)
    if len(raw) != shape[0]:
        raise LiteralError(f"a list of length {len(raw)}", f"length {shape[0]}, like those before it: no ragged array", place)
    for i, element in enumerate(raw):
        yield from _flatten(element, shape[1:], f"{place}[{i}]")


def _parse_generator(raw: dict[str, Any], *, fractions: bool) -> Numbers:
    if unknown := next((key for key in raw if key not in ("repeat", "shape", "at")), None):
        raise LiteralError("an unknown key", _GENERATOR, f".{unknown}")
    repeat, shape, at = raw.get("repeat"), raw.get("shape"), raw.get("at", [])
    if not isinstance(repeat, list) or not isinstance(shape, list) or not isinstance(at, list):
        raise LiteralError(show(raw), _GENERATOR)
    _check_shape(shape)
    size = math.prod(shape)
    if size and not repeat:
        raise LiteralError("an empty list", "at least one literal, because the shape is not empty", ".repeat")
    places = [f".repeat[{i}]" for i in range(len(repeat))]
    numbers = tuple(_parse_at(place, literal, fractions=fractions) for place, literal in zip(places, repeat, strict=True))
    over: list[tuple[int, Number]] = []
    for i, entry in enumerate(at):
        if not isinstance(entry, dict) or entry.keys() != {"index", "literal"}:
            raise LiteralError(show(entry), "{ index = …, literal = … }", f".at[{i}]")
        index = entry["index"]
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < size:
            raise LiteralError(show(index), f"an index from 0 to {size - 1}, counted in C order", f".at[{i}].index")
        places.append(f".at[{i}].literal")
        over.append((index, _parse_at(places[-1], entry["literal"], fractions=fractions)))
    return Numbers(tuple(shape), numbers, tuple(over), tuple(places))


def _check_shape(shape: list[object]) -> None:
    for i, length in enumerate(shape):
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise LiteralError(show(length), "a length: an integer that is not negative", f".shape[{i}]")
    if len(shape) > MAX_RANK:
        raise LiteralError(f"rank {len(shape)}", f"rank {MAX_RANK} at most", ".shape")
    if math.prod(length for length in shape if isinstance(length, int) and length) > MAX_ELEMENTS:
        raise LiteralError(f"{show(shape)}, too many elements", f"at most {MAX_ELEMENTS} elements", ".shape")
