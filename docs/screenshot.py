# noqa: INP001 - a program beside the documents, part of no package
"""Take the pictures of README and of the documents, of a report and of a comparison.

    conformance report reports -o /tmp/report
    conformance compare keras torch reports/results --format html -o /tmp/report/compare.html
    python docs/screenshot.py /tmp/report docs

They are ``matrix.png``, the first screen; ``cell.png``, a cell that was opened; ``plots.png``; and ``compare.png``. Needs Playwright and a
Chromium on PATH (or in the variable CHROMIUM).
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "reports"))
from browsing import launched

WIDTH, HEIGHT = 1280, 900
MARGIN = 20
CELL = "#?operation=mse%2Fmean&framework=tensorflow&outcome=deviation&q=case"
"""The view of which the first cell is opened."""


def screenshots(report: Path, folder: Path) -> None:
    """Write the pictures of a folder with a report and a comparison."""
    with sync_playwright() as driver:
        browser = launched(driver)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", device_scale_factor=1.25)
        address = (report / "index.html").resolve().as_uri()
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        _clipped(page, "#matrix-table", folder / "matrix.png")
        page.locator("section[aria-labelledby=plots]").screenshot(path=folder / "plots.png")
        page.goto(address + CELL)
        page.click("#cells-table a >> nth=0")
        page.locator("#cell").screenshot(path=folder / "cell.png")
        page.goto((report / "compare.html").resolve().as_uri())
        page.screenshot(path=folder / "compare.png")
        browser.close()


def _clipped(page: Page, last: str, picture: Path) -> None:
    """The whole width of the page from its top, down to the end of an element."""
    end = page.evaluate("(last) => document.querySelector(last).getBoundingClientRect().bottom", last)
    page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": end + MARGIN})


if __name__ == "__main__":
    screenshots(Path(sys.argv[1]), Path(sys.argv[2]))
