"""What a power run found, for a terminal and as plain types: by group, by mutant, the survivors and the false alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from conformance.checks.base import Kind
from conformance.power.power_run import PowerRun
from conformance.power.variants import GROUPS
from conformance.power.verdicts import Verdict
from conformance.reports.text import plural, printable
from conformance.results.records import Cell

KINDS: tuple[Kind, ...] = ("law", "case", "bound", "behaviour")


def summary(power: PowerRun) -> dict[str, Any]:
    """All of it in plain types."""
    return {
        "profile": power.profile.name,
        "seeds": list(power.seeds),
        "groups": {
            name: {"mutants": len(found), "killed": len(found) - len(survivors), "survivors": survivors}
            for name in GROUPS
            for found in [power.group(name)]
            for survivors in [[v.variant.name for v in found if v in power.survivors]]
        },
        "mutants": [_mutant(v, power.seeds) for v in power.mutants],
        "equivalent-variants": [
            {
                "name": v.variant.name,
                "file": v.variant.file,
                "passes": v.passes,
                "accusations": [_accusation(*a) for a in v.accusations],
            }
            for v in power.equivalent
        ],
        "not-run": {file.path.name: file.not_run for file in power.files if file.not_run},
        "proven": power.proven,
    }


def _mutant(verdict: Verdict, seeds: Sequence[int]) -> dict[str, Any]:
    first = next(iter(verdict.kills.values()), None)
    return {
        "name": verdict.variant.name,
        "group": verdict.variant.group,
        "file": verdict.variant.file,
        "killed": not verdict.survived(seeds),
        "with-every-seed-alike": verdict.always,
        "survives-seeds": verdict.survived(seeds),
        "first-killer": first.id if first else "",
        "reason": first.reason if first else "",
        "killers": dict(Counter(cell.kind for cell in verdict.kills.values())),
    }


def _accusation(seed: int, cell: Cell) -> dict[str, Any]:
    shown = cell.witness.model_dump(exclude_defaults=True) if cell.witness else None
    return {"seed": seed, "cell": cell.id, "outcome": cell.outcome.value, "reason": cell.reason, "witness": shown}


def show(power: PowerRun, console: Console) -> None:
    """Print it: details first, so that the verdict stands where the eye is."""
    console.print(_by_mutant(power))
    console.print(_by_group(power))
    for file in power.files:
        if file.not_run:
            console.print(f"not run: {file.path.name}: {printable(file.not_run)}")
    for verdict in power.survivors:
        seeds = verdict.survived(power.seeds)
        how = "every seed" if len(seeds) == len(power.seeds) else f"seed {', '.join(map(str, seeds))}"
        console.print(f"survivor: {verdict.variant.name} ({verdict.variant.file}), with {how}", style="bold red")
    for verdict in power.accused:
        for seed, cell in verdict.accusations[:3]:
            console.print(f"false alarm: {verdict.variant.name}, seed {seed}: {cell.id}: {printable(cell.reason)}", style="bold red")
        if not verdict.accusations:
            console.print(f"false alarm: {verdict.variant.name}: no check passed", style="bold red")
    killed = len(power.mutants) - len(power.survivors)
    console.print(
        f"{killed} of {plural(len(power.mutants), 'mutant')} killed with each of {plural(len(power.seeds), 'seed')}, "
        f"{len(power.accused)} of {plural(len(power.equivalent), 'equivalent variant')} accused, profile {power.profile.name}",
        style="bold",
    )


def _by_mutant(power: PowerRun) -> Grid:
    grid = Grid("mutant", "first killer", "laws", "cases", "bounds", "behaviours", title="What kills what", box=None)
    for verdict in sorted(power.mutants, key=lambda v: (GROUPS.index(v.variant.group), v.variant)):
        kinds = Counter(cell.kind for cell in verdict.kills.values())
        first = next(iter(verdict.kills), "-")
        grid.add_row(verdict.variant.name, first, *(str(kinds[kind] or "·") for kind in KINDS))
    return grid


def _by_group(power: PowerRun) -> Grid:
    grid = Grid("group", "mutants", "killed", "survivors", title=f"Killed with each of {plural(len(power.seeds), 'seed')}", box=None)
    for name in GROUPS:
        found = power.group(name)
        survivors = sum(v in power.survivors for v in found)
        grid.add_row(name, str(len(found)), str(len(found) - survivors), str(survivors))
    grid.add_row("all", str(len(power.mutants)), str(len(power.mutants) - len(power.survivors)), str(len(power.survivors)))
    return grid
