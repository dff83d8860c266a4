"""Plots for the page, as SVG of its own: each answers one question, is said in words beside it, and every mark has its title."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from markupsafe import Markup, escape

from conformance.checks.grading import CONSTANT_ULP, tree_height
from conformance.reports.table import ANY, ResultTable, Section, TableRow, error_in_u
from conformance.reports.text import GLYPHS, format_error, group_by, plural, printable, short_dtype, targets_in_words, truncate
from conformance.results.records import Cell, Outcome, Target

_Measured = TypeVar("_Measured")

_MOST_PANELS = 12
_MOST_OTHER_PANELS = 8
_MOST_LINES = 60
_MOST_GROUPS = 16
_FLOOR = 0.1
"""Errors below this, in u, are drawn on the lowest line: a logarithmic axis has no zero."""
_STEPS = (0.01, 0.1, 0.25, 0.5, 0.9)
"""Shares of the bound at which the heat map's colour changes."""


class Point(NamedTuple):
    """A number of elements, the error there and what is allowed there, in u."""

    n: int
    error: float
    allowed: float | None


class Line(NamedTuple):
    """Targets of one framework whose errors are the same at every n."""

    section: int
    targets: tuple[Target, ...]
    points: tuple[Point, ...]


class Plot(NamedTuple):
    """A picture and the question that it answers."""

    title: str
    picture: Markup


@dataclass(frozen=True)
class _Frame:
    """Logarithmic axes in a rectangle of the picture."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at_x(self, value: float) -> float:
        low, high = (math.log10(v) for v in self.x)
        return round(self.left + self.width * (math.log10(max(value, self.x[0])) - low) / (high - low), 1)

    def at_y(self, value: float) -> float:
        low, high = (math.log10(v) for v in self.y)
        share = (math.log10(min(max(value, self.y[0]), self.y[1])) - low) / (high - low)
        return round(self.top + self.height * (1 - share), 1)


def words_at(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> Markup:
    """Words at a place of a picture."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(round(x, 1), round(y, 1), style, anchor, words)


def svg(width: float, height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """A whole picture; ``label`` says what it shows to those who do not see it."""
    return Markup('<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}" style="--width:{}px">{}</svg>').format(
        label, round(width), round(height), round(width), Markup("").join(parts)
    )


def growth(table: ResultTable) -> list[Plot]:
    """How the error grows with n: a panel for each operation and dtype that a growth check measured."""
    measured: dict[tuple[str, str], dict[tuple[int, tuple[Point, ...]], list[Target]]] = {}
    for place, section in enumerate(table.sections):
        for cell in section.cells:
            if points := _points(cell):
                alike = measured.setdefault((cell.operation, cell.target.dtype), {})
                alike.setdefault((place, points), []).append(cell.target)
    return [
        Plot(
            f"{printable(operation, 60)} · {printable(dtype, 20)}",
            _growth_panel(
                table.sections, [Line(place, tuple(targets), points) for (place, points), targets in lines.items()], operation, dtype
            ),
        )
        for operation, dtype, lines in _in_order(table, measured)[:_MOST_PANELS]
    ]


def _in_order(table: ResultTable, measured: Mapping[tuple[str, str], _Measured]) -> list[tuple[str, str, _Measured]]:
    """What was measured of each operation in each dtype, in the order of the table."""
    pairs = ((operation, dtype) for operation in table.operations for dtype in table.dtypes)
    return [(*pair, measured[pair]) for pair in pairs if pair in measured]


def _points(cell: Cell) -> tuple[Point, ...]:
    """What a growth check measured; of results that hold only its worst error, that one."""
    if cell.outcome is not Outcome.PASS or not cell.check.endswith("/bound/growth"):
        return ()
    if cell.growth:
        return tuple(Point(size.n, size.error_u, size.allowed_u) for size in cell.growth if size.n)
    if cell.witness is None or cell.error_u is None or not math.prod(cell.witness.shape):
        return ()
    allowed = cell.error_u / cell.error_over_bound if cell.error_over_bound else None
    return (Point(math.prod(cell.witness.shape), error_in_u(cell), allowed),)


def _growth_panel(sections: Sequence[Section], lines: Sequence[Line], operation: str, dtype: str) -> Markup:
    points = [point for line in lines for point in line.points]
    most = max([1e6, *(p.n for p in points)])
    highest = 10 ** math.ceil(math.log10(max([100.0, *(min(p.error, 1e9) for p in points)])))
    frame = _Frame(44, 12, 316, 210, (10, most), (_FLOOR, highest))
    worst = sorted(lines, key=lambda line: -max(p.error for p in line.points))
    named = f"{format_error(max(p.error for p in points))} u in {printable(sections[worst[0].section].title, 80)}"
    label = (
        f"Worst error in u against the number of elements n, {printable(operation, 60)} in {printable(dtype, 20)}: "
        f"{len(lines)} different lines, the worst {named}"
    )
    parts = [
        *_axes(frame),
        *_guides(frame, points),
        *(_line(frame, sections, line) for line in worst[:_MOST_LINES][::-1]),
        *_names(frame, sections, worst),
    ]
    return svg(480, 260, label, parts)


def _axes(frame: _Frame) -> list[Markup]:
    right, bottom = frame.left + frame.width, frame.top + frame.height
    powers = range(1, math.floor(math.log10(frame.x[1])) + 1)
    parts = [words_at(frame.at_x(10**p), bottom + 14, f"1e{p}" if p > 3 else str(10**p), "tick", "middle") for p in powers]
    return [*parts, *_levels(frame), words_at(right, bottom + 28, "n", "tick", "end")]


def _levels(frame: _Frame) -> list[Markup]:
    """A line for each power of ten of the error, and the error's unit."""
    parts = []
    for power in range(round(math.log10(frame.y[0])), round(math.log10(frame.y[1])) + 1):
        y = frame.at_y(10.0**power)
        parts.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(frame.left, frame.left + frame.width, y, y))
        parts.append(words_at(frame.left - 5, y + 3, f"1e{power}" if power > 3 else f"{10.0**power:g}", "tick", "end"))
    return [*parts, words_at(4, 9, "u", "tick")]


