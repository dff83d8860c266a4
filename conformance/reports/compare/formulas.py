"""How one operation is made of another, derived from their two definitions: by what to multiply, what to sum, which weights to give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from conformance.numerics.definition import Definition, Divisor, Over, Weights

SYMBOLS: Mapping[str, str] = {
    "n": "the number of elements",
    "N": "the number of samples, the first axis",
    "d": "the length of the last axis",
    "Σw": "the sum of the weights",
    "k": "the number of weights that are not 0",
    "m": "the number of elements or samples that the mask chooses",
}
"""What a derived factor may depend on."""

_COLUMN = "with both reshaped to a column (n, 1), so that every element is a sample"
_MASK = "with the mask as weights of 0 and 1 (but NaN times 0 is NaN)"
_AXES = {Over.ALL: "sum", Over.LAST_AXIS: "sum over the last axis", Over.ALL_BUT_FIRST: "sum over all axes but the first"}


@dataclass(frozen=True)
class Factor:
    """A number times powers of the symbols."""

    number: Fraction = Fraction(1)
    powers: Mapping[str, int] = field(default_factory=dict)

    def __mul__(self, other: Factor) -> Factor:
        powers = {s: self.powers.get(s, 0) + other.powers.get(s, 0) for s in SYMBOLS}
        return Factor(self.number * other.number, {s: power for s, power in powers.items() if power})

    @property
    def inverse(self) -> Factor:
        """One divided by it."""
        return Factor(1 / self.number, {s: -power for s, power in self.powers.items()})

    @property
    def is_one(self) -> bool:
        """Whether multiplying by it changes nothing."""
        return self.number == 1 and not self.powers

    @property
    def words(self) -> str:
        """``n / 2``, ``1 / Σw``."""
        above = _product(self.number.numerator, (s for s, power in self.powers.items() for _ in range(power)))
        below = _product(self.number.denominator, (s for s, power in self.powers.items() for _ in range(-power)))
        return above if below == "1" else f"{above} / ({below})" if " " in below else f"{above} / {below}"


def _product(number: int, symbols: Iterable[str]) -> str:
    return " * ".join([*([str(number)] if number != 1 else []), *symbols]) or "1"


@dataclass(frozen=True)
class Recipe:
    """What to do with the result of one operation to have another one: sum it, multiply it, take its root.

    ``weighted``: what is summed is first multiplied by the weights. ``before`` says how the arguments are prepared.
    """

    factor: Factor
    over: Over | None = None
    weighted: bool = False
    squared: bool = False
    root: bool = False
    before: tuple[str, ...] = ()

    @property
    def effort(self) -> int:
        """How much there is to do."""
        return (
            len(self.before)
            + 2 * (self.over is not None)
            + self.weighted
            + self.squared
            + self.root
            + (not self.factor.is_one)
            + len(self.factor.powers)
        )

    @property
    def plain(self) -> bool:
        """Whether it is a factor and nothing else, but for weights that say the same."""
        return self.over is None and not (self.weighted or self.squared or self.root)

    def written(self, call: str) -> str:
        """Write it down, as a formula in ``call``, which stands for the operation it is made of."""
        made = f"({call}) ** 2" if self.squared else call
        made = f"weight * {made}" if self.weighted else made
        if self.over is not None:
            made = f"{_AXES[self.over]} of {made}"
        if not self.factor.is_one:
            made = f"{self.factor.words} * ({made})" if self.over is not None else f"{self.factor.words} * {made}"
        if self.root:
            made = f"the square root of {made}"
        return f"{made}, {' and '.join(self.before)}" if self.before else made


def made_of(wanted: Definition, given: Definition) -> Recipe | None:
    """How ``wanted`` is computed from results of ``given`` on the same numbers; None where it cannot be."""
    if wanted.root or given.root:
        made = _made_of(replace(wanted, root=False), replace(given, root=False))
        if made is None or wanted.root == given.root:
            return made if made is None or (made.over is None and made.factor.is_one) else None
        if given.root and made.over is not None:
            return None
        return replace(made, root=wanted.root, squared=given.root)
    return _made_of(wanted, given)


def _made_of(wanted: Definition, given: Definition) -> Recipe | None:
    unweighted = given.weights is Weights.NONE and wanted.weights is not Weights.NONE and not wanted.masked
    if wanted.over is given.over is Over.NONE and unweighted:
        return Recipe(Factor(wanted.factor / given.factor), weighted=True)
    if wanted.over is given.over:
        return _same_axes(wanted, given)
    whole = Factor(wanted.factor / given.factor)
    if given.over is Over.NONE and given.weights is Weights.NONE and not wanted.masked:
        return Recipe(whole * _divisor(wanted, wanted.weights).inverse, wanted.over, weighted=wanted.weights is not Weights.NONE)
    if given.over is Over.NONE and given.weights is wanted.weights:
        return Recipe(whole * _divisor(wanted, wanted.weights).inverse, wanted.over)
    by_sample = given.over is Over.ALL_BUT_FIRST and wanted.weights is Weights.SAMPLE
    if wanted.over is Over.ALL and given.weights is Weights.NONE and (wanted.weights is Weights.NONE or by_sample):
        ratio = _divisor(given, Weights.NONE) * _divisor(wanted, wanted.weights).inverse
        return Recipe(whole * ratio, Over.ALL, weighted=by_sample)
    return None


def _same_axes(wanted: Definition, given: Definition) -> Recipe | None:
    """The same numbers are summed: what is left is a factor, and weights that say the same."""
    kinds = (wanted.weights, given.weights)
    match kinds:
        case _ if wanted.weights is given.weights:
            before: tuple[str, ...] = ()
        case (Weights.NONE, Weights.ELEMENT | Weights.SAMPLE):
            before = ("with every weight 1",)
        case (Weights.SAMPLE, Weights.ELEMENT):
            before = ("with the weight of its sample for every element",)
        case (Weights.ELEMENT, Weights.SAMPLE):
            before = (_COLUMN,)
        case (Weights.MASK, Weights.ELEMENT) | (Weights.SAMPLE_MASK, Weights.SAMPLE):
            before = (_MASK,)
        case (Weights.MASK, Weights.SAMPLE):
            before = (_COLUMN, _MASK)
        case _:
            return None
    own = _divisor(given, wanted.weights)
    if _COLUMN in before:  # in a column the last axis has length 1, and there are as many samples as elements
        powers = {s: power for s, power in own.powers.items() if s != "d"}
        own = Factor(own.number, powers)
    return Recipe(Factor(wanted.factor / given.factor) * own * _divisor(wanted, wanted.weights).inverse, before=before)


def _divisor(definition: Definition, weights: Weights) -> Factor:
    """What the definition divides by, if it is given weights of this kind: those of samples are spread over their elements."""
    sample = {"n": 1, "N": -1} if weights in {Weights.SAMPLE, Weights.SAMPLE_MASK} else {}
    summands = {Over.ALL: {"n": 1}, Over.LAST_AXIS: {"d": 1}, Over.ALL_BUT_FIRST: {"n": 1, "N": -1}, Over.NONE: {}}[definition.over]
    masked = weights in {Weights.MASK, Weights.SAMPLE_MASK}
    match definition.divisor:
        case Divisor.ONE:
            return Factor()
        case Divisor.COUNT:
            return Factor(powers=summands)
        case Divisor.LAST_AXIS:
            return Factor(powers={"d": 1})
        case _ if weights is Weights.NONE:  # every weight is 1
            return Factor(powers=summands)
        case Divisor.WEIGHTS:
            return Factor(powers={"m" if masked else "Σw": 1, **sample})
        case Divisor.NONZERO_WEIGHTS:
            return Factor(powers={"m" if masked else "k": 1, **sample})
