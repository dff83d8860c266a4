"""What is wrong with the documented deviations, told from results files: for whoever has all cells of a run only afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from conformance.checks.deviations import DeviationLedger
from conformance.results import Results
from conformance.specs.model import Deviation, Specs


def complaints(specs: Specs, results: Iterable[Results], *, everything: bool) -> list[str]:
    """What is wrong with the deviations by these cells; of those that no cell met only if they are the cells of everything."""
    frameworks: dict[str, list[Results]] = {}
    for part in results:
        frameworks.setdefault(part.header.environment.framework, []).append(part)
    return [
        complaint
        for framework, parts in frameworks.items()
        for complaint in _of_framework([d for d in specs.deviations if framework in d.where["framework"]], parts, everything=everything)
    ]


def _of_framework(deviations: Sequence[Deviation], parts: Sequence[Results], *, everything: bool) -> list[str]:
    """Each cell is held against the deviations of its own framework only: there are hundreds of them all."""
    ledger = DeviationLedger(deviations, date.today())  # noqa: DTZ011 - a review date is a local day
    for part in parts:
        for cell in part.cells:
            ledger.apply(cell)
    environments = [part.header.environment for part in parts]
    return ledger.complaints([(e.framework, e.version) for e in environments if e.version], everything=everything)


def complaints_of_shards(specs: Specs, results: Sequence[Results]) -> list[str]:
    """What a run without shards would complain of, of each run that is here in all of its shards: a shard alone cannot.

    Of a run by other specs, or of a selection, nothing is said.
    """
    whole = [part for part in results if part.header.shard and part.complete]
    return complaints(
        specs, [part for part in whole if part.header.specs_digest == specs.digest and not part.header.selection], everything=True
    )