def _guides(frame: _Frame, points: Sequence[Point]) -> list[Markup]:
    """The upper ends of the grades, and the bound, wherever it was measured."""
    grades: Mapping[str, Callable[[float], float]] = {
        "faithful": lambda _: 2.0,
        "O(1)": lambda _: 2 * CONSTANT_ULP,
        "O(log n)": lambda n: float(tree_height(round(n))),
        "O(√n)": lambda n: 6 * math.sqrt(n),
    }
    ends = [10 ** (1 + k * (math.log10(frame.x[1]) - 1) / 24) for k in range(25)]
    parts = []
    for name, upper in grades.items():
        if drawn := [n for n in ends if upper(n) <= frame.y[1]]:
            path = _polyline(frame, ((n, upper(n)) for n in drawn))
            parts.append(Markup('<polyline class="guide" points="{}"/>').format(path))
            last = name == "O(√n)"  # it begins among the others
            x, y = frame.at_x(drawn[-1 if last else 0]), frame.at_y(upper(drawn[-1 if last else 0]))
            parts.append(words_at(x - 2, y + 9, name, "guide-name", "end") if last else words_at(x + 2, y - 2, name, "guide-name"))
    measured = ((point.n, point.allowed) for point in points if point.allowed is not None)
    allowed = {n: [bound for _, bound in of_n] for n, of_n in group_by(measured, lambda pair: pair[0]).items()}
    shown = _below(sorted((float(n), max(bounds)) for n, bounds in allowed.items()), frame.y[1])
    if len(shown) > 1:
        path = _polyline(frame, shown)
        parts.append(Markup('<polyline class="bound" points="{}"><title>the bound, any order of additions</title></polyline>').format(path))
        parts.append(words_at(frame.at_x(shown[-1][0]) + 4, frame.at_y(shown[-1][1]) + 3, "bound", "bound-name"))
    return parts


