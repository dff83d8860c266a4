"""What is computed, and on what: an operation's definition as data, and the arrays it is applied to.

Every member of the family is ``factor · Σ_axes w·(p−t)² / divisor``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from conformance.numerics.formats import FORMATS, Array, Format

Shape = tuple[int, ...]


class Over(StrEnum):
    """Which axes are summed."""

    ALL = "all"
    LAST_AXIS = "last-axis"
    ALL_BUT_FIRST = "all-but-first"
    NONE = "none"


class Divisor(StrEnum):
    """What the sum is divided by; counts are per sum, not over the whole array."""

    ONE = "one"
    COUNT = "count"
    WEIGHTS = "weights"
    NONZERO_WEIGHTS = "nonzero-weights"


class Weights(StrEnum):
    """None, one weight per element, or one per row (first axis)."""

    NONE = "none"
    ELEMENT = "element"
    SAMPLE = "sample"


class Quantity(StrEnum):
    """What is compared: of an operation the value and its derivatives, of a procedure the other ones."""

    VALUE = "value"
    GRADIENT_PREDICTION = "gradient/prediction"
    GRADIENT_TARGET = "gradient/target"
    GRADIENT_WEIGHT = "gradient/weight"
    CURVATURE = "curvature"
    PARAMETERS = "parameters"
    LOSS = "loss"
    EVALUATION = "evaluation"
    METRIC = "metric"


@dataclass(frozen=True)
class Definition:
    """``factor · Σ_over w·(p−t)² / divisor``."""

    factor: Fraction
    over: Over
    divisor: Divisor
    weights: Weights

    def value_shape(self, shape: Shape) -> Shape:
        """Shape of the value for inputs of ``shape``. A 0-d input has no last axis: it is one element, unsummed."""
        match self.over:
            case Over.ALL:
                return ()
            case Over.NONE:
                return shape
            case Over.LAST_AXIS:
                return shape[:-1]
            case Over.ALL_BUT_FIRST:
                return shape[:1]

    def weight_shape(self, shape: Shape) -> Shape | None:
        """Shape of the weights for inputs of ``shape``; None where the operation has no weights."""
        match self.weights:
            case Weights.NONE:
                return None
            case Weights.ELEMENT:
                return shape
            case Weights.SAMPLE:
                return shape[:1]

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
        return FORMATS[self.prediction.dtype.name]

    @property
    def shape(self) -> Shape:
        """Shape of prediction and target."""
        return self.prediction.shape
