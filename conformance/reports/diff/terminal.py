"""The changes between two runs in a terminal: what the runs were, what regressed first, everything else after it, the counts at the end."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from conformance.reports.diff.groups import ChangeGroup
from conformance.reports.diff.model import HEADINGS, Diff
from conformance.reports.diff.transitions import Category
from conformance.reports.terminal import hanging, indented, print_parts
from conformance.reports.text import plural, printable, replay_command, truncate

_MOST_GROUPS = {Category.REGRESSED: 40, Category.NEW: 6, Category.REMOVED: 6}
_MOST_OTHER_GROUPS = 12
_MOST_CHECKS = 4
_MOST_FACTS = 12


def show(diff: Diff, console: Console, *, strict: bool = False) -> None:
    """Print the comparison to the console."""
    print_parts(_parts(diff, strict=strict), console)


def _parts(diff: Diff, *, strict: bool) -> Iterator[RenderableType]:
    for sentence in diff.hidden:
        yield Text(f"INCOMPLETE: {sentence}.", "bold red")
    for sentence in diff.remarks:
        yield Text(sentence, "yellow")
    if diff.environment:
        yield Text("Environment", "bold")
        for change in diff.environment[:_MOST_FACTS]:
            names = printable(truncate(change.frameworks, 4), 80)
            yield indented(f"{printable(change.name, 40)}: {_or_none(change.old)} → {_or_none(change.new)} ({names})", 2)
        if len(diff.environment) > _MOST_FACTS:
            yield indented(f"… and {len(diff.environment) - _MOST_FACTS} more", 2)
    for category, groups in diff.groups.items():
        yield Text(f"\n{HEADINGS[category]}", "bold")
        most = _MOST_GROUPS.get(category, _MOST_OTHER_GROUPS)
        for group in groups[:most]:
            yield from _group(group)
        if len(groups) > most:
            cells = sum(len(group.changes) for group in groups[most:])
            yield indented(f"… and {len(groups) - most} more groups ({plural(cells, 'cell')}): --format markdown or json", 2)
    yield Text(f"\n{diff.verdict(strict=strict)}", "bold")


def _or_none(value: str) -> str:
    return printable(value, 80) or "none"


def _group(group: ChangeGroup) -> Iterator[RenderableType]:
    where = f"{truncate(group.where, 3, 'groups of targets')} ({plural(len(group.changes), 'cell')})"
    outcome = None if group.category is Category.ANSWER else group.outcomes[1]
    yield hanging(outcome, Text(where, "bold") + Text(" should" if group.level == "should" else ""))
    yield indented(printable(group.sentence, 340))
    yield indented(printable(truncate(group.checks, _MOST_CHECKS, "checks"), 400))
    if group.category is Category.REGRESSED:
        yield indented(replay_command(group.representative.cell.id, 300))
