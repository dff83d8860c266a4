"""How heavy the page of a report is, and how quick: its size, the time to its first paint, the times of its filters, in Chromium.

    python benchmarks/page.py --cells 50000
    python benchmarks/page.py conformance-results/results --format json

Needs Playwright and a Chromium on PATH (or in the variable CHROMIUM). The figures are printed, and no test holds them to anything.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright

from conformance.reports.background import Background
from conformance.reports.page.page import page
from conformance.reports.table import ResultTable
from conformance.results.merging import find, merge
from conformance.results.reading import Results, read
from conformance.specs.load import load

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "reports"))
from browsing import launched

VIEWS = {
    "outcome": "#?outcome=fail",
    "free text": "#?q=gradient+float32",
    "operation and framework": "#?operation=mse%2Fmean&framework=torch",
    "targets disagree": "#?differ=disagree",
    "everything again": "#?",
}
REPEATS = 5
_PAINT = "performance.getEntriesByType('paint').find((entry) => entry.name === 'first-contentful-paint')?.startTime"
_TIMED = """async (view) => {
  const started = performance.now();
  location.hash = view;
  await new Promise((done) => addEventListener("hashchange", () => setTimeout(done), { once: true }));
  const drawn = performance.now() - started;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [drawn, performance.now() - started];
}"""


def made_up(cells: int) -> list[Results]:
    """The run of the reports' tests, again and again under other names, until there are so many cells."""
    from test_reports_cells import many

    return list(many(cells))


def measure(address: str) -> dict[str, Any]:
    """Open the page and time what a reader waits for, in milliseconds; of the filters the median of some repeats."""
    with sync_playwright() as driver:
        browser = launched(driver)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        started = time.perf_counter()
        opened.goto(address)
        opened.wait_for_selector("html[data-ready]")
        ready = 1000 * (time.perf_counter() - started)
        found = {"first paint": opened.evaluate(_PAINT), "ready to filter": ready, "filters": filters(opened)}
        browser.close()
    return found


def filters(opened: Page) -> dict[str, dict[str, float]]:
    """The time until a view is drawn, and until it is painted."""
    times: dict[str, list[list[float]]] = {name: [] for name in VIEWS}
    for _ in range(REPEATS):
        for name, view in VIEWS.items():
            times[name].append(opened.evaluate(_TIMED, view))
    return {
        name: {kind: round(statistics.median(pair[at] for pair in pairs), 1) for at, kind in enumerate(("drawn", "painted"))}
        for name, pairs in times.items()
    }


@click.command()
@click.argument("results", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--cells", type=click.IntRange(min=1), default=50_000, show_default=True, help="Of a made-up run, without RESULTS.")
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(results: tuple[Path, ...], cells: int, as_format: str) -> None:
    """Print the size of the page of RESULTS, or of a made-up run, and how quick it is."""
    table = ResultTable.of(merge(read(path) for path in find(results)) if results else made_up(cells))
    started = time.process_time()
    text = page(table, Background.of(load()))
    rendered = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.html")
        path.write_text(text, "utf-8")
        found = {
            "cells": table.total.tally.total,
            "size in kB": round(len(text.encode()) / 1000),
            "rendering, seconds of CPU": round(rendered, 1),
            **measure(path.as_uri()),
        }
    if as_format == "json":
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        if isinstance(value, dict):
            for what, parts in value.items():
                click.echo(f"{what:<26} {parts['drawn']:>8.1f} ms to draw, {parts['painted']:.1f} ms until painted")
        else:
            click.echo(f"{name:<26} {value:>8,.1f}" + (" ms" if name in ("first paint", "ready to filter") else ""))


if __name__ == "__main__":
    main()
