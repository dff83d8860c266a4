# noqa: INP001 - a program beside the documents, part of no package
"""Take the picture of the README: the matrix at the top of a report.

    conformance report reports -o /tmp/report && python docs/screenshot.py /tmp/report/index.html docs/matrix.png

Needs Playwright and a Chromium on PATH (or in the variable CHROMIUM).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH = 1280
MARGIN = 20


def screenshot(report: Path, picture: Path) -> None:
    """Write the part of the page from its top to the end of the matrix."""
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light", device_scale_factor=1.25)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        end = page.evaluate("document.getElementById('matrix-table').getBoundingClientRect().bottom")
        page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": end + MARGIN})
        browser.close()


if __name__ == "__main__":
    screenshot(Path(sys.argv[1]), Path(sys.argv[2]))
