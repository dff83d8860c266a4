"""Writing the reports into a folder, each file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from conformance.reports.background import Background
from conformance.reports.badges import badges
from conformance.reports.diff.markdown import top_changes
from conformance.reports.diff.model import Diff
from conformance.reports.html import page
from conformance.reports.junit import junit
from conformance.reports.markdown import markdown
from conformance.reports.table import Table


def write_all(
    table: Table, folder: Path, background: Background | None = None, *, diff: Diff | None = None, strict: bool = False
) -> list[Path]:
    """Write every report of a table, and a folder of badges, and return their paths.

    With a comparison to an earlier run, the page, ``matrix.md`` and ``table.json`` say what changed.

    The background is what the page may say of the checks beyond the results.
    """
    summary = table.summary() | ({"changes": diff.as_dict(strict=strict)} if diff else {})
    reports = {
        "index.html": page(table, background, diff),
        "matrix.md": markdown(table, top_changes(diff) if diff else ()),
        "table.json": json.dumps(summary, indent=1, allow_nan=False) + "\n",
        "junit.xml": junit(table, strict=strict),
    }
    small = folder / "badges"
    small.mkdir(parents=True, exist_ok=True)
    for badge in badges(table):
        write_text(small / f"{badge.name}.svg", badge.svg)
        write_text(small / f"{badge.name}.json", badge.endpoint)
    return [*(write_text(folder / name, text) for name, text in reports.items()), small]


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
