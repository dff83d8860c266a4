"""Writing the reports into a folder, each file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.reports.badges import BADGE_NAME, badges
from conformance.reports.diff.markdown import top_changes
from conformance.reports.diff.model import Diff
from conformance.reports.junit import junit
from conformance.reports.markdown import markdown
from conformance.reports.page.page import page
from conformance.reports.table import ResultTable

if TYPE_CHECKING:
    from conformance.reports.background import Background  # imports the checks


def write_all(
    table: ResultTable, folder: Path, background: Background | None = None, *, diff: Diff | None = None, strict: bool = False
) -> list[Path]:
    """Write every report of a table, and a folder of badges, and return their paths.

    Badges of the last report in the folder that this one does not have are deleted.

    With a comparison to an earlier run, the page, ``matrix.md`` and ``table.json`` say what changed.

    The background is what the page may say of the checks beyond the results.
    """
    drawn = {badge.name: badge for badge in badges(table)}
    summary = table.summary() | {"badges": list(drawn)} | ({"changes": diff.as_dict(strict=strict)} if diff else {})
    reports = {
        "index.html": page(table, background, diff),
        "matrix.md": markdown(table, top_changes(diff) if diff else ()),
        "table.json": json.dumps(summary, indent=1, allow_nan=False) + "\n",
        "junit.xml": junit(table, strict=strict),
    }
    small = folder / "badges"
    small.mkdir(parents=True, exist_ok=True)
    for badge in drawn.values():
        write_text(small / f"{badge.name}.svg", badge.svg)
        write_text(small / f"{badge.name}.json", badge.endpoint)
    _delete_others(folder, small, drawn)
    return [*(write_text(folder / name, text) for name, text in reports.items()), small]


def _delete_others(folder: Path, small: Path, drawn: Collection[str]) -> None:
    """Delete the badges that the last report in the folder made, as its ``table.json`` says, and this one did not; nothing else."""
    try:
        made = json.loads((folder / "table.json").read_text("utf-8")).get("badges", [])
        gone = [name for name in made if BADGE_NAME.fullmatch(name) and name not in drawn]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return  # there was no report, or somebody wrote something else there
    for name in gone:
        for kind in ("svg", "json"):
            path = small / f"{name}.{kind}"
            if path.is_file():
                path.unlink()


def write_text(path: Path, text: str) -> Path:
    """Replace the file in one step, so that nobody reads half a report."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
