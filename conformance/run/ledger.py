"""Documented departures: turns a failing cell that departs exactly as documented into a deviation, and complains otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Self

from conformance.judges.own_entry_points import entry_point_of
from conformance.judges.protocol import Description
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome, Target
from conformance.specs.deviations import covers, is_glob, names
from conformance.specs.model import Deviation, Specs
from conformance.specs.where import stands_on

_GENERATED = ("bound", "law")


def _observed(cell: Cell) -> Fraction | str | None:
    if cell.witness is None or not cell.witness.observed:
        return None
    try:
        x = float.fromhex(cell.witness.observed)
    except (ValueError, OverflowError):
        return None
    return Fraction(x) if x - x == 0 else str(x)


def _departs_as_documented(cell: Cell, signature: Mapping[str, str | Fraction]) -> bool:
    if cell.outcome.value != signature["outcome"]:
        return False
    if "dtype" in signature and f"returns {signature['dtype']}" not in cell.flags:
        return False
    if cell.kind in _GENERATED:
        return True  # a random draw has no fixed number to compare with
    if "observed" in signature and _observed(cell) != signature["observed"]:
        return False
    if "shape" in signature and (cell.witness is None or cell.witness.observed != f"shape {signature['shape']}"):
        return False
    error = cell.error_u
    low, high = signature.get("error_u_min"), signature.get("error_u_max")
    if isinstance(low, Fraction) and (error is None or error < low):
        return False
    return not (isinstance(high, Fraction) and (error is None or error > high))


def known_failures(description: Description) -> Iterator[Deviation]:
    """What the subjects of a framework declare as known."""
    for one in description.implementations:
        for known in one.domain.known if one.domain is not None else ():
            yield Deviation(
                check=known.check,
                quantity=known.quantity,
                where={"framework": (description.framework,), "implementation": (one.name,)},
                signature={"outcome": known.outcome},
                because=known.because,
                url="",
                review_by=date.fromisoformat(known.until),
                file=Path(one.entry.partition(":")[0]),
            )


class DeviationLedger:
    """Applies the documented deviations to cells as they arrive, and knows afterwards which were never met."""

    def __init__(self, deviations: Sequence[Deviation], today: date) -> None:
        self._deviations: list[Deviation] = []
        self._today = today
        self._met: set[int] = set()
        self._dtypes: set[tuple[str, str]] = set()
        self._complaints: dict[str, None] = {}
        self._exactly: dict[tuple[str, str], list[int]] = {}
        self._by_glob: dict[tuple[str, str], list[int]] = {}
        self._of: dict[str, list[int]] = {}
        self._about: dict[tuple[str, str], list[int]] = {}
        self._standing: dict[Target, frozenset[int]] = {}
        self.add(deviations)

    def add(self, deviations: Iterable[Deviation]) -> None:
        """Further ones, such as what a subject declares of itself, before any of its cells is applied."""
        for place, d in enumerate(deviations, start=len(self._deviations)):
            self._deviations.append(d)
            by_name = self._by_glob if is_glob(d.check) or is_glob(d.quantity) else self._exactly
            by_name.setdefault((d.check, d.quantity), []).append(place)
            for framework in d.where["framework"]:
                self._of.setdefault(framework, []).append(place)

    @classmethod
    def today(cls, deviations: Sequence[Deviation]) -> Self:
        """A ledger whose review dates are compared with today's."""
        return cls(deviations, date.today())  # noqa: DTZ011 - a review date is a local day

    def _covering(self, cell: Cell) -> list[tuple[int, Deviation]]:
        """The deviations about a cell, with their places. Checks recur on every target, targets in every check: each is matched once."""
        key = cell.check, cell.quantity
        if (about := self._about.get(key)) is None:
            matched = [place for globs, places in self._by_glob.items() if names(*globs, *key) for place in places]
            about = self._about[key] = sorted([*self._exactly.get(key, []), *matched])
        if not about:
            return []
        if (standing := self._standing.get(cell.target)) is None:
            target = cell.target.model_dump()
            of = self._of.get(cell.target.framework, [])
            standing = self._standing[cell.target] = frozenset(i for i in of if stands_on(self._deviations[i].where, target))
        return [(i, self._deviations[i]) for i in about if i in standing]

    def apply(self, cell: Cell) -> Cell:
        """The cell as a deviation where it is one exactly as documented; otherwise unchanged, as one that was applied before."""
        self._dtypes.add((cell.target.framework, cell.target.dtype))
        if cell.outcome is Outcome.UNSUPPORTED:
            return cell
        own = entry_point_of(cell.flags)
        like = cell.model_copy(update={"target": cell.target.model_copy(update={"implementation": own})}) if own else cell
        covering = self._covering(like)
        if cell.outcome in {Outcome.NOT_RUN, Outcome.DEVIATION}:
            self._met.update(i for i, _ in covering)  # what a profile leaves out cannot be held against a deviation
            self._remind(d for _, d in covering if cell.outcome is Outcome.DEVIATION and cell.reason.startswith(d.because))
            return cell
        for i, deviation in covering:
            self._met.add(i)
            if not _departs_as_documented(cell, deviation.signature):
                continue
            self._remind([deviation])
            link = f" ({deviation.url})" if deviation.url else ""
            return cell.model_copy(update={"outcome": Outcome.DEVIATION, "reason": f"{deviation.because}{link}", "flags": cell.flags})
        for _, deviation in covering if not own else ():
            if cell.kind in _GENERATED:
                continue
            if cell.outcome is Outcome.PASS:
                self._complain(deviation, f"{cell.id} no longer deviates")
            else:
                self._complain(deviation, f"{cell.id} deviates differently: {cell.reason}")
        return cell

    def _remind(self, deviations: Iterable[Deviation]) -> None:
        for deviation in deviations:
            if deviation.review_by < self._today:
                self._complain(deviation, f"its review date {deviation.review_by} has passed")

    def _complain(self, deviation: Deviation, what: str) -> None:
        self._complaints[f"{deviation.file.name}: {deviation.check}: {what}"] = None

    def complaints(self, frameworks_run: Iterable[tuple[str, str]], *, everything: bool) -> list[str]:
        """What is wrong with the documented deviations; those that no cell met only after a run of everything that there is.

        Of a dtype that the framework does not have here, as NumPy without ml_dtypes has no bfloat16, nothing is to be met.

        ``frameworks_run`` are the (framework, version) pairs that ran.
        """
        found = list(self._complaints)
        if not everything:
            return found
        for i, d in enumerate(self._deviations):
            somewhere = {k: v[0] for k, v in d.where.items()}
            ran = [{**somewhere, "framework": framework, "version": version} for framework, version in frameworks_run]
            if i in self._met or not any(covers(d, d.check, d.quantity, target) for target in ran):
                continue
            if "dtype" not in d.where or {(one["framework"], dtype) for one in ran for dtype in d.where["dtype"]} & self._dtypes:
                found.append(f"{d.file.name}: {d.check}: it matched no cell of this run")
        return found


def complaints(specs: Specs, results: Iterable[Results], *, everything: bool) -> list[str]:
    """What is wrong with the deviations by these cells; of those that no cell met only if they are the cells of everything."""
    frameworks: dict[str, list[Results]] = {}
    for part in results:
        frameworks.setdefault(part.header.environment.framework, []).append(part)
    found = []
    for framework, parts in frameworks.items():
        ledger = DeviationLedger.today([d for d in specs.deviations if framework in d.where["framework"]])  # of hundreds of them all
        for cell in (cell for part in parts for cell in part.cells):
            ledger.apply(cell)
        versions = [part.header.environment.version for part in parts]
        found += ledger.complaints([(framework, version) for version in versions if version], everything=everything)
    return found


def complaints_of_shards(specs: Specs, results: Sequence[Results]) -> list[str]:
    """What a run without shards would complain of, of each run that is here in all of its shards: a shard alone cannot.

    Of a run by other specs, or of a selection, nothing is said.
    """
    whole = [part for part in results if part.header.shard and part.complete]
    ours = [part for part in whole if part.header.specs_digest == specs.digest and not part.header.selection]
    return complaints(specs, ours, everything=True)
