"""The oracle: exact value, gradients and curvature of an operation on given machine numbers.

All four formats are binary, so everything here is a rational number, held as a ``Fraction``; the only floats are
nan, inf and -inf, which follow IEEE 754-2019 sections 6.1 and 6.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from operator import mul

import numpy as np

from conformance.numerics.definition import Definition, Divisor, Inputs, Over, Quantity, Shape
from conformance.numerics.exact.decode import Integers, distinct, fractions, is_subnormal
from conformance.numerics.exact.grid import ScaledIntegers, grid_of, to_scaled_integers
from conformance.numerics.exact.number import Number, add, divide, multiply, square_root
from conformance.numerics.exact.squares import sum_of_squared_differences
from conformance.numerics.formats import Array, power_of_two

_ONE = Fraction(1)
BULK = 4096
"""Above this many elements, equal elements are computed once and long sums take the vectorised path."""


@dataclass(frozen=True)
class ExactArray:
    """Exact numbers of an array: the distinct ones, on one grid where that is possible, and for every element which of them it is."""

    shape: Shape
    distinct: Sequence[Number]
    index: Integers

    def at(self, flat: int) -> Number:
        """The element at a flat index in C order."""
        return self.distinct[int(self.index[flat])]

    def __iter__(self) -> Iterator[Number]:
        numbers = tuple(self.distinct)
        return (numbers[i] for i in self.index.tolist())


def _without_the_masked_out(inputs: Inputs, mask: Array) -> Inputs:
    """Zeros in place of whatever the mask leaves out: it takes no part, be it NaN or infinite.

    Raises:
        ValueError: a mask of other numbers than 0 and 1.
    """
    ones = mask.astype(np.float64)
    if not np.isin(ones, (0.0, 1.0)).all():
        raise ValueError("weight: found another number than 0 and 1 in a mask")
    chosen = ones.reshape(mask.shape + (1,) * (len(inputs.shape) - mask.ndim)) != 0
    zero = np.zeros((), inputs.prediction.dtype)
    return replace(inputs, prediction=np.where(chosen, inputs.prediction, zero), target=np.where(chosen, inputs.target, zero))


class Exact:
    """Exact results of ``definition`` on ``inputs``; each quantity is computed when first asked for."""

    def __init__(self, definition: Definition, inputs: Inputs) -> None:
        self.definition = definition
        self.inputs = inputs
        self.shape = inputs.shape
        self.size = math.prod(inputs.shape)
        self.value_shape = definition.value_shape(inputs.shape)
        self.summands = definition.summands(inputs.shape)

    # -- elements -------------------------------------------------------------------------------------------------

    @cached_property
    def element_weight(self) -> Array | None:
        """The weight of every element (sample weights spread over their row), flat; None where unweighted."""
        weight = self.inputs.weight
        if weight is None:
            return None
        if self.definition.by_sample and self.shape:
            weight = np.repeat(weight.ravel(), self.size // self.shape[0] if self.shape[0] else 0)
        return weight.ravel()

    @property
    def weighted(self) -> bool:
        """Whether a weight is multiplied in, which may round; a mask only chooses."""
        return self.element_weight is not None and not self.definition.masked

    @cached_property
    def group(self) -> Integers:
        """For every element (flat, C order), which element of the value it is summed into."""
        if self.definition.over is Over.NONE:
            return np.arange(self.size)
        return np.arange(self.size) // max(self.summands, 1)

    @cached_property
    def _columns(self) -> list[Array]:
        upstream = self.inputs.upstream.ravel()[self.group] if self.size else self.inputs.upstream.ravel()[:0]
        columns = [self.inputs.prediction.ravel(), self.inputs.target.ravel(), upstream]
        return columns if self.element_weight is None else [*columns, self.element_weight]

    @cached_property
    def _distinct(self) -> tuple[Integers, Integers]:
        """A representative of every kind of element, and for every element its kind."""
        everything = np.arange(self.size)
        if self.size <= BULK or self.definition.divisor in {Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS}:
            return everything, everything
        return distinct([column.view(f"u{column.dtype.itemsize}") for column in self._columns])

    @property
    def distinct_elements(self) -> Integers:
        """The flat index of an element of every distinct kind: what ``gradient_prediction.distinct`` and the like speak of."""
        return self._distinct[0]

    def _array(self, numbers: Sequence[Number], index: Integers | None = None, shape: Shape | None = None) -> ExactArray:
        return ExactArray(self.shape if shape is None else shape, numbers, np.arange(len(numbers)) if index is None else index)

    def _differences(self, elements: Integers) -> Sequence[Number]:
        """p − t of the given elements."""
        p, t = self._columns[0][elements], self._columns[1][elements]
        if (found := to_scaled_integers(p, t)) is not None:
            (whole_p, whole_t), exponent = found
            return ScaledIntegers([a - b for a, b in zip(whole_p, whole_t, strict=True)], power_of_two(exponent))
        return [add((a, multiply(b, Fraction(-1)))) for a, b in zip(fractions(p), fractions(t), strict=True)]

    @cached_property
    def differences(self) -> ExactArray:
        """p − t of every element."""
        representatives, index = self._distinct
        return self._array(self._differences(representatives), index)

    @cached_property
    def weight_grid(self) -> ScaledIntegers | None:
        """The weight of every element; None where there are none, or one is not finite."""
        return None if self.element_weight is None else grid_of(self.element_weight)

    @cached_property
    def upstream_grid(self) -> ScaledIntegers | None:
        """The upstream gradient of every distinct element; None where one is not finite."""
        own = grid_of(self.inputs.upstream)
        if own is None:
            return None
        if len(own) == 1:
            return ScaledIntegers(list(own.whole) * len(self._distinct[0]), own.unit)
        return ScaledIntegers([own.whole[i] for i in self.group[self._distinct[0]].tolist()], own.unit)

    @cached_property
    def terms(self) -> ScaledIntegers | None:
        """w·(p−t)² of every element, where all of them are distinct and finite."""
        differences = self.differences.distinct
        representatives, index = self._distinct
        if not isinstance(differences, ScaledIntegers) or representatives is not index:
            return None
        squares = differences.squared()
        if self.element_weight is None:
            return squares
        return None if self.weight_grid is None else squares.times(self.weight_grid.whole, self.weight_grid.unit)

    @cached_property
    def one_divisor(self) -> Fraction | None:
        """What every element of the value is divided by, where that is one number other than zero."""
        kinds = set(self.divisors[:1]) if self.definition.divisor in {Divisor.ONE, Divisor.COUNT, Divisor.LAST_AXIS} else set(self.divisors)
        only = kinds.pop() if len(kinds) == 1 else None
        return only if isinstance(only, Fraction) and only else None

    @cached_property
    def weights(self) -> list[Number]:
        """The weight of every element, exactly; 1 where the operation has none."""
        return [Fraction(1)] * self.size if self.element_weight is None else fractions(self.element_weight)

    # -- sums -----------------------------------------------------------------------------------------------------

    @property
    def per_weight(self) -> int:
        """How many elements share a weight: those of a sample, or 1."""
        return self.size // self.inputs.weight.size if self.inputs.weight is not None and self.inputs.weight.size else 1

    @cached_property
    def divisors(self) -> list[Number]:
        """What each element of the value is divided by."""
        values = math.prod(self.value_shape)
        match self.definition.divisor:
            case Divisor.ONE:
                return [Fraction(1)] * values
            case Divisor.COUNT:
                return [Fraction(self.summands)] * values
            case Divisor.LAST_AXIS:
                return [Fraction(self.shape[-1] if self.shape else 1)] * values
            case Divisor.WEIGHTS:
                return [add(self.weights[s]) for s in self.slices()]
            case Divisor.NONZERO_WEIGHTS:
                return [Fraction(sum(w != 0 for w in self.weights[s])) for s in self.slices()]

    def slices(self) -> list[slice]:
        """The flat indices of the elements that each element of the value sums."""
        n = self.summands
        return [slice(i * n, (i + 1) * n) for i in range(math.prod(self.value_shape))]

    def _sum(self, piece: slice) -> Number:
        """The sum of some terms; those that are not finite decide it, where there are any."""
        elements = np.arange(piece.start, piece.stop)
        used = [self._columns[0], self._columns[1], *([] if self.element_weight is None else [self.element_weight])]
        special = elements[~np.logical_and.reduce([np.isfinite(column[piece]) for column in used])]
        elements = special if special.size else elements
        terms: Sequence[Number] = [multiply(d, d) for d in self._differences(elements)]
        if self.element_weight is not None:
            terms = [multiply(w, s) for w, s in zip(fractions(self.element_weight[elements]), terms, strict=True)]
        return add(terms)

    @cached_property
    def sums(self) -> Sequence[Number]:
        """Σ w·(p−t)² for each element of the value, before factor and divisor."""
        if self.value_per_element:
            differences = self.differences.distinct
            if isinstance(differences, ScaledIntegers):
                return differences.squared()
            return [multiply(d, d) for d in differences]
        p, t = self.inputs.prediction.ravel(), self.inputs.target.ravel()
        if self.summands > BULK and self.element_weight is None and np.isfinite(p).all() and np.isfinite(t).all():
            return [sum_of_squared_differences(p[s], t[s]) for s in self.slices()]
        if self.terms is not None:
            return ScaledIntegers([sum(self.terms.whole[s]) for s in self.slices()], self.terms.unit)
        return [self._sum(s) for s in self.slices()]

    # -- quantities -----------------------------------------------------------------------------------------------

    @cached_property
    def value(self) -> ExactArray:
        """factor · Σ w·(p−t)² / divisor, or the square root of that, of the value's shape."""
        if not self.definition.root:
            return self.radicand
        return replace(self.radicand, distinct=[square_root(x) for x in self.radicand.distinct])

    @cached_property
    def radicand(self) -> ExactArray:
        """The value before a root is taken, where one is."""
        factor = self.definition.factor
        if isinstance(self.sums, ScaledIntegers) and self.one_divisor is not None:
            numbers = self.sums.scaled(factor / self.one_divisor)
            return self._array(numbers, self._distinct[1]) if self.value_per_element else self._array(numbers, shape=self.value_shape)
        if self.value_per_element:
            divisor = next(iter(self.divisors), Fraction(1))
            return self._array([divide(multiply(factor, s), divisor) for s in self.sums], self._distinct[1])
        quotients = [divide(multiply(factor, s), n) for s, n in zip(self.sums, self.divisors, strict=True)]
        return self._array(quotients, shape=self.value_shape)

    def difference(self, flat: int) -> Number:
        """p − t of one element."""
        return self.differences.at(flat) if self.size <= BULK else self._differences(np.asarray([flat]))[0]

    def elements_of_value(self, position: int) -> Integers:
        """Flat indices of the elements that the distinct value element ``position`` sums."""
        if self.value_per_element:
            return self._distinct[0][position : position + 1]
        return np.arange(position * self.summands, (position + 1) * self.summands)

    def divisor_of_value(self, position: int) -> Number:
        """What the distinct value element ``position`` is divided by."""
        return self.divisors[int(self._distinct[0][position]) if self.value_per_element else position]

    @cached_property
    def value_per_element(self) -> bool:
        """Whether each element has a value of its own, and equal elements have equal ones."""
        return self.definition.over is Over.NONE and self.element_weight is None

    @cached_property
    def subnormal_inputs(self) -> list[int]:
        """For every distinct element, how many of p and t are subnormal."""
        representatives, _ = self._distinct
        subnormal = [is_subnormal(column[representatives]) for column in self._columns[:2]]
        counts: list[int] = (subnormal[0].astype(np.int64) + subnormal[1]).tolist()
        return counts

    def has_subnormal_input(self, element: int) -> bool:
        """Whether prediction or target is subnormal at a flat index."""
        smallest = float(self.inputs.format.smallest_normal)
        return any(0 < abs(float(column[element])) < smallest for column in self._columns[:2])

    @cached_property
    def scales(self) -> tuple[list[Number], list[Number], list[Number]]:
        """For every distinct element: upstream, weight, divisor."""
        representatives, _ = self._distinct
        upstream = fractions(self._columns[2][representatives])
        weight: list[Number] = [Fraction(1)] * len(representatives)
        if self.element_weight is not None:
            weight = fractions(self.element_weight[representatives])
        return upstream, weight, [self.divisors[i] for i in self.group[representatives].tolist()]

    def scale(self, position: int) -> tuple[Number, Number, Number]:
        """The same of one of them, where the others need not be made."""
        upstream, weights = self.upstream_grid, self.weight_grid
        if upstream is None or (weights is None and self.element_weight is not None):
            own, weight, divisor = (column[position] for column in self.scales)
            return own, weight, divisor
        weight = _ONE if weights is None else weights[int(self._distinct[0][position])]
        return upstream[position], weight, self.divisors[self.group_of(position)]

    def group_of(self, position: int) -> int:
        """Which element of the value a distinct element is summed into."""
        return int(self.group[self._distinct[0][position]])

    @cached_property
    def gradient_prediction(self) -> ExactArray:
        """∂/∂p contracted with the upstream gradient: 2·factor·w·(p−t)·G / divisor."""
        factor = 2 * self.definition.factor
        if (products := self._gradient_grid) is not None and self.one_divisor is not None and not self.definition.root:
            return self._array(products.scaled(factor / self.one_divisor), self._distinct[1])
        numbers = [divide(multiply(factor, w, d, g), n) for d, g, w, n in zip(self.differences.distinct, *self.scales, strict=True)]
        if self.definition.root:  # the derivative of √x is 1/(2√x)
            roots = [self.value.at(i) for i in self.group[self._distinct[0]].tolist()]
            numbers = [divide(x, multiply(Fraction(2), root)) for x, root in zip(numbers, roots, strict=True)]
        return self._array(numbers, self._distinct[1])

    @property
    def _gradient_grid(self) -> ScaledIntegers | None:
        """w·(p−t)·G of every distinct element, where all of them are finite."""
        differences, upstream, weight = self.differences.distinct, self.upstream_grid, self.weight_grid
        if not isinstance(differences, ScaledIntegers) or upstream is None or (weight is None and self.element_weight is not None):
            return None
        products = differences.times(upstream.whole, upstream.unit)
        if weight is None:
            return products
        return products.times([weight.whole[i] for i in self._distinct[0].tolist()], weight.unit)

    @cached_property
    def gradient_target(self) -> ExactArray:
        """∂/∂t: the negated gradient with respect to the prediction."""
        gradient = self.gradient_prediction
        numbers = gradient.distinct
        return replace(gradient, distinct=-numbers if isinstance(numbers, ScaledIntegers) else [-x for x in numbers])

    @cached_property
    def curvature(self) -> ExactArray:
        """∂²/∂p² of each element, contracted with the upstream gradient: 2·factor·w·G / divisor. Not that of a root."""
        assert not self.definition.root, "the second derivative of a root is not one number per element"
        factor = 2 * self.definition.factor
        numbers = [divide(multiply(factor, w, g), n) for g, w, n in zip(*self.scales, strict=True)]
        return self._array(numbers, self._distinct[1])

    @cached_property
    def gradient_weight(self) -> ExactArray | None:
        """∂/∂w, of the weight's shape; None where the operation has no weights.

        factor·d²·G/divisor, and for a division by Σw, where w also stands in the divisor, (factor·d² − value)·G/Σw.
        """
        if self.element_weight is None or self.inputs.weight is None:
            return None
        if (whole := self._gradient_weight_grid) is not None:
            return self._array(whole, shape=self.inputs.weight.shape)
        upstream = fractions(self.inputs.upstream)
        squares = [multiply(d, d) for d in self._differences(np.arange(self.size))]
        per_element: list[Number] = []
        for square, group in zip(squares, self.group.tolist(), strict=True):
            own = multiply(self.definition.factor, square)
            if self.definition.divisor is Divisor.WEIGHTS:
                own = add((own, multiply(self.value.at(group), Fraction(-1))))
            per_element.append(divide(multiply(own, upstream[group]), self.divisors[group]))
        rows = self.size // max(self.inputs.weight.size, 1)
        numbers = [add(per_element[i * rows : (i + 1) * rows]) for i in range(self.inputs.weight.size)]
        return self._array(numbers, shape=self.inputs.weight.shape)

    @property
    def _gradient_weight_grid(self) -> ScaledIntegers | None:
        """The same in integers, where all numbers are finite: with d² and w on grids, (d²·Σw − Σwd²)·G is on one too."""
        differences, weights, upstream, divisor = self.differences.distinct, self.weight_grid, self.upstream_grid, self.one_divisor
        representatives, index = self._distinct
        if (
            not isinstance(differences, ScaledIntegers)
            or weights is None
            or upstream is None
            or divisor is None
            or representatives is not index
        ):
            return None
        if not self.size:
            return None
        squares = [d * d for d in differences.whole]
        unit = differences.unit * differences.unit * self.definition.factor / divisor
        if self.definition.divisor is Divisor.WEIGHTS:
            if len(self.divisors) > 1:
                return None
            total = sum(weights.whole)
            value = sum(map(mul, squares, weights.whole))
            squares = [x * total - value for x in squares]
            unit *= weights.unit / divisor
        terms = list(map(mul, squares, upstream.whole))
        rows = self.per_weight
        return ScaledIntegers([sum(terms[i * rows : (i + 1) * rows]) for i in range(len(terms) // rows)], Fraction(1)).scaled(
            unit * upstream.unit
        )

    def of(self, quantity: Quantity) -> ExactArray:
        """The quantity by name.

        Raises:
            ValueError: the operation has no such quantity (a gradient of weights it does not have, or what only procedures have).
        """
        match quantity:
            case Quantity.VALUE:
                return self.value
            case Quantity.GRADIENT_PREDICTION:
                return self.gradient_prediction
            case Quantity.GRADIENT_TARGET:
                return self.gradient_target
            case Quantity.CURVATURE:
                return self.curvature
            case Quantity.GRADIENT_WEIGHT:
                if self.gradient_weight is None or quantity not in self.definition.quantities:
                    raise ValueError(f"{quantity}: the operation has no weights")
                return self.gradient_weight
            case _:
                raise ValueError(f"{quantity}: no operation has it, only procedures")


def exact(definition: Definition, inputs: Inputs) -> Exact:
    """Exact results of ``definition`` on ``inputs``.

    Raises:
        ValueError: the arrays' shapes or formats do not fit together, or weights are missing or superfluous.
    """
    wanted = definition.weight_shape(inputs.shape)
    if inputs.target.shape != inputs.shape:
        raise ValueError(f"target: found shape {inputs.target.shape}, expected the prediction's, {inputs.shape}")
    if (inputs.weight is None) != (wanted is None) or (inputs.weight is not None and inputs.weight.shape != wanted):
        found = None if inputs.weight is None else inputs.weight.shape
        raise ValueError(f"weight: found shape {found}, expected {wanted}")
    if inputs.upstream.shape != definition.value_shape(inputs.shape):
        raise ValueError(f"upstream: found shape {inputs.upstream.shape}, expected {definition.value_shape(inputs.shape)}")
    if any(a is not None and a.dtype != inputs.prediction.dtype for a in (inputs.target, inputs.weight, inputs.upstream)):
        raise ValueError("the arrays are of different formats, expected one")
    if definition.masked and inputs.weight is not None:
        inputs = _without_the_masked_out(inputs, inputs.weight)
    return Exact(definition, inputs)
