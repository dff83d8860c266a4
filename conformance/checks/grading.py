"""Grades: which accuracy class an error belongs to (docs/numerics.md, "Grades")."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from conformance.numerics.bounds.error_model import Roundings, RoundingStep
from conformance.numerics.definition import Definition, Quantity
from conformance.numerics.formats import Format
from conformance.results.records import Grade

ORDER = tuple(Grade)
CONSTANT_ULP = 4.0


def worst(grades: Iterable[Grade]) -> Grade | None:
    """The worst of some grades; None where there is none."""
    return max(grades, key=ORDER.index, default=None)


def tree_height(n: int) -> int:
    """Longest chain of additions that still counts as logarithmic: 2⌈log2 n⌉ + 64 (two levels of tree over blocks of 64)."""
    return 2 * math.ceil(math.log2(max(n, 1))) + 64


def tree_bound_u(definition: Definition, model: Sequence[RoundingStep], fmt: Format, n: int) -> float:
    """The error model's relative bound for a summation tree of that height, for inputs and results in a format, in its u."""
    steps = Roundings(
        model, definition, Quantity.VALUE, fmt, fmt, min(n, tree_height(n) + 1), Fraction(max(n, 1)), weighted=False, unit_upstream=True
    )
    return float(steps.theta / fmt.unit_roundoff)


def grade(
    *, error_u: float, error_ulp: float, correctly_rounded: bool, tree_bound: float, n: int, random: bool, chain: float | None = None
) -> Grade:
    """The grade of one conforming evaluation.

    ``chain``: for the chain probe, how many elements were added one by one into one accumulator. ``tree_bound`` is in u.
    """
    if correctly_rounded:
        return Grade.CORRECTLY_ROUNDED
    if error_ulp < 1:
        return Grade.FAITHFUL
    if error_ulp <= CONSTANT_ULP:
        return Grade.CONSTANT
    if chain is not None and chain > tree_height(n):
        return Grade.SQUARE_ROOT if chain <= 4 * math.sqrt(n) else Grade.LINEAR
    if error_u <= tree_bound:
        return Grade.LOGARITHMIC
    if random and error_u <= 6 * math.sqrt(n):
        return Grade.SQUARE_ROOT
    return Grade.LINEAR
