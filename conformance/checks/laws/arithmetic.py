"""Laws of one evaluation that is judged by the oracle: exact data gives the exact result, and subnormals are kept or flushed."""

from __future__ import annotations

import numpy as np

from conformance.checks.bounds import search
from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext, in_domain
from conformance.checks.judge import FLUSHES
from conformance.checks.laws.comparing import exact_shapes
from conformance.checks.laws.law import law
from conformance.checks.observe import observe
from conformance.checks.tally import ALL_QUANTITIES
from conformance.inputs.families import exact_data
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import FORMATS


@law(
    "exact-arithmetic",
    "Where every difference, square and partial sum is representable, nothing rounds: any order must give the result, bit for bit.",
    ALL_QUANTITIES,
)
def exact_arithmetic(context: CheckContext) -> None:
    """Counts that are powers of two keep the division exact as well; upstream gradients are powers of two."""
    search(context, exact_data, "exact-data", exact_shapes(context), expect=exactly, upstreams=1)


@law(
    "subnormals-as-declared",
    "A target either keeps subnormal squares or flushes them to zero; what it is declared to do is what it must be seen to do.",
    (Quantity.VALUE,),
)
def subnormals_as_declared(context: CheckContext) -> None:
    """Normal inputs whose squares are subnormal: 0 where flushing is declared, the interval elsewhere."""
    fmt = FORMATS[context.target.dtype]
    tally = context.tallies[Quantity.VALUE]
    exponent = (context.exact_format.emin - 3) // 2  # the square, 2^(2·exponent), is subnormal with bits to spare
    shape = context.domain.shapes[0] if context.domain is not None and context.domain.shapes else in_domain(context, (64,))
    prediction = np.full(shape, np.ldexp(1.0, exponent)).astype(fmt.dtype)
    inputs = Inputs(prediction, np.zeros_like(prediction), None, np.ones(context.operation.definition.value_shape(shape), fmt.dtype))
    value = context.evaluated(inputs).value.astype(np.float64)
    flushed = bool((value == 0).all())
    may_keep = (
        context.domain is not None and not context.domain.flushes_subnormals
    )  # on a device that flushes, a subject of its own need not
    if context.flushes != flushed and not (may_keep and not flushed):
        does, declared = ("flushes", "keep") if flushed else ("keeps", "flush")
        tally.evaluations = 1
        found = f"found {float(value.ravel()[0])!r} for the square of {prediction.ravel()[0]}"
        tally.failure = f"value: declared to {declared} subnormals, but it {does} them: {found}"
        return
    observe(context, inputs, key=("subnormals-as-declared", context.operation.name, fmt.name), recipe="")
    if flushed:
        tally.flags[FLUSHES] = None
