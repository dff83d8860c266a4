"""A page, opened in Chromium: what the tests of all pages share, and the programs that measure pages and take pictures of them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launched(driver: Playwright) -> Browser:
    """Start the Chromium on PATH or in the variable CHROMIUM, else the one that Playwright has."""
    return driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def opened(browser: Browser, address: str, view: str = "", **options: Any) -> tuple[Any, list[str]]:
    """Open the page and collect everything it says and asks for."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: said.append(f"request: {request.url}") if request.url.partition("#")[0] != address else None)
    page.goto(address + view)
    if options.get("java_script_enabled", True):
        page.wait_for_selector("html[data-ready]")
    return page, said


def texts(page: Any, selector: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(selector).all_text_contents()]


def count(page: Any) -> int:
    """How many cells the view says it shows."""
    return int(page.text_content("#shown").split()[0].replace(",", ""))
