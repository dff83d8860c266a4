"""Laws: exact relations that hold in every framework, bit for bit. A further law is a decorated function of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.checks.base import Finding, Kind, Level, findings
from conformance.checks.bounds import search
from conformance.checks.cases import exactly
from conformance.checks.context import CheckContext
from conformance.checks.judge import FLUSHES
from conformance.checks.laws.comparing import exact_shapes
from conformance.checks.tally import ALL_QUANTITIES, QUANTITIES, QuantityRecord
from conformance.inputs.families import exact_data
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import FORMATS

Test = Callable[[CheckContext], Mapping[Quantity, QuantityRecord]]


@dataclass(frozen=True)
class Law:
    """A relation, its reason, and the quantities it speaks of."""

    name: str
    why: str
    test: Test
    quantities: tuple[Quantity, ...]
    dtypes: tuple[str, ...] = tuple(FORMATS)
    needs_extra_calls: bool = False
    """Whether it asks for functions beside value and gradients, which some targets compile."""
    rare: bool = False
    """Whether few implementations offer what it asks for, so that asking one of each operation would not do."""


def law(
    name: str,
    why: str,
    quantities: tuple[Quantity, ...] = QUANTITIES,
    dtypes: tuple[str, ...] = tuple(FORMATS),
    *,
    needs_extra_calls: bool = False,
    rare: bool = False,
) -> Callable[[Test], Law]:
    """Make a law of a test, under the name that spec files use."""
    return lambda test: Law(name, why, test, quantities, dtypes, needs_extra_calls, rare)


@law(
    "exact-arithmetic",
    "Where every difference, square and partial sum is representable, nothing rounds: any order must give the result, bit for bit.",
    ALL_QUANTITIES,
)
def exact_arithmetic(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """Counts that are powers of two keep the division exact as well; upstream gradients are powers of two."""
    return search(context, exact_data, "exact-data", exact_shapes(context), expect=exactly, upstreams=1)


@law(
    "subnormals-as-declared",
    "A target either keeps subnormal squares or flushes them to zero; what it is declared to do is what it must be seen to do.",
    (Quantity.VALUE,),
)
def subnormals_as_declared(context: CheckContext) -> Mapping[Quantity, QuantityRecord]:
    """Normal inputs whose squares are subnormal: 0 where flushing is declared, the interval elsewhere."""
    fmt = FORMATS[context.target.dtype]
    tally = QuantityRecord()
    exponent = (fmt.emin - 3) // 2  # the square, 2^(2·exponent), is subnormal with bits to spare
    prediction = np.full((64,), np.ldexp(1.0, exponent)).astype(fmt.dtype)
    inputs = Inputs(prediction, np.zeros_like(prediction), None, np.ones(context.operation.definition.value_shape((64,)), fmt.dtype))
    value = context.executed_as(inputs).value.astype(np.float64)
    flushed = bool((value == 0).all())
    if context.flushes != flushed:
        does, declared = ("flushes", "keep") if flushed else ("keeps", "flush")
        tally.evaluations = 1
        found = f"found {float(value.ravel()[0])!r} for the square of {prediction[0]}"
        tally.failure = f"value: declared to {declared} subnormals, but it {does} them: {found}"
        return {Quantity.VALUE: tally}
    tallies = {Quantity.VALUE: tally}
    context.observe(tallies, inputs, key=("subnormals-as-declared", context.operation.name, fmt.name), recipe="")
    if flushed:
        tally.flags[FLUSHES] = None
    return tallies


ALONE = (exact_arithmetic, subnormals_as_declared)
"""Laws of one evaluation that are judged by the oracle."""


@dataclass(frozen=True)
class LawCheck:
    """One law on one operation."""

    operation: str
    law: Law
    of_the_operation: tuple[Quantity, ...] = QUANTITIES
    batches: bool = False
    """Whether it holds of the members of a batch: it asks for values and gradients, and for nothing else."""
    kind: Kind = "law"
    level: Level = "must"

    @property
    def id(self) -> str:
        """``operation/law/name``."""
        return f"{self.operation}/law/{self.law.name}"

    @property
    def why(self) -> str:
        """The law's reason."""
        return self.law.why

    @property
    def needs_extra_calls(self) -> bool:
        """Whether the law asks for functions beside value and gradients."""
        return self.law.needs_extra_calls

    @property
    def rare(self) -> bool:
        """Whether few implementations offer what the law asks for."""
        return self.law.rare

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities the law speaks of."""
        return self.law.quantities or self.of_the_operation

    @property
    def dtypes(self) -> Sequence[str]:
        """The dtypes the law is put to the test in."""
        return self.law.dtypes

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """Put the law to the test."""
        return findings(context, self.law.test(context))
