"""Bound checks: Hypothesis draws descriptors of a family, every evaluation must hit its interval, the worst is hunted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings, target
from hypothesis import strategies as st

from conformance.checks.base import Finding, Kind, Level, findings
from conformance.checks.batches import Batch, observe_together
from conformance.checks.context import CheckContext, Expect
from conformance.checks.tally import QUANTITIES, QuantityRecord, new_tallies
from conformance.inputs.families import FAMILIES, Descriptor, InputFamily, make_stack
from conformance.numerics.definition import Definition, Quantity, Shape
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
) -> dict[Quantity, QuantityRecord]:
    """Run a family through Hypothesis; it stops drawing work once something has failed.

    Deterministic in the profiles that promise it; the search is steered towards the largest error/bound.
    """
    profile, dtype, definition = context.profile, context.target.dtype, context.operation.definition
    tallies = new_tallies(*definition.quantities)

    def body(descriptor: Descriptor) -> None:
        if any(t.failure for t in tallies.values()):
            return
        drawn = make_stack(family, descriptor, profile.batch, definition, dtype)
        key = (context.operation.name, dtype, name, descriptor, profile.batch)
        batch = Batch(drawn, key, lambda position: descriptor.recipe(name, position, profile.batch))
        largest = observe_together(context, tallies, batch, expect)
        target(min(largest, 2.0), label="error/bound")

    chosen = settings(
        max_examples=profile.examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    test = chosen(given(descriptors(shapes, upstreams=upstreams))(body))
    if profile.seed is not None:
        test = seed(profile.seed)(test)
    test()
    return tallies


def fitting(shapes: Sequence[Shape], definition: Definition) -> list[Shape]:
    """Shapes the operation is defined on: a sum over the last axis needs one, samples with weights need two."""
    return [shape for shape in shapes if len(shape) >= definition.least_rank]


@dataclass(frozen=True)
class BoundCheck:
    """Generated inputs of one family, each result inside the derived interval."""

    operation: str
    family: str
    quantities: tuple[Quantity, ...] = QUANTITIES
    kind: Kind = "bound"
    level: Level = "must"

    @property
    def id(self) -> str:
        """``operation/bound/family``."""
        return f"{self.operation}/bound/{self.family}"

    @property
    def why(self) -> str:
        """What the family aims at."""
        return (FAMILIES[self.family].__doc__ or "").strip()

    @property
    def dtypes(self) -> Sequence[str]:
        """All of them."""
        return tuple(FORMATS)

    def run(self, context: CheckContext) -> Sequence[Finding]:
        """Search the family."""
        shapes = fitting(context.profile.shapes_for(context.target), context.operation.definition)
        return findings(context, search(context, FAMILIES[self.family], self.family, shapes))
