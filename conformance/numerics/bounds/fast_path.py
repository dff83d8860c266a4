"""Intervals of numbers that stay far from both ends of the range: roundings alone decide, and exponents alone tell that they do.

What is not far is left to ``value_bounds`` and ``gradient_bounds``, element by element: both ways allow the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.error_model import Roundings, RoundingStep
from conformance.numerics.bounds.gradient import Gradients, far_from_the_ends
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.bounds.value import relative_divisor_error, value_interval
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import Format, floor_log2


def value_intervals(exact: Exact, model: Sequence[RoundingStep], output: Format, *, flushes: bool) -> Sequence[Interval]:
    """The interval of every distinct element of the value."""

    def one(position: int) -> Interval:
        return value_interval(exact, model, position, output, flushes=flushes)

    grid = exact.value.distinct
    several = exact.definition.divisor is Divisor.WEIGHTS and len(exact.divisors) > 1  # each with an error of its own
    if not isinstance(grid, ScaledIntegers) or not len(grid) or several:
        return [one(i) for i in range(len(grid))]
    divisor_error = relative_divisor_error(exact, 0, flushes=flushes) if exact.definition.divisor is Divisor.WEIGHTS else Fraction(0)
    weights = exact.weight_grid
    signed = weights is not None and any(w < 0 for w in weights.whole)  # the bound is then not relative to the result
    if divisor_error is None or signed or exact.definition.factor < 0:
        return [one(i) for i in range(len(grid))]
    elements = exact.elements_of_value(0)
    assert exact.one_divisor is not None, "numbers on a grid have one divisor"
    steps = Roundings(
        model,
        exact.definition,
        Quantity.VALUE,
        exact.inputs.format,
        output,
        len(elements),
        exact.one_divisor,
        weighted=exact.weighted,
        unit_upstream=True,
    )
    theta = (1 + steps.theta) / (1 - divisor_error) - 1 if divisor_error else steps.theta
    far = _SafeRange.of(exact, steps, theta, flushes=flushes)
    near = [] if far.everything() else [i for i in range(len(grid)) if not far.one(i)]
    return RelativeIntervals(grid, (theta,), None, {i: one(i) for i in near})


def _ceil_log2(n: int) -> int:
    return max(n - 1, 0).bit_length()


@dataclass(frozen=True)
class _SafeRange:
    """Tells the elements of a value on whose way nothing can come near the ends of the range.

    Every condition leaves a factor of two or more to what rounding moves; θ is at most 1/2.
    """

    exact: Exact
    steps: Roundings
    flushes: bool
    factor: int
    divisor: int
    row: int
    usable: bool
    known: dict[tuple[int, int], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, exact: Exact, steps: Roundings, theta: Fraction, *, flushes: bool) -> _SafeRange:
        """For the roundings of one element of the value."""
        definition = exact.definition
        length = exact.shape[-1] if definition.divisor is Divisor.LAST_AXIS and exact.shape else exact.per_weight
        row = _ceil_log2(length) if "rows" in steps.situation else 0
        assert isinstance(steps.divisor, Fraction)
        subnormal = flushes and any(exact.subnormal_inputs)
        usable = 2 * theta <= 1 and 2 * steps.theta <= 1 and not subnormal
        return cls(exact, steps, flushes, floor_log2(definition.factor), floor_log2(abs(steps.divisor)), row, usable)

    def everything(self) -> bool:
        """Whether nothing comes near them for any element."""
        if not self.usable:
            return False
        differences, value = self.exact.differences.distinct, self.exact.value.distinct
        assert isinstance(differences, ScaledIntegers)
        assert isinstance(value, ScaledIntegers)
        return self._far(differences, self._weights(slice(None)), value)

    def one(self, position: int) -> bool:
        """Whether nothing does for one element."""
        if not self.usable:
            return False
        differences, value = self.exact.differences.distinct, self.exact.value.distinct
        assert isinstance(differences, ScaledIntegers)
        assert isinstance(value, ScaledIntegers)
        if self.exact.value_per_element:
            lengths = differences.whole[position].bit_length(), value.whole[position].bit_length()
            if lengths not in self.known:  # which decide it
                piece = slice(position, position + 1)
                self.known[lengths] = self._far(differences[piece], None, value[piece])
            return self.known[lengths]
        if len(differences) == self.exact.size:
            piece = self.exact.slices()[position]
        else:
            return False
        return self._far(differences[piece], self._weights(piece), value[position : position + 1])

    def _weights(self, piece: slice) -> ScaledIntegers | None:
        weights = self.exact.weight_grid if self.exact.weighted else None
        return None if weights is None else weights[piece]

    def _far(self, differences: ScaledIntegers, weights: ScaledIntegers | None, value: ScaledIntegers) -> bool:
        d_low, d_high = differences.exponents
        w_low, w_high = (0, 0) if weights is None else weights.exponents
        least, largest = min(w_low, 0), max(w_high + 1, 0)  # of a weight, and of what has none
        v_low, v_high = value.exponents
        fmt, output, accumulator = self.steps.input, self.steps.output, self.steps.accumulator
        if self.flushes and weights is not None and w_low < fmt.emin:
            return False
        factor_low, factor_high = min(self.factor, 0), max(self.factor + 1, 0)
        smallest = 2 * d_low + least + factor_low  # of a square, its product with a weight, with a factor, and both
        mean = 2 * d_low - self.row + least
        holds_the_sum = fmt if "sum-apart" in self.steps.situation else accumulator
        # The sum before factor and divisor: a value times the divisor, over the factor.
        sums = v_high + 1 + max(self.divisor + 1, 0) + max(-self.factor, 0) + factor_high
        return all(
            (
                smallest - 3 >= fmt.emin,
                mean - 4 >= fmt.emin,
                2 * (d_high + 1) + largest + factor_high + 2 <= fmt.emax,
                sums + 2 <= holds_the_sum.emax,
                2 * (d_high + 1) + self.row + 2 <= holds_the_sum.emax,  # a row without its weight
                v_low + min(-self.factor - 1, 0) - 3 >= accumulator.emin,
                v_low + min(self.divisor, 0) - 3 >= fmt.emin,
                v_low - 3 >= output.emin,
                v_high + 3 <= output.emax,
            )
        )


def gradient_intervals(
    exact: Exact, model: Sequence[RoundingStep], quantity: Quantity, output: Format, *, flushes: bool
) -> Sequence[Interval]:
    """The interval of every distinct element of the gradient with respect to the prediction or the target.

    Raises:
        ValueError: for a quantity that is neither.
    """
    if quantity is Quantity.GRADIENT_TARGET:
        mirrored = gradient_intervals(exact, model, Quantity.GRADIENT_PREDICTION, output, flushes=flushes)
        return mirrored.negated() if isinstance(mirrored, RelativeIntervals) else [interval.negated() for interval in mirrored]
    if quantity is not Quantity.GRADIENT_PREDICTION:
        raise ValueError(f"{quantity}: found no bound for it, expected a gradient with respect to prediction or target")
    gradients = Gradients(exact, model, output, flushes=flushes)
    grid, differences, upstream = exact.gradient_prediction.distinct, exact.differences.distinct, exact.upstream_grid
    several = exact.definition.divisor is Divisor.WEIGHTS and len(exact.divisors) > 1
    divisor_error = gradients.divisor_error(0) if len(grid) and not several else None
    if divisor_error is None or not isinstance(grid, ScaledIntegers) or not isinstance(differences, ScaledIntegers) or upstream is None:
        return [gradients.interval(i) for i in range(len(grid))]
    divisor = exact.one_divisor
    assert divisor is not None, "numbers on a grid have one divisor"
    one = upstream.unit.denominator if upstream.unit.numerator == 1 else None
    kinds = [g == one for g in upstream.whole]
    units = sorted(set(kinds))
    plain = (gradients.steps(divisor, unit=unit).theta for unit in units)
    thetas = tuple((1 + theta) / (1 - divisor_error) - 1 if divisor_error else theta for theta in plain)
    which = None if len(units) == 1 else [int(kind) for kind in kinds]
    others = [floor_log2(abs(x)) for x in (exact.definition.factor, *gradients.reciprocals(divisor)) if x]
    far = _far_gradients(exact, others, flushes=flushes) if max(thetas) <= Fraction(1, 4) else np.zeros(len(grid), np.bool_)
    return RelativeIntervals(grid, thetas, which, {i: gradients.interval(i) for i in np.flatnonzero(~far).tolist()})


def _far_gradients(exact: Exact, others: Sequence[int], *, flushes: bool) -> npt.NDArray[np.bool_]:
    """The distinct elements of which no partial product comes near the ends of the range, nor a subnormal input is read as zero."""
    fmt = exact.inputs.format
    weights = exact.weight_grid
    grids = [grid for grid in (exact.differences.distinct, exact.upstream_grid, weights) if isinstance(grid, ScaledIntegers)]
    ranges = [grid.exponents for grid in grids]
    far = np.ones(len(grids[0]), np.bool_)
    if not far_from_the_ends(fmt, (*(end for ends in ranges for end in ends), *others)):
        columns = [grid.whole for grid in grids]
        if weights is not None:
            columns[-1] = [weights.whole[i] for i in exact.distinct_elements.tolist()]
        low = np.full(far.size, sum(min(e, 0) for e in others))
        high = np.full(far.size, sum(max(e + 1, 0) for e in others))
        for column, grid in zip(columns, grids, strict=True):
            lengths = np.fromiter(map(int.bit_length, column), np.int64, far.size)
            exponents = np.where(lengths > 0, lengths - 1 + floor_log2(grid.unit), 0)  # a zero is a factor that nothing can happen to
            low += np.minimum(exponents, 0)
            high += np.where(lengths > 0, np.maximum(exponents + 1, 0), 0)
        far = (low - 2 >= fmt.emin) & (high + 2 <= fmt.emax)
    if flushes:
        far &= np.array(exact.subnormal_inputs) == 0
    return far
