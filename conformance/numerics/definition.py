"""What is computed, and on what: an operation's definition as data, and the arrays it is applied to.

Every member of the family is ``factor · Σ_axes w·(p−t)² / divisor``, or the square root of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from conformance.numerics.formats import Array, Format, format_of

Shape = tuple[int, ...]


class _Word(str, Enum):
    """A string with a name; ``enum.StrEnum`` is not in Python 3.9, on which a runner may run."""

    def __str__(self) -> str:
        return str(self.value)


class Over(_Word):
    """Which axes are summed."""

    ALL = "all"
    LAST_AXIS = "last-axis"
    ALL_BUT_FIRST = "all-but-first"
    NONE = "none"


class Divisor(_Word):
    """What the sum is divided by; counts are per sum, not over the whole array. ``last-axis``: by the length of that axis alone."""

    ONE = "one"
    COUNT = "count"
    LAST_AXIS = "last-axis"
    WEIGHTS = "weights"
    NONZERO_WEIGHTS = "nonzero-weights"


class Weights(_Word):
    """None, one weight per element, or one per sample (first axis); a mask is a weight of 0 or 1, and what has 0 takes no part at all."""

    NONE = "none"
    ELEMENT = "element"
    SAMPLE = "sample"
    MASK = "mask"
    SAMPLE_MASK = "sample-mask"


class Quantity(_Word):
    """What is compared: of an operation the value and its derivatives, of a procedure the other ones."""

    VALUE = "value"
    GRADIENT_PREDICTION = "gradient/prediction"
    GRADIENT_TARGET = "gradient/target"
    GRADIENT_WEIGHT = "gradient/weight"
    CURVATURE = "curvature"
    PARAMETERS = "parameters"
    GRADIENT_PARAMETERS = "gradient/parameters"
    LOSS = "loss"
    EVALUATION = "evaluation"
    METRIC = "metric"


@dataclass(frozen=True)
class Definition:
    """``factor · Σ_over w·(p−t)² / divisor``; with ``root`` the square root of it all."""

    factor: Fraction
    over: Over
    divisor: Divisor
    weights: Weights
    root: bool = False

    @property
    def sums_plain_squares(self) -> bool:
        """Whether its values are sums of squares, but for numbers that the shape decides."""
        return self.weights is Weights.NONE and not self.root

    @property
    def masked(self) -> bool:
        """Whether the weights say who takes part."""
        return self.weights in {Weights.MASK, Weights.SAMPLE_MASK}

    @property
    def by_sample(self) -> bool:
        """Whether a weight is that of a whole sample."""
        return self.weights in {Weights.SAMPLE, Weights.SAMPLE_MASK}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The value and the gradients; a mask has none."""
        unweighted = (Quantity.VALUE, Quantity.GRADIENT_PREDICTION, Quantity.GRADIENT_TARGET)
        return unweighted if self.weights is Weights.NONE or self.masked else (*unweighted, Quantity.GRADIENT_WEIGHT)

    @property
    def least_rank(self) -> int:
        """The fewest axes that inputs must have: a last axis to sum over, or samples of more than one number to weight."""
        return 2 if self.by_sample else int(self.over is Over.LAST_AXIS or self.divisor is Divisor.LAST_AXIS)

    def value_shape(self, shape: Shape) -> Shape:
        """Shape of the value for inputs of ``shape``. A 0-d input has no last axis: it is one element, unsummed."""
        if self.over is Over.ALL:
            return ()
        if self.over is Over.NONE:
            return shape
        return shape[:-1] if self.over is Over.LAST_AXIS else shape[:1]

    def weight_shape(self, shape: Shape) -> Shape | None:
        """Shape of the weights for inputs of ``shape``; None where the operation has no weights."""
        if self.weights is Weights.NONE:
            return None
        return shape[:1] if self.by_sample else shape

    def summands(self, shape: Shape) -> int:
        """How many terms each element of the value sums (n in the bounds)."""
        values = math.prod(self.value_shape(shape))
        if values == 0:  # no element of the value: count what one would have summed
            return math.prod(shape[len(self.value_shape(shape)) :])
        return math.prod(shape) // values


@dataclass(frozen=True, eq=False)
class Inputs:
    """Host arrays of one format, as every framework receives them.

    ``prediction`` and ``target`` have one shape; ``weight`` has ``Definition.weight_shape`` or is None;
    ``upstream`` is the gradient that arrives from above and has ``Definition.value_shape``. ``read_only``: whoever receives them may
    not write to what he receives.
    """

    prediction: Array
    target: Array
    weight: Array | None
    upstream: Array
    read_only: bool = False

    @property
    def format(self) -> Format:
        """The format all arrays are in."""
        return format_of(self.prediction)

    @property
    def shape(self) -> Shape:
        """Shape of prediction and target."""
        return self.prediction.shape
