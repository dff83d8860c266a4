"""The comparison of two sides: every topic asked, the lines brought together."""

from __future__ import annotations

from conformance.reports.compare.accuracy import figure_advice
from conformance.reports.compare.advice import PortingReport, Topic, Unchanged
from conformance.reports.compare.answers import answer_advice
from conformance.reports.compare.deviations import deviation_advice
from conformance.reports.compare.operations import operation_advice
from conformance.reports.compare.sides import Entry, Side, all_pairs, pairs
from conformance.reports.text import plural
from conformance.results.records import Outcome
from conformance.specs.model import Specs


def port(a: Side, b: Side, specs: Specs) -> PortingReport:
    """Say what changes for someone who ports from ``a`` to ``b``."""
    both = pairs(a, b)
    every = all_pairs(both, b)
    advice, same = operation_advice(a, b, specs)
    answers, equal = answer_advice(both, a, b, specs)
    lines = [*advice, *answers, *figure_advice(every, a, b, specs), *deviation_advice(every, a, b)]
    unchanged = [*same, *equal]
    if alike := sum(len(_passed(pair.a) & _passed(pair.b)) for pair in both):
        unchanged.append(Unchanged(f"{plural(alike, 'check')} of {plural(len(both), 'pair')} of entry points pass on both sides."))
    told = {line.topic for line in lines}
    if silent := [topic.value.lower() for topic in Topic if topic not in told]:
        unchanged.append(Unchanged(f"No difference was found in: {'; '.join(silent)}."))
    return PortingReport.of(a, b, lines, unchanged)


def _passed(entry: Entry) -> set[str]:
    return {cell.check for cell in entry.cells if cell.outcome is Outcome.PASS and cell.kind != "behaviour"}
