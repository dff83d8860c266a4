"""Which targets compute the same numbers, bit for bit, on the same data: a matrix for each operation and dtype, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from conformance.reports.plots import Plot, svg, words_at
from conformance.reports.table import Table
from conformance.reports.text import capped, plural, targets_in_words, visible
from conformance.results import Cell, Outcome, Target

_MOST_PANELS = 8
_MOST_GROUPS = 16


@dataclass(frozen=True)
class Group:
    """Targets whose results are the same at every n that a growth check measured: ``bits`` are their digests."""

    bits: Mapping[int, str]
    targets: tuple[Target, ...]

    def shared(self, other: Group) -> tuple[int, int]:
        """At how many of the numbers of elements that both measured the results are the same, and how many those are."""
        both = self.bits.keys() & other.bits.keys()
        return sum(self.bits[n] == other.bits[n] for n in both), len(both)


def groups(cells: Sequence[Cell]) -> list[Group]:
    """The targets of these cells, those together that agree everywhere; the largest group first."""
    alike: dict[tuple[tuple[int, str], ...], list[Target]] = {}
    for cell in cells:
        bits = tuple((size.n, size.bits) for size in cell.growth if size.bits)
        if bits and cell.outcome is Outcome.PASS:
            alike.setdefault(bits, []).append(cell.target)
    return sorted((Group(dict(bits), tuple(targets)) for bits, targets in alike.items()), key=lambda group: -len(group.targets))


def agreement(table: Table) -> list[Plot]:
    """A matrix for each operation and dtype that several targets were measured on."""
    held: dict[tuple[str, str], list[Cell]] = {}
    for cell in table.total.cells:
        if cell.growth:
            held.setdefault((cell.operation, cell.target.dtype), []).append(cell)
    order = [(operation, dtype) for operation in table.operations for dtype in table.dtypes if (operation, dtype) in held]
    found = ((operation, dtype, groups(held[operation, dtype])) for operation, dtype in order)
    several = [(operation, dtype, these) for operation, dtype, these in found if sum(len(group.targets) for group in these) > 1]
    return [
        Plot(f"{visible(operation, 60)} · {visible(dtype, 20)}", _panel(these, f"{visible(operation, 60)} in {visible(dtype, 20)}"))
        for operation, dtype, these in several[:_MOST_PANELS]
    ]


def _panel(found: Sequence[Group], where: str) -> Markup:
    shown = found[:_MOST_GROUPS]
    left, top, side = 250, 6, 24
    sizes = sorted({n for group in found for n in group.bits})
    targets = plural(sum(len(group.targets) for group in found), "target")
    largest = plural(len(shown[0].targets), "target")
    label = (
        f"Targets with the same results at n = {', '.join(f'{n:,}' for n in sizes[:12])}, {where}: "
        f"{targets}, {plural(len(found), 'different result')}, {largest} in the largest group"
    )
    parts = [part for line, group in enumerate(shown) for part in _row(shown, line, group, (left, top, side))]
    if len(found) > len(shown):
        parts.append(
            words_at(left - 6, top + side * len(shown) + 14, f"… and {plural(len(found) - len(shown), 'group')} more", "tick", "end")
        )
    return svg(left + side * len(shown) + 60, top + side * len(shown) + 20, label, parts)


def _row(shown: Sequence[Group], line: int, group: Group, place: tuple[int, int, int]) -> Iterator[Markup]:
    left, top, side = place
    y = top + side * line
    name = Markup("<g><title>{}</title>{}</g>")
    yield name.format(
        visible(capped(targets_in_words(group.targets), 30), 3000), words_at(left - 6, y + 16, _short(group.targets), "tick", "end")
    )
    for column, other in enumerate(shown[:line]):
        same, both = group.shared(other)
        if both:
            style = "h0" if not same else "h5" if same == both else "h3"
            yield Markup('<g class="{}"><rect x="{}" y="{}" width="{}" height="{}"/>{}</g>').format(
                style,
                left + side * column,
                y,
                side - 1,
                side - 1,
                words_at(left + side * column + side / 2, y + 16, f"{same}/{both}", "", "middle"),
            )
    yield words_at(left + side * line + 4, y + 16, f"× {len(group.targets)}", "tick")


def _short(targets: Sequence[Target]) -> str:
    modes: dict[str, list[str]] = {}
    for target in targets:
        modes.setdefault(target.framework, []).append(target.mode)
    return visible(capped([f"{name} {'/'.join(dict.fromkeys(held))}" for name, held in modes.items()], 2), 44)
