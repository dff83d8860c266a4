"""The changes between two runs as GitHub Markdown: the verdict and the counts, what regressed, and everything else, as far as it fits."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.reports.diff.groups import PRESENCE, ChangeGroup
from conformance.reports.diff.model import HEADINGS, TITLES, Diff
from conformance.reports.diff.pairing import EnvironmentChange
from conformance.reports.diff.transitions import Category
from conformance.reports.markdown import Block, escaped, fitted
from conformance.reports.text import GLYPHS, plural, replay_command, truncate

_MOST_CHECKS = 6
_MOST_TOP = 12
_SHARE = 60_000


def markdown(diff: Diff, *, strict: bool = False) -> str:
    """Render the comparison."""
    return fitted(_blocks(diff, strict=strict), "the comparison as JSON")


def top_changes(diff: Diff) -> Iterator[str]:
    """The comparison for a page that is about something else: the verdict, what hides changes, the environment, the first groups.

    Of what is new only what is broken is told, and nothing of what was removed: both may be most of a run.
    """
    yield f"**{escaped(diff.verdict().capitalize(), 600)}**\n\n"
    yield from _sentences(diff)
    yield from map(_fact, diff.environment[:_MOST_TOP])
    if len(diff.environment) > _MOST_TOP:
        yield f"- … and {len(diff.environment) - _MOST_TOP} more changes of the environment\n"
    yield "\n"
    for category, groups in diff.groups.items():
        told = [group for group in groups if category not in PRESENCE or group.broken]
        if told:
            yield f"### {HEADINGS[category]}\n\n"
            yield from map(_group, told[:_MOST_TOP])
            yield f"- … and {len(told) - _MOST_TOP} more groups\n\n" if len(told) > _MOST_TOP else "\n"


def _blocks(diff: Diff, *, strict: bool) -> Iterator[Block]:
    yield Block("# What changed\n\n", [f"**{escaped(diff.verdict(strict=strict).capitalize(), 600)}**\n"])
    yield Block("", _sentences(diff), "\n")
    yield Block("", _counts(diff))
    for category, groups in diff.groups.items():
        cells = plural(sum(len(group.changes) for group in groups), "cell")
        if category in PRESENCE:
            yield Block(f"<details><summary>{HEADINGS[category]} ({cells})</summary>\n\n", map(_group, groups), "\n</details>\n\n", _SHARE)
        else:
            yield Block(f"## {HEADINGS[category]} ({cells})\n\n", map(_group, groups), "\n", _SHARE)
    if diff.environment:
        yield Block("## Environment\n\n", map(_fact, diff.environment))


def _sentences(diff: Diff) -> Iterator[str]:
    for sentence in diff.hidden:
        yield f"> [!WARNING]\n> **Incomplete**: {escaped(sentence, 600)}.\n\n"
    for sentence in diff.remarks:
        yield f"{escaped(sentence, 1200)}\n\n"


def _counts(diff: Diff) -> Iterator[str]:
    yield "| cells | |\n| ---: | --- |\n"
    yield from (f"| {count:,} | {TITLES[category]} |\n" for category, count in diff.counts.items() if count)


def _fact(change: EnvironmentChange) -> str:
    old, new = (escaped(value, 200) or "none" for value in (change.old, change.new))
    return f"- **{escaped(change.name, 80)}**: {old} → {new} ({escaped(truncate(change.frameworks, 9), 200)})\n"


def _group(group: ChangeGroup) -> str:
    outcome = None if group.category is Category.ANSWER else group.outcomes[1]
    level = " (should)" if group.level == "should" else ""
    where = escaped(truncate(group.where, 3, "groups of targets"))
    lines = [
        f"- {GLYPHS[outcome] if outcome else '·'} **{where}**{level}, {plural(len(group.changes), 'cell')}: {escaped(group.sentence)}\n"
    ]
    lines += [f"  - {escaped(truncate(group.checks, _MOST_CHECKS, 'checks'), 800)}\n"]
    if group.category is Category.REGRESSED:
        lines += [f"  - {escaped(replay_command(group.representative.cell.id), 500)}\n"]
    return "".join(lines)
