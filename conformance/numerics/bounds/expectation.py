"""What results are compared with: intervals of a whole quantity, from the error model and exact values.

The derivation, step by step, is in docs/numerics.md. Sources: Higham, *Accuracy and Stability of Numerical Algorithms*,
chapters 2 to 4; Jeannerod and Rump, "Improved error bounds for inner products in floating-point arithmetic" (2013).
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.fast_path import gradient_intervals, value_intervals
from conformance.numerics.bounds.interval import Expectation, Interval
from conformance.numerics.bounds.weight import weight_intervals
from conformance.numerics.definition import Definition, Inputs, Quantity
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.formats import Format


def expectation_of(
    oracle: Exact, model: Sequence[RoundingStep], quantity: Quantity, output: Format | None = None, *, flushes: bool = False
) -> Expectation:
    """What results of ``quantity`` in the format ``output`` (default: the inputs' own) are compared with.

    ``flushes``: the target is declared to flush subnormal inputs and results to zero.

    Raises:
        ValueError: there is no bound for the quantity.
    """
    fmt = output or oracle.inputs.format
    array = oracle.of(quantity)
    intervals: Sequence[Interval]
    if quantity is Quantity.VALUE:
        intervals = value_intervals(oracle, model, fmt, flushes=flushes)
    elif quantity is Quantity.GRADIENT_WEIGHT:
        intervals = weight_intervals(oracle, model, fmt, flushes=flushes)
    else:
        intervals = gradient_intervals(oracle, model, quantity, fmt, flushes=flushes)
    unsigned = quantity is Quantity.VALUE and oracle.element_weight is None and oracle.definition.factor > 0
    return Expectation(quantity, array.shape, fmt, intervals, array.index, unsigned, oracle.inputs.format.unit_for(fmt))


def expectation(
    definition: Definition,
    inputs: Inputs,
    model: Sequence[RoundingStep],
    quantity: Quantity,
    output: Format | None = None,
    *,
    flushes: bool = False,
) -> Expectation:
    """:func:`expectation_of` for inputs whose exact results are not needed otherwise."""
    return expectation_of(exact(definition, inputs), model, quantity, output, flushes=flushes)
