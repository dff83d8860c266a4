"""Writing the reports into a folder, each file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.reports.background import Background
from conformance.reports.html import page
from conformance.reports.markdown import markdown
from conformance.reports.table import Table
from conformance.results import Results, merge


def write_all(results: Sequence[Results], folder: Path, background: Background | None = None) -> list[Path]:
    """Write ``index.html``, ``matrix.md`` and ``table.json`` for these results and return their paths.

    The background is what the page may say of the checks beyond the results.

    Raises:
        ResultsError: the results were judged by different specs.
    """
    table = Table.of(merge(results))
    reports = {
        "index.html": page(table, background),
        "matrix.md": markdown(table),
        "table.json": json.dumps(table.summary(), indent=1, allow_nan=False) + "\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / name, text) for name, text in reports.items()]


def _write(path: Path, text: str) -> Path:
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
