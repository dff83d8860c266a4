"""Declared policies: from their tables to values, and which declaration holds for a target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conformance.specs.grammar import PolicyFile, PolicyTable
from conformance.specs.literals import show
from conformance.specs.model import Policy
from conformance.specs.problems import SpecContext
from conformance.specs.where import build_where, stands_on

POLICIES: Mapping[str, tuple[str, ...]] = {
    "broadcasting": ("broadcasts", "aligns ranks", "raises"),
    "promotion": ("wider dtype", "narrower dtype", "dtype of the prediction", "dtype of the target", "raises"),
    "half-accumulation": ("wider", "input format"),
    "square-overflow": ("overflows", "wider"),
    "float64": ("kept", "narrowed"),
    "masked-out": ("takes no part", "spreads to gradients", "spreads"),
}
"""Each policy and what a target may be declared to do. ``conformance.checks.laws.policies`` finds out what it does."""


def build_policies(context: SpecContext, table: PolicyFile) -> list[Policy]:
    """The declarations of one file, in its order; mistakes in it are complained about and left out."""
    return [policy for entry in table.policy if (policy := _build(context.named(entry.policy), entry)) is not None]


def declared(policies: Iterable[Policy], target: Mapping[str, str]) -> dict[str, Policy]:
    """What is declared of a target, by policy; of several declarations the last one counts."""
    return {policy.policy: policy for policy in policies if stands_on(policy.where, target)}


def _build(context: SpecContext, table: PolicyTable) -> Policy | None:
    answers = POLICIES.get(table.policy)
    if answers is None:
        context.complain("policy", "no such policy", f"one of {', '.join(POLICIES)}")
    elif table.answer not in answers:
        context.complain("is", show(table.answer), f"one of {', '.join(show(answer) for answer in answers)}")
    where = build_where(context.table("where"), table.where)
    return None if context.wrong else Policy(table.policy, where, table.answer, table.because, table.url or "", context.file)
