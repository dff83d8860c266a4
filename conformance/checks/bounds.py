"""Bound checks: Hypothesis draws descriptors of a family, every evaluation must hit its interval, the worst is hunted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings, target
from hypothesis import strategies as st

from conformance.checks.base import EvaluatingCheck
from conformance.checks.context import CheckContext, Expect, fitting
from conformance.checks.observe import Batch, observe_batch
from conformance.checks.tally import QUANTITIES
from conformance.inputs.families import FAMILIES, Descriptor, InputFamily, make_stack
from conformance.numerics.definition import Quantity, Shape
from conformance.numerics.formats import FORMATS


def descriptors(shapes: Sequence[Shape], *, upstreams: int = 3) -> st.SearchStrategy[Descriptor]:
    """What Hypothesis draws: one example stands for a whole batch of evaluations."""
    return st.builds(
        Descriptor,
        seed=st.integers(0, 2**32 - 1),
        shape=st.sampled_from(list(shapes)),
        spread=st.integers(0, 8),
        upstream=st.integers(0, upstreams),
    )


def search(
    context: CheckContext, family: InputFamily, name: str, shapes: Sequence[Shape], *, expect: Expect | None = None, upstreams: int = 3
) -> None:
    """Run a family through Hypothesis; it stops drawing work once something has failed.

    Deterministic in the profiles that promise it; the search is steered towards the largest error/bound.
    """
    budget, dtype, definition = context.budget, context.target.dtype, context.operation.definition
    drawn_in = dtype if expect is None else context.exact_format.name
    if not shapes:
        return  # none of them is in the domain

    def body(descriptor: Descriptor) -> None:
        if any(t.failure for t in context.tallies.values()):
            return
        drawn = make_stack(family, descriptor, budget.batch, definition, drawn_in).astype(FORMATS[dtype].dtype)
        key = (context.operation.name, dtype, drawn_in, name, descriptor, budget.batch)
        batch = Batch(drawn, key, lambda position: descriptor.recipe(name, position, budget.batch))
        judged = observe_batch(context, batch, expect)
        target(min(max((judgement.error_over_bound for _, judgement in judged), default=0.0), 2.0), label="error/bound")

    chosen = settings(
        max_examples=budget.examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    test = chosen(given(descriptors(shapes, upstreams=upstreams))(body))
    if (chosen_seed := context.seed) is not None:
        test = seed(chosen_seed)(test)
    test()


@dataclass(frozen=True, kw_only=True)
class BoundCheck(EvaluatingCheck):
    """Generated inputs of one family, each result inside the derived interval."""

    kind = "bound"
    supports_vmap: bool = True

    @classmethod
    def of(cls, operation: str, family: str, quantities: tuple[Quantity, ...] = QUANTITIES) -> BoundCheck:
        """The check of a family, by its name."""
        return cls(operation=operation, name=family, why=(FAMILIES[family].__doc__ or "").strip(), quantities=quantities)

    def look(self, context: CheckContext) -> None:
        """Search the family."""
        search(context, FAMILIES[self.name], self.name, fitting(context))
