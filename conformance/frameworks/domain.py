"""What a subject says that it takes and gives. Outside of that nothing is judged. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Optional

Shape = tuple[int, ...]
_DECLARES = " declares it"
TRUTH_VALUES = "its mask holds truth values"
"""A flag of cells in whose calls the weight was an array of truth values."""


def observation(what: str, declaration: str) -> str:
    """What was observed of an undeclared domain, and how it is declared."""
    return f"{what}: {declaration}{_DECLARES}"


def is_observation(flag: str) -> bool:
    """Whether a cell's flag is one."""
    return flag.endswith(_DECLARES)


@dataclass(frozen=True)
class Known:
    """A failure that is known: cells of ``check`` and ``quantity`` (globs) are deviations, because of this, until that day.

    ``until`` is a date such as ``2027-03-01``; after it the failure counts again. ``outcome``: ``fail``, or ``error`` for what raises.
    """

    check: str
    because: str
    until: str
    quantity: str = "*"
    outcome: str = "fail"

    def mistake(self) -> str:
        """What is wrong with it, in words; empty if nothing is."""
        texts: Sequence[object] = (self.check, self.because, self.quantity)
        if not all(isinstance(text, str) and text.strip() for text in texts):
            return "expected a check and a reason in words"
        if self.outcome not in ("fail", "error"):
            return f"found the outcome {self.outcome!r}, expected 'fail' or 'error'"
        try:
            date.fromisoformat(self.until)
        except (TypeError, ValueError):
            return f"found until={self.until!r}, expected a date such as '2027-03-01'"
        return ""


@dataclass(frozen=True)
class Domain:
    """What is declared of a subject; the defaults are what holds where nothing is.

    ``ranks``: the numbers of axes that it takes, all that the operation has by default; ``shapes``: the only shapes that it takes.
    ``dtypes_declared``: whether its dtypes were named. ``mask_dtype``: ``bool`` where a mask comes in truth values. ``layouts``: those of
    the law ``layouts`` that it takes, all by default; contiguous memory it takes anyway. ``gradients``: those that it has, by argument;
    by default those that come. ``second_derivative``: True where it can be differentiated twice and must be right.
    ``half_result``: the half format in which it returns results of wider inputs.
    """

    ranks: tuple[int, ...] = ()
    shapes: tuple[Shape, ...] = ()
    dtypes_declared: bool = False
    integers: bool = False
    mixed_dtypes: bool = False
    mask_dtype: str = ""
    layouts: Optional[tuple[str, ...]] = None  # noqa: UP045 - read at run time, in Python 3.9 too
    gradients: Optional[tuple[str, ...]] = None  # noqa: UP045 - likewise
    second_derivative: bool = False
    flushes_subnormals: bool = False
    half_result: str = ""
    known: tuple[Known, ...] = ()

    @property
    def is_limited(self) -> bool:
        """Whether there are shapes that it does not take."""
        return bool(self.ranks or self.shapes)

    def takes(self, shape: Shape) -> bool:
        """Whether inputs of a shape are inside."""
        return (not self.ranks or len(shape) in self.ranks) and (not self.shapes or tuple(shape) in self.shapes)

    def in_words(self) -> str:
        """Its shapes."""
        if self.shapes:
            return f"the shapes {', '.join(map(str, self.shapes))}"
        return f"{' or '.join(map(str, self.ranks))} axes" if self.ranks else "every shape"

    def fitted(self, shapes: Iterable[Shape]) -> tuple[Shape, ...]:
        """Of these shapes those that are inside, and for each rank that none of them has two: of powers of two, and of odd lengths."""
        if self.shapes:
            return self.shapes
        found = [shape for shape in shapes if self.takes(shape)]
        for rank in self.ranks:
            if all(len(shape) != rank for shape in found):
                found += _of_rank(rank)
        return tuple(found)


def _of_rank(rank: int) -> Sequence[Shape]:
    if rank == 0:
        return [()]
    return [(2,) * (rank - 1) + (4,), (3,) + (1,) * max(rank - 3, 0) + (2, 5)[: rank - 1]]
