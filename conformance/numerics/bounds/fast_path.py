"""Intervals of numbers that stay far from both ends of the range: roundings alone decide, and exponents alone tell that they do.

What is not far is left to ``value`` and ``gradient``, element by element: both ways allow the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.error_model import Evaluation, Roundings
from conformance.numerics.bounds.gradient import Gradients, far_from_the_ends
from conformance.numerics.bounds.interval import Interval
from conformance.numerics.bounds.relative import RelativeIntervals
from conformance.numerics.bounds.value import relative_divisor_error, value_interval
from conformance.numerics.definition import Divisor, Quantity
from conformance.numerics.exact.grid import ScaledIntegers
from conformance.numerics.exact.number import finite
from conformance.numerics.formats import floor_log2


def value_intervals(evaluation: Evaluation) -> Sequence[Interval]:
    """The interval of every distinct element of the value."""
    exact = evaluation.exact
    grid, differences = exact.value.distinct, exact.differences.distinct
    by_weights = exact.definition.divisor is Divisor.WEIGHTS
    several = by_weights and len(exact.divisors) > 1  # each with an error of its own
    if not (isinstance(grid, ScaledIntegers) and isinstance(differences, ScaledIntegers)) or not len(grid) or several:
        return [value_interval(evaluation, i) for i in range(len(grid))]
    divisor_error = relative_divisor_error(exact, 0, flushes=evaluation.flushes) if by_weights else Fraction(0)
    signed = exact.weight_grid is not None and any(w < 0 for w in exact.weight_grid.whole)  # the bound is then not relative to the result
    if divisor_error is None or signed or exact.definition.factor < 0:
        return [value_interval(evaluation, i) for i in range(len(grid))]
    assert exact.one_divisor is not None, "numbers on a grid have one divisor"
    steps = evaluation.roundings(Quantity.VALUE, len(exact.elements_of_value(0)), exact.one_divisor)
    theta = steps.theta_with(divisor_error)
    far = _SafeRange(evaluation, steps, theta, differences, grid)
    near = [] if far.everything() else [i for i in range(len(grid)) if not far.one(i)]
    return RelativeIntervals(grid, (theta,), None, {i: value_interval(evaluation, i) for i in near})


class _SafeRange:
    """Tells the elements of a value on whose way nothing can come near the ends of the range.

    Every condition leaves a factor of two or more to what rounding moves; θ is at most 1/2. ``steps`` are the roundings of one element.
    """

    def __init__(
        self, evaluation: Evaluation, steps: Roundings, theta: Fraction, differences: ScaledIntegers, value: ScaledIntegers
    ) -> None:
        exact, definition = evaluation.exact, evaluation.exact.definition
        length = exact.shape[-1] if definition.divisor is Divisor.LAST_AXIS and exact.shape else exact.per_weight
        self.evaluation, self.steps, self.differences, self.value = evaluation, steps, differences, value
        self.factor, self.divisor = floor_log2(definition.factor), floor_log2(abs(finite(steps.divisor)))
        self.row = max(length - 1, 0).bit_length() if "rows" in steps.situation else 0
        subnormal = evaluation.flushes and any(exact.subnormal_inputs)
        self.usable = 2 * theta <= 1 and 2 * steps.theta <= 1 and not subnormal
        self.known: dict[tuple[int, int], bool] = {}

    def everything(self) -> bool:
        """Whether nothing comes near them for any element."""
        return self.usable and self._far(self.differences, self._weights(slice(None)), self.value)

    def one(self, position: int) -> bool:
        """Whether nothing does for one element."""
        exact, differences, value = self.evaluation.exact, self.differences, self.value
        if not self.usable:
            return False
        if exact.value_per_element:
            lengths = differences.whole[position].bit_length(), value.whole[position].bit_length()
            if lengths not in self.known:  # which decide it
                piece = slice(position, position + 1)
                self.known[lengths] = self._far(differences[piece], None, value[piece])
            return self.known[lengths]
        if len(differences) != exact.size:
            return False
        piece = exact.slices()[position]
        return self._far(differences[piece], self._weights(piece), value[position : position + 1])

    def _weights(self, piece: slice) -> ScaledIntegers | None:
        weights = self.evaluation.exact.weight_grid if self.evaluation.exact.weighted else None
        return None if weights is None else weights[piece]

    def _far(self, differences: ScaledIntegers, weights: ScaledIntegers | None, value: ScaledIntegers) -> bool:
        d_low, d_high = differences.exponents
        w_low, w_high = (0, 0) if weights is None else weights.exponents
        least, largest = min(w_low, 0), max(w_high + 1, 0)  # of a weight, and of what has none
        v_low, v_high = value.exponents
        fmt, output, accumulator = self.steps.input, self.steps.output, self.steps.accumulator
        if self.evaluation.flushes and weights is not None and w_low < fmt.emin:
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


def gradient_intervals(evaluation: Evaluation, quantity: Quantity) -> Sequence[Interval]:
    """The interval of every distinct element of the gradient with respect to the prediction or the target.

    Raises:
        ValueError: for a quantity that is neither.
    """
    if quantity is Quantity.GRADIENT_TARGET:
        mirrored = gradient_intervals(evaluation, Quantity.GRADIENT_PREDICTION)
        return mirrored.negated() if isinstance(mirrored, RelativeIntervals) else [interval.negated() for interval in mirrored]
    if quantity is not Quantity.GRADIENT_PREDICTION:
        raise ValueError(f"{quantity}: found no bound for it, expected a gradient with respect to prediction or target")
    exact, gradients = evaluation.exact, Gradients(evaluation)
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
    thetas = tuple(gradients.steps(divisor, unit=unit).theta_with(divisor_error) for unit in units)
    which = None if len(units) == 1 else [int(kind) for kind in kinds]
    others = [floor_log2(abs(x)) for x in (exact.definition.factor, *gradients.reciprocals(divisor)) if x]
    far = _far_gradients(evaluation, others) if max(thetas) <= Fraction(1, 4) else np.zeros(len(grid), np.bool_)
    return RelativeIntervals(grid, thetas, which, {i: gradients.interval(i) for i in np.flatnonzero(~far).tolist()})


def _far_gradients(evaluation: Evaluation, others: Sequence[int]) -> npt.NDArray[np.bool_]:
    """The distinct elements of which no partial product comes near the ends of the range, nor a subnormal input is read as zero."""
    exact, fmt = evaluation.exact, evaluation.exact.inputs.format
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
    if evaluation.flushes:
        far &= np.array(exact.subnormal_inputs) == 0
    return far
