"""What a larger run would take on a larger cluster: a simulated schedule, from the measured times of the cells of a run.

    python benchmarks/schedule.py reports/results --environments 1000 --evaluations 1e9

A version on a device is an environment, and runs what the framework that it is taken from ran. So that the evaluations become as many as
asked for, the time of every target grows with them: a bound check draws more inputs, and all its evaluations cost alike. Where a run has
more evaluations than are asked for, it is not made smaller. Targets are never cut: a shard has whole ones. Slots go, longest first, to the
processor that is free first. A slot pays for starting its judge and runner, and the first of an environment on a machine for making that.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from conformance.results.merging import find, merge
from conformance.results.reading import Results, read
from conformance.results.records import Shard
from conformance.results.shards import holds

CORES_PER_MACHINE = 16


@dataclass(frozen=True)
class Measured:
    """What one framework's run took, in seconds: all of it, and each of its targets; and how much it evaluated."""

    framework: str
    targets: dict[str, float]
    evaluations: int

    @classmethod
    def of(cls, part: Results) -> Measured:
        """From a results file."""
        targets: dict[str, float] = {}
        for cell in part.cells:
            targets[cell.target.id] = targets.get(cell.target.id, 0.0) + cell.seconds
        return cls(part.header.environment.framework, targets, sum(cell.evaluations for cell in part.cells))

    def slots(self, part: Results, of: int, times: float) -> list[float]:
        """The seconds of each of so many shards."""
        targets = {cell.target.id: cell.target for cell in part.cells}
        return [
            times * sum(seconds for name, seconds in self.targets.items() if holds(Shard(number=number, of=of), targets[name]))
            for number in range(1, of + 1)
        ]


@dataclass(frozen=True)
class Plan:
    """What came of a schedule, in seconds."""

    cores: int
    slots: int
    makespan: float
    work: float
    overhead: float
    longest: float

    @property
    def efficiency(self) -> float:
        """The share of the paid time in which something is evaluated."""
        return self.work / (self.makespan * self.cores)


def scheduled(environments: Sequence[Sequence[float]], cores: int, start: float, build: float) -> Plan:
    """Put the slots of all environments on processors, the longest first; machines have :data:`CORES_PER_MACHINE` of them."""
    slots = sorted(
        ((seconds, number) for number, environment in enumerate(environments) for seconds in environment if seconds), reverse=True
    )
    free = [(0.0, core) for core in range(cores)]
    heapq.heapify(free)
    built: set[tuple[int, int]] = set()
    overhead = 0.0
    for seconds, number in slots:
        at, core = heapq.heappop(free)
        machine = core // CORES_PER_MACHINE
        extra = start + (0.0 if (machine, number) in built else build)
        built.add((machine, number))
        overhead += extra
        heapq.heappush(free, (at + seconds + extra, core))
    return Plan(cores, len(slots), max(at for at, _ in free), sum(s for s, _ in slots), overhead, slots[0][0] if slots else 0.0)


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--environments", default=1000, show_default=True, help="Versions times devices.")
@click.option("--evaluations", default=1e9, show_default=True, help="Of all of them together.")
@click.option("--cores", default="2,16,64,256,1024", show_default=True, help="Of the clusters to be tried.")
@click.option("--slot", default=300.0, show_default=True, help="Seconds that a slot should take: environments are cut accordingly.")
@click.option("--start", default=10.0, show_default=True, help="Seconds to start a judge and its runner, imports included.")
@click.option("--build", default=60.0, show_default=True, help="Seconds to make an environment on a machine.")
@click.option("--price", default=0.04, show_default=True, help="Of a processor for an hour, in dollars: an assumption.")
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(
    results: tuple[Path, ...],
    environments: int,
    evaluations: float,
    cores: str,
    slot: float,
    start: float,
    build: float,
    price: float,
    as_format: str,
) -> None:
    """Print the schedule for each size of cluster."""
    parts = [part for part in merge(read(path) for path in find(results)) if any(cell.evaluations for cell in part.cells)]
    measured = [Measured.of(part) for part in parts]
    each = sum(m.evaluations for m in measured) / len(measured)
    times = max(1.0, evaluations / (each * environments))
    cut = []
    for m, part in zip(measured, parts, strict=True):
        seconds = times * sum(m.targets.values())
        cut.append(m.slots(part, max(1, min(round(seconds / slot), 1000)), times))
    wanted = list(itertools.islice(itertools.cycle(cut), environments))
    plans = [scheduled(wanted, int(n), start, build) for n in cores.split(",")]
    document = {
        "environments": environments,
        "frameworks": [m.framework for m in measured],
        "evaluations": round(each * environments * times),
        "evaluations_measured": sum(m.evaluations for m in measured),
        "seconds_measured": round(sum(sum(m.targets.values()) for m in measured), 1),
        "times": round(times, 3),
        "plans": [
            {
                "cores": plan.cores,
                "slots": plan.slots,
                "hours": round(plan.makespan / 3600, 3),
                "core_hours": round(plan.makespan * plan.cores / 3600, 1),
                "efficiency": round(plan.efficiency, 3),
                "overhead": round(plan.overhead / (plan.work + plan.overhead), 3),
                "longest_slot_seconds": round(plan.longest, 1),
                "dollars": round(plan.makespan * plan.cores / 3600 * price, 2),
            }
            for plan in plans
        ],
    }
    if as_format == "json":
        click.echo(json.dumps(document))
        return
    click.echo(
        f"{document['evaluations_measured']:,} evaluations of {len(measured)} frameworks took {document['seconds_measured']:,} s; "
        f"{environments:,} environments and {document['evaluations']:,} evaluations ({times:.3g} times as many in each) would take:\n"
    )
    click.echo(
        f"{'cores':>6} {'slots':>7} {'hours':>9} {'core-hours':>11} {'efficiency':>11} {'overhead':>9} {'longest slot':>13} {'dollars':>9}"
    )
    for plan in document["plans"]:  # type: ignore[attr-defined]  # a list of plain dictionaries
        click.echo(
            f"{plan['cores']:>6} {plan['slots']:>7,} {plan['hours']:>9,.2f} {plan['core_hours']:>11,.0f} {plan['efficiency']:>11.0%} "
            f"{plan['overhead']:>9.0%} {plan['longest_slot_seconds']:>11,.0f} s {plan['dollars']:>9,.2f}"
        )


if __name__ == "__main__":
    main()
