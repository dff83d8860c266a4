"""The comparison of two sides: every topic asked, the lines brought together."""

from __future__ import annotations

from conformance.reports.compare.accuracy import figure_advice
from conformance.reports.compare.advice import Advice, PortingReport, Topic, Unchanged
from conformance.reports.compare.answers import answer_advice
from conformance.reports.compare.deviations import deviation_advice
from conformance.reports.compare.operations import operation_advice
from conformance.reports.compare.sides import EntryPair, Side, all_pairs, pairs
from conformance.reports.text import plural
from conformance.results.records import Outcome
from conformance.specs.model import Specs


def port(a: Side, b: Side, specs: Specs) -> PortingReport:
    """Say what changes for someone who ports from ``a`` to ``b``."""
    both = pairs(a, b)
    every = all_pairs(both, b)
    advice, same = operation_advice(a, b, specs)
    answers, equal = answer_advice(both, a, b, specs)
    figures = figure_advice(every, a, b, specs)
    lines = [*advice, *answers, *figures, *deviation_advice(every, a, b)]
    return PortingReport.of(a, b, lines, [*same, *equal, *_agreement(both), *_silent(lines)])


def _agreement(both: tuple[EntryPair, ...]) -> list[Unchanged]:
    """How many checks both sides pass."""
    alike = 0
    for pair in both:
        passed = {c.check for c in pair.b.cells if c.outcome is Outcome.PASS and c.kind != "behaviour"}
        alike += len({c.check for c in pair.a.cells if c.outcome is Outcome.PASS} & passed)
    return [Unchanged(f"{plural(alike, 'check')} of {plural(len(both), 'pair')} of entry points pass on both sides.")] if alike else []


def _silent(lines: list[Advice]) -> list[Unchanged]:
    """The topics that nothing is said about."""
    silent = [topic.value.lower() for topic in Topic if not any(line.topic is topic for line in lines)]
    return [Unchanged(f"No difference was found in: {'; '.join(silent)}.")] if silent else []
