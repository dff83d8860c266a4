# noqa: INP001 - a program beside the documents, part of no package
"""What changed between neighbouring versions, from the results files in ``reports/versions``.

    python docs/version_changes.py            # exit 1 if the list in versions.md is stale
    python docs/version_changes.py --update   # writes it
    python docs/version_changes.py --update --from .tox/matrix   # first takes over the results that `tox -m matrix` left there

Every group of alike changes is one line, with the cell that shows it. What is new or gone, since an entry point is, is counted only.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from conformance.reports.diff.groups import ChangeGroup
from conformance.reports.diff.model import TITLES, Diff
from conformance.reports.diff.transitions import Category
from conformance.reports.text import plural
from conformance.results.reading import Results, read
from conformance.specs.grammar import MATRIX, MatrixTable
from conformance.specs.load import specs_root
from conformance.specs.targets import read_targets
from conformance.versions.not_run import NOT_RUN

HERE = Path(__file__).resolve().parent
PAGE = HERE / "versions.md"
RESULTS = HERE.parent / "reports" / "versions"
BEGIN, END = "<!-- changes: python docs/version_changes.py --update -->\n", "<!-- end of changes -->\n"
_COUNTED = (Category.NEW, Category.REMOVED)
_MOST = 160
"""Characters of an explanation: the rest is in the cell."""


def changes() -> str:
    """The whole list, as Markdown."""
    tables = [table for table in read_targets(specs_root()).tables if table.label == MATRIX]
    return "\n".join(line for table in tables for line in _of(table))


def _of(table: MatrixTable) -> Iterator[str]:
    found = [(version, RESULTS / f"{table.name}-v{version}.jsonl.gz") for version in table.versions]
    there = [(version, read(path)) for version, path in found if path.exists()]
    for (old, before), (new, after) in pairwise(there):
        yield from _between(f"{table.name} {old} → {new}", before, after)


def _between(title: str, before: Results, after: Results) -> Iterator[str]:
    diff = Diff.of([before], [after])
    told = {category: groups for category, groups in diff.groups.items() if category not in _COUNTED}
    counted = [f"{count} {TITLES[category]}" for category in _COUNTED if (count := diff.counts[category])]
    yield f"### {title}\n"
    if not told:
        yield f"Nothing that is judged or recorded changed in {diff.compared:,} cells{'; ' + ', '.join(counted) if counted else ''}.\n"
        return
    for category, groups in told.items():
        yield from (_line(category, group) for group in groups)
    yield f"\n{diff.unchanged:,} cells unchanged{'; ' + ', '.join(counted) if counted else ''}.\n"


def _line(category: Category, group: ChangeGroup) -> str:
    said = group.sentence.replace("`", "'").replace("|", "¦").replace("<", "‹").replace("\n", " ")
    short = said if len(said) <= _MOST else f"{said[:_MOST]}…"
    return f"- **{TITLES[category]}**, {plural(len(group.changes), 'cell')}: {short}\n  `{group.representative.cell.id}`"


def take_over(folder: Path) -> None:
    """Pack what the environments of the matrix left in ``folder``; a run that was cut off is left where it is."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for environment in read_targets(specs_root()).environments():
        for file in (folder / environment.name / "results").glob("*.jsonl"):
            results = read(file)
            if results.complete and results.header.run != NOT_RUN:
                (RESULTS / f"{environment.name}.jsonl.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


@click.command()
@click.option("--update", is_flag=True, help="Write the list; without it, exit 1 if it is stale.")
@click.option("--from", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Take over results from here first.")
def main(update: bool, folder: Path | None) -> None:  # noqa: FBT001 - click passes it
    """Compare versions.md with the results files, or bring it up to them."""
    if folder:
        take_over(folder)
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    now = f"{head}{BEGIN}\n{changes()}\n{END}{rest.partition(END)[2]}"
    if update:
        PAGE.write_text(now, encoding="utf-8", newline="\n")
    elif now != text:
        raise click.ClickException("versions.md is stale: python docs/version_changes.py --update")


if __name__ == "__main__":
    main()
