"""What a law is: an exact relation that holds in every framework, bit for bit. A further law is one decorated function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.checks.base import EvaluatingCheck
from conformance.checks.context import CheckContext
from conformance.checks.tally import QUANTITIES
from conformance.numerics.definition import Definition, Quantity
from conformance.numerics.formats import FORMATS
from conformance.specs.model import Operation

Test = Callable[[CheckContext], None]
"""Evaluates, and writes what it sees into the tallies of the context."""


@dataclass(frozen=True)
class Law:
    """A relation, its reason, and the quantities it speaks of; ``needs_extra_calls`` and the like as in :class:`Check`."""

    name: str
    why: str
    test: Test
    quantities: tuple[Quantity, ...]
    dtypes: tuple[str, ...]
    needs_extra_calls: bool
    rarely_offered: bool
    supports_vmap: bool
    claims: str
    only_subjects: bool
    applies: Callable[[Definition], bool]

    def is_law_of(self, operation: Operation) -> bool:
        """Whether the operation has the law: its spec names it, or it is true of every such definition, or of whatever a subject does."""
        return self.only_subjects or self.name in operation.laws or self.applies(operation.definition)


LAWS: dict[str, Law] = {}
"""Every law by the name that spec files use, once its module is imported."""


def law(
    name: str,
    why: str,
    quantities: tuple[Quantity, ...] = QUANTITIES,
    dtypes: tuple[str, ...] = tuple(FORMATS),
    *,
    needs_extra_calls: bool = False,
    rarely_offered: bool = False,
    supports_vmap: bool | None = None,
    claims: str = "",
    only_subjects: bool = False,
    applies: Callable[[Definition], bool] = lambda _: False,
) -> Callable[[Test], Law]:
    """Register a test as a law: of the operations whose specs name it, and of those to whose definition it ``applies``.

    A law that needs no calls beside value and gradients supports vmap, unless it says otherwise.
    """

    def register(test: Test) -> Law:
        if name in LAWS:
            raise ValueError(f"found a second law {name!r}, expected each name once")
        batched = not needs_extra_calls if supports_vmap is None else supports_vmap
        LAWS[name] = Law(name, why, test, quantities, dtypes, needs_extra_calls, rarely_offered, batched, claims, only_subjects, applies)
        return LAWS[name]

    return register


@dataclass(frozen=True, kw_only=True)
class LawCheck(EvaluatingCheck):
    """One law on one operation."""

    kind = "law"
    law: Law

    @classmethod
    def of(cls, operation: str, law: Law, every_quantity: tuple[Quantity, ...] = QUANTITIES) -> LawCheck:
        """The check of a law; ``every_quantity``: all that the operation has, for a law of all of them."""
        return cls(
            operation=operation,
            name=law.name,
            why=law.why,
            quantities=law.quantities or every_quantity,
            dtypes=law.dtypes,
            needs_extra_calls=law.needs_extra_calls,
            rarely_offered=law.rarely_offered,
            supports_vmap=law.supports_vmap,
            claims=law.claims,
            only_subjects=law.only_subjects,
            law=law,
        )

    def look(self, context: CheckContext) -> None:
        """Run the law."""
        self.law.test(context)
