"""Shards: one run in disjoint parts, each of which can be run alone, and all of which together are the run."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from conformance.mistake import Mistake
from conformance.results.reading import Results
from conformance.results.records import MAX_SHARDS, Cell, Footer, Shard, Target

_FORM = re.compile(r"([0-9]{1,4})/([0-9]{1,4})", re.ASCII)


def shard_of(text: str) -> Shard:
    """The shard that ``2/8`` names.

    Raises:
        Mistake: it names none.
    """
    match = _FORM.fullmatch(text)
    number, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= of <= MAX_SHARDS:
        raise Mistake(f"--shard: found {text[:40]!a}, expected i/n with i from 1 to n, and n at most {MAX_SHARDS}, such as 2/8")
    return Shard(number=number, of=of)


def holds(shard: Shard | None, target: Target) -> bool:
    """Whether the checks on a target belong to the shard: by a hash of the target's id, the same on every machine and in every version.

    A target stays whole, so that it is prepared, and where that is asked for compiled, in one shard only.
    """
    if shard is None:
        return True
    return int.from_bytes(hashlib.sha256(target.id.encode()).digest()[:8]) % shard.of == shard.number - 1


def combined(parts: Iterable[Results]) -> list[Results]:
    """Put the shards of a run together into one; what they do not lack is then, apart from times and run ids, the run without shards.

    Shards belong together if all of their headers agree but for the run's id, its start and the machine's platform. A shard that
    comes a second time stays apart, as any run that is repeated does.
    """
    whole: list[Results] = []
    groups: dict[str, list[dict[int, Results]]] = {}
    for part in parts:
        if part.header.shard is None:
            whole.append(part)
            continue
        environment = part.header.environment.model_copy(update={"platform": ""})
        alike = part.header.model_copy(update={"run": "", "started": "", "shard": None, "environment": environment})
        sets = groups.setdefault(f"{part.header.shard.of} {alike.model_dump_json()}", [])
        free = next((found for found in sets if part.header.shard.number not in found), None)
        if free is None:
            sets.append(free := {})
        free[part.header.shard.number] = part
    return [*whole, *(_together(shards) for sets in groups.values() for shards in sets)]


def _together(shards: dict[int, Results]) -> Results:
    parts = [shards[number] for number in sorted(shards)]
    first = parts[0]
    assert first.header.shard is not None
    lacking = tuple(number for number in range(1, first.header.shard.of + 1) if number not in shards)
    cells = tuple(sorted((cell for part in parts for cell in part.cells), key=_place))
    footers = [part.footer for part in parts if part.footer]
    footer = None
    if len(footers) == len(parts):
        counts = Counter(cell.outcome for cell in cells)
        footer = Footer(cells=len(cells), counts=dict(counts), seconds=round(sum(one.seconds for one in footers), 3))
    platforms = dict.fromkeys(part.header.environment.platform for part in parts)
    environment = first.header.environment.model_copy(update={"platform": "; ".join(platforms)})
    header = first.header.model_copy(update={"started": min(part.header.started for part in parts), "environment": environment})
    return replace(first, header=header, cells=cells, footer=footer, lacking=lacking)


def _place(cell: Cell) -> tuple[bool, str, str, str, str, str]:
    """Where a run without shards has the cell, less what is below a target: a plan is in this order, and then comes what is not here."""
    target = cell.target
    if target.implementation == "*":
        return (True, "", "", target.device, "", "")
    return (False, cell.operation, target.dtype, target.device, target.mode, target.implementation)
