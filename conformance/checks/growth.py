"""How the error grows with n: the grade, and the longest chain of additions, measured at n up to a million."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter

import numpy as np

from conformance.checks.base import EvaluatingCheck, Finding
from conformance.checks.context import CheckContext, in_domain
from conformance.checks.grading import grade, tree_bound_u, worst
from conformance.checks.judge import Judgement
from conformance.checks.observe import Batch, Judged, observe_each
from conformance.numerics.definition import Divisor, Inputs, Quantity
from conformance.numerics.formats import FORMATS, Array, Format
from conformance.results.records import AtSize, Grade, Outcome
from conformance.specs.model import Level

_SEED = 20


def constant(n: int, fmt: Format) -> tuple[Array, Array]:
    """The residual 0.1 everywhere: errors of a long chain add up instead of averaging out."""
    return np.full(n, 0.1).astype(fmt.dtype), np.zeros(n, fmt.dtype)


def random(n: int, fmt: Format) -> tuple[Array, Array]:
    """Residuals uniform in (0, 1/16): small enough for the sum of a million of their squares to stay in float16."""
    return np.random.default_rng([_SEED, n]).uniform(0, 1 / 16, n).astype(fmt.dtype), np.zeros(n, fmt.dtype)


def probe(n: int, fmt: Format) -> tuple[Array, Array]:
    """The chain probe: one square of 2^(p+2) first, then ones, each less than half an ulp of it.

    Whatever was added one by one into the accumulator that holds the first square is lost, so exact minus computed
    counts the chain. After FPRev's idea of reading a summation order off a kernel by masking.
    """
    p = np.ones(n)
    p[0] = 2.0 ** ((fmt.precision + 2) // 2)
    return p.astype(fmt.dtype), np.zeros(n, fmt.dtype)


@lru_cache(maxsize=32)
def _data(name: str, n: int, fmt: Format) -> tuple[Array, Array]:
    """Made once for all targets of a dtype."""
    made = _DATA[name](n, fmt)
    for array in made:
        array.flags.writeable = False
    return made


_DATA: dict[str, Callable[[int, Format], tuple[Array, Array]]] = {"constant": constant, "random": random, "probe": probe}


@dataclass
class _Chain:
    length: float = 0.0
    at: int = 0
    sizes: dict[int, AtSize] = field(default_factory=dict)
    grades: list[Grade] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class GrowthCheck(EvaluatingCheck):
    """The value on fixed adversarial data of growing length."""

    kind = "bound"
    name: str = "growth"
    why: str = "An error that grows with n is invisible in small tests and decides the loss of a large batch."
    quantities: tuple[Quantity, ...] = (Quantity.VALUE,)
    supports_vmap: bool = True

    def look(self, context: CheckContext) -> None:
        """Measure at every size of the budget; the grade is the worst over all of it."""
        chain = _Chain()
        tally = context.tallies[Quantity.VALUE]
        fmt = FORMATS[context.target.dtype]
        # A probe's result in a narrower format has too few digits to count in.
        wanted = [(n, name) for n in context.budget.growth_sizes for name in _DATA if name != "probe" or fmt.precision >= 24]
        judged = observe_each(context, (self._batch(context, n, name) for n, name in wanted), minimise=False)
        for n, names in groupby(wanted, key=itemgetter(0)):
            tally.bits = blake2b(digest_size=6)
            for (_, name), found in zip(names, judged):  # noqa: B905 - the names end first, and nothing more is asked for
                self._note(context, chain, n, name, found)
            if n in chain.sizes:
                chain.sizes[n] = chain.sizes[n].model_copy(update={"bits": tally.bits.hexdigest()})
        if chain.at:
            tally.flags[f"chain of {chain.length:.0f} at n = {chain.at}"] = None
        tally.grade = worst(chain.grades)
        tally.growth = tuple(chain.sizes.values())

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """One finding, which is kept for the check of its grade."""
        context.kept[self.id] = super().run(context)
        return context.kept[self.id]

    def _batch(self, context: CheckContext, n: int, name: str) -> Batch:
        fmt = FORMATS[context.target.dtype]
        prediction, target = (array.reshape(in_domain(context, (n,))) for array in _data(name, n, fmt))
        inputs = Inputs(prediction, target, None, np.ones((), fmt.dtype))
        return Batch.of(inputs, (self.id, fmt.name, name, n), f"data={name} n={n}")

    def _note(self, context: CheckContext, chain: _Chain, n: int, name: str, judged: Judged) -> None:
        fmt = FORMATS[context.target.dtype]
        judgement = dict(judged).get(Quantity.VALUE)
        if judgement is None or not judgement.conforms:
            return
        seen = chain.sizes.get(n)
        if seen is None or judgement.error_u > seen.error_u:
            chain.sizes[n] = _at_size(n, judgement)
        lost = None
        if name == "probe":
            # In ulp of the value; for a mean, n of the value's ulp are one element of the sum.
            scale = n if context.operation.definition.divisor is Divisor.COUNT else 1
            exact_value = (2.0 ** (2 * ((fmt.precision + 2) // 2)) + n - 1) / scale
            ulp = float(fmt.ulp(Fraction(exact_value)))
            lost = judgement.error_ulp * ulp * scale
            chain.length, chain.at = lost, n
        chain.grades.append(
            grade(
                error_u=judgement.error_u,
                error_ulp=judgement.error_ulp,
                correctly_rounded=judgement.correctly_rounded,
                tree_bound=tree_bound_u(context.operation.definition, context.error_model, fmt, n),
                n=n,
                random=name == "random",
                chain=lost,
            )
        )


def _at_size(n: int, judgement: Judgement) -> AtSize:
    """Six significant digits; what is allowed follows from the error and the share of the bound that it takes."""
    allowed = judgement.error_u / judgement.error_over_bound if judgement.error_over_bound else 0.0
    return AtSize(n=n, error_u=float(f"{judgement.error_u:.6g}"), allowed_u=float(f"{allowed:.6g}") if allowed else None)


@dataclass(frozen=True, kw_only=True)
class AccuracyCheck(EvaluatingCheck):
    """The grade that the values of an operation should have: what stagnates is inside the interval of any order, and still poor."""

    kind = "bound"
    name: str = "accuracy"
    level: Level = "should"
    quantities: tuple[Quantity, ...] = (Quantity.VALUE,)
    supports_vmap: bool = True
    expected: Grade

    @classmethod
    def of(cls, operation: str, expected: Grade) -> AccuracyCheck:
        """Which grade, and what a worse one means."""
        why = f"An error that grows with n leaves large batches a loss of few digits: the grade should be {expected.value}."
        return cls(operation=operation, why=why, expected=expected)

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """Judge the grade that the growth check found, which is run where it has not been."""
        growth = GrowthCheck(operation=self.operation)
        (found,) = context.kept.get(growth.id) or growth.run(context)
        if found.outcome is not Outcome.PASS or found.grade is None:
            return [Finding(Quantity.VALUE, Outcome.UNSUPPORTED, f"there is no grade: {growth.id} is a {found.outcome.value}")]
        if worst((found.grade, self.expected)) is self.expected:
            return [replace(found, growth=(), evaluations=1)]
        reason = f"the grade is {found.grade.value}, and should be {self.expected.value} or better; worst error {found.error_u:.3g} u"
        return [replace(found, outcome=Outcome.FAIL, reason="; ".join([reason, *found.flags]), growth=(), evaluations=1)]
