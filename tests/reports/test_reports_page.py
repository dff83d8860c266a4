"""The page in a browser: no request, no console message, readable without scripts, contrast that can be read."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from sample_run import full_run

from conformance.reports import write_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH (or in CHROMIUM): the page is not opened")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reports")
    write_all(full_run(complete=False), folder)
    return (folder / "index.html").as_uri()


def opened(browser: Browser, address: str, **options: Any) -> tuple[Any, list[str]]:
    """Open the page and collect everything it says and asks for."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: said.append(f"request: {request.url}") if request.url.partition("#")[0] != address else None)
    page.goto(address)
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_makes_no_request_and_says_nothing_to_the_console(browser: Browser, address: str, scheme: str) -> None:
    page, said = opened(browser, address, color_scheme=scheme)
    page.click("#worst-first")
    page.goto(f"{address}#framework-1")
    page.wait_for_timeout(200)
    assert said == []


def test_a_link_into_a_folded_part_unfolds_it_and_worst_first_reorders(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    first = "document.querySelector('#matrix-table tbody .head a').textContent"
    assert page.evaluate(first) == "jax 0.10.2"
    page.click("#worst-first")
    assert page.evaluate(first) == "torch 2.13.0+cpu"
    page.click("#worst-first")
    assert page.evaluate(first) == "jax 0.10.2"
    page.click("#matrix-table tbody .head a")
    assert page.is_visible("#framework-1 table")


def test_without_scripts_all_tables_are_there(browser: Browser, address: str) -> None:
    page, said = opened(browser, address, java_script_enabled=False)
    assert said == []
    assert page.is_visible("#matrix-table")
    assert not page.is_visible("#worst-first")
    page.click("#framework-1 > summary")
    assert page.is_visible("#framework-1 table")


def test_the_page_fits_a_phone(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def _luminance(colour: str) -> float:
    colour = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_text_has_contrast(scheme: int) -> None:
    css = files("conformance.reports").joinpath("page.css").read_text("utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme]))
    for text in ("ink", "soft", "pass", "fail", "error", "deviation", "muted"):
        for ground in ("paper", "panel"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["pass"], colours["pass-tint"]) >= 4.5
    assert contrast(colours["on"], colours["fail"]) >= 4.5
    assert contrast(colours["on"], colours["error"]) >= 4.5
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