def _polyline(frame: _Frame, points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{frame.at_x(x)},{frame.at_y(y)}" for x, y in points)


def _below(curve: Sequence[tuple[float, float]], top: float) -> list[tuple[float, float]]:
    """The beginning of a rising curve, up to where it leaves the frame."""
    inside = [(n, bound) for n, bound in curve if bound <= top]
    if inside and len(inside) < len(curve):
        (n, bound), (next_n, next_bound) = inside[-1], curve[len(inside)]
        if next_bound > bound:
            share = math.log(top / bound) / math.log(next_bound / bound)
            inside.append((n * (next_n / n) ** share, top))
    return inside


def _line(frame: _Frame, sections: Sequence[Section], line: Line) -> Markup:
    where = truncate([printable(words, 120) for words in targets_in_words(line.targets)], 4)
    said = ", ".join(f"{format_error(p.error)} u at n = {p.n:,}" for p in line.points)
    path = _polyline(frame, ((p.n, p.error) for p in line.points))
    dots = Markup("").join(Markup('<circle cx="{}" cy="{}" r="2.5"/>').format(frame.at_x(p.n), frame.at_y(p.error)) for p in line.points)
    title = Markup("<title>{}</title>").format(f"{printable(sections[line.section].title, 80)}: {said} ({where})")
    return Markup('<g class="c{}">{}<polyline points="{}"/>{}</g>').format(line.section % 9, title, path, dots)


def _names(frame: _Frame, sections: Sequence[Section], worst: Sequence[Line]) -> list[Markup]:
    """Each framework's name beside its worst line, at the right, moved apart where they would touch."""
    highest: dict[int, float] = {}
    for line in worst:
        highest.setdefault(line.section, frame.at_y(line.points[-1].error))
    parts, above = [], frame.top - 6.0
    for place, y in sorted(highest.items(), key=lambda item: item[1]):
        above = max(y + 3, above + 11)
        parts.append(words_at(frame.left + frame.width + 6, above, printable(sections[place].title, 18), f"name c{place % 9}"))
    return parts


def bounds(table: ResultTable) -> Plot | None:
    """How much of the bound the worst passing cell takes: operation × target."""
    columns = [(section, row) for section in table.sections for row in section.modes if not row.absent]
    if not columns or not table.operations:
        return None
    left, top, width, height = 168, 108, 38, 20
    parts = []
    for place, (section, row) in enumerate(columns):
        x = left + place * width + 22
        words = f"{printable(section.framework, 20)} {_mode(row)}"
        parts.append(Markup('<text class="tick" transform="translate({} {}) rotate(-50)">{}</text>').format(x, top - 6, words))
    for line, operation in enumerate(table.operations):
        y = top + line * height
        parts.append(words_at(left - 6, y + 14, printable(operation, 28), "tick", "end"))
        for place, (section, row) in enumerate(columns):
            share = max((c.error_over_bound for c in row.at(operation=operation).cells if _measures(c)), default=None)  # type: ignore[type-var]  # checked
            if share is not None:
                title = f"{printable(operation, 60)}, {printable(section.title, 80)} {_mode(row)}: {_percent(share)} of the bound"
                parts.append(_square(left + place * width, y, width, height, share, title))
    label = f"Share of the bound that the worst passing cell takes, {len(table.operations)} operations by {len(columns)} targets"
    return Plot("error / bound", svg(left + len(columns) * width + 60, top + len(table.operations) * height + 8, label, parts))


def _measures(cell: Cell) -> bool:
    return cell.outcome is Outcome.PASS and cell.error_over_bound is not None


def _square(x: float, y: float, width: float, height: float, share: float, title: str) -> Markup:
    step = sum(share > edge for edge in _STEPS)
    return Markup('<g class="h{}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}"/>{}</g>').format(
        step, title, x, y, width - 1, height - 1, words_at(x + width / 2, y + height / 2 + 4, _percent(share), "", "middle")
    )


def _percent(share: float) -> str:
    return "0" if not share else "<1" if share < 0.01 else f"{100 * share:.0f} %" if share <= 10 else ">999 %"


def _mode(row: TableRow) -> str:
    return " ".join(printable(word, 20) for word in (row.device, row.mode) if word not in ("cpu", ANY))


def versions(table: ResultTable) -> list[Plot]:
    """The worst error and the verdict of each version, for frameworks that are there in several."""
    by_framework = group_by(table.sections, lambda section: section.framework)
    return [
        Plot(printable(framework, 60), _versions_panel(framework, sections))
        for framework, sections in by_framework.items()
        if len({section.version for section in sections}) > 1
    ][:_MOST_OTHER_PANELS]


def _versions_panel(framework: str, sections: Sequence[Section]) -> Markup:
    dtypes = list(dict.fromkeys(cell.target.dtype for section in sections for cell in section.cells if cell.target.dtype != ANY))
    worst = {(place, dtype): _worst(section, dtype) for place, section in enumerate(sections) for dtype in dtypes}
    highest = 10 ** math.ceil(math.log10(max([100.0, *(min(w, 1e9) for w in worst.values() if w is not None)])))
    step = 76
    frame = _Frame(44, 12, step * len(sections), 180, (1, 10), (_FLOOR, highest))
    parts = _levels(frame)
    for place, section in enumerate(sections):
        x, bottom = frame.left + step * (place + 0.5), frame.top + frame.height
        verdict = section.verdict if len(section.verdict) < 12 else section.verdict.replace("conforms with ", "")
        parts.append(words_at(x, bottom + 16, f"{GLYPHS[section.state]} {printable(section.version, 12)}", "tick", "middle"))
        parts.append(words_at(x, bottom + 30, verdict, "tick", "middle"))
    for number, dtype in enumerate(dtypes[:9]):
        at = {place: round(frame.left + step * (place + 0.5), 1) for place in range(len(sections))}
        seen = [(place, x, w) for place, x in at.items() if (w := worst[place, dtype]) is not None]
        path = " ".join(f"{x},{frame.at_y(w)}" for _, x, w in seen)
        circle = Markup('<circle cx="{}" cy="{}" r="3"><title>{}</title></circle>')
        dots = Markup("").join(
            circle.format(x, frame.at_y(w), f"{printable(sections[place].title, 80)}, {printable(dtype, 20)}: {format_error(w)} u")
            for place, x, w in seen
        )
        if seen:
            parts.append(Markup('<g class="c{}"><polyline points="{}"/>{}</g>').format(number, path, dots))
            parts.append(words_at(frame.left + frame.width + 6, 20 + 12 * number, short_dtype(dtype), f"name c{number}"))
    label = f"Worst error in u and verdict by version of {printable(framework, 60)}"
    return svg(frame.left + frame.width + 60, frame.top + frame.height + 40, label, parts)


def _worst(section: Section, dtype: str) -> float | None:
    return max(
        (error_in_u(c) for c in section.cells if c.target.dtype == dtype and c.outcome is Outcome.PASS and c.error_u is not None),
        default=None,
    )


def legend(sections: Sequence[Section]) -> Markup:
    """Which colour is whose."""
    return Markup("").join(
        Markup('<span class="key c{}"><svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="4"/></svg> {}</span> ').format(
            place % 9, escape(printable(section.title, 60))
        )
        for place, section in enumerate(sections)
    )


@dataclass(frozen=True)
class IdenticalTargets:
    """Targets whose results are the same at every n that a growth check measured: ``bits`` are their digests."""

    bits: Mapping[int, str]
    targets: tuple[Target, ...]

    def shared(self, other: IdenticalTargets) -> tuple[int, int]:
        """At how many of the numbers of elements that both measured the results are the same, and how many those are."""
        both = self.bits.keys() & other.bits.keys()
        return sum(self.bits[n] == other.bits[n] for n in both), len(both)


def groups(cells: Sequence[Cell]) -> list[IdenticalTargets]:
    """The targets of these cells, those together that agree everywhere; the largest group first."""
    passing = [cell for cell in cells if cell.outcome is Outcome.PASS and any(size.bits for size in cell.growth)]
    alike = group_by(passing, lambda cell: tuple((size.n, size.bits) for size in cell.growth if size.bits))
    found = (IdenticalTargets(dict(bits), tuple(cell.target for cell in members)) for bits, members in alike.items())
    return sorted(found, key=lambda group: -len(group.targets))


def agreement(table: ResultTable) -> list[Plot]:
    """A matrix for each operation and dtype that several targets were measured on."""
    measured = group_by((cell for cell in table.total.cells if cell.growth), lambda cell: (cell.operation, cell.target.dtype))
    found = ((operation, dtype, groups(cells)) for operation, dtype, cells in _in_order(table, measured))
    several = [(operation, dtype, these) for operation, dtype, these in found if sum(len(group.targets) for group in these) > 1]
    return [
        Plot(f"{printable(operation, 60)} · {printable(dtype, 20)}", _panel(these, f"{printable(operation, 60)} in {printable(dtype, 20)}"))
        for operation, dtype, these in several[:_MOST_OTHER_PANELS]
    ]


def _panel(found: Sequence[IdenticalTargets], where: str) -> Markup:
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


def _row(shown: Sequence[IdenticalTargets], line: int, group: IdenticalTargets, place: tuple[int, int, int]) -> Iterator[Markup]:
    left, top, side = place
    y = top + side * line
    name = Markup("<g><title>{}</title>{}</g>")
    yield name.format(
        printable(truncate(targets_in_words(group.targets), 30), 3000), words_at(left - 6, y + 16, _short(group.targets), "tick", "end")
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
    by_framework = group_by(targets, lambda target: target.framework)
    modes = [f"{name} {'/'.join(dict.fromkeys(target.mode for target in held))}" for name, held in by_framework.items()]
    return printable(truncate(modes, 2), 44)
