"""What the page says of changes since an earlier run, if there was one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import count, opened, texts
from sample_background import SampleBackground
from sample_run import full_run

from conformance.reports.diff.model import Diff
from conformance.reports.page import page as html
from conformance.reports.table import ResultTable
from conformance.results.reading import Results
from conformance.results.records import Outcome

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def since(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Diff]:
    """The page of the made-up run, beside one in which two cells of JAX had other outcomes."""
    before = full_run()
    jax = next(number for number, part in enumerate(before) if part.header.environment.framework == "jax")
    passing = [c for c in before[jax].cells if c.outcome is Outcome.PASS and c.kind == "law"]
    was = {
        passing[0].id: passing[0].model_copy(update={"outcome": Outcome.FAIL, "reason": "found 1 <b>, expected 2"}),
        passing[1].id: passing[1].model_copy(update={"outcome": Outcome.NOT_RUN, "reason": "left out"}),
    }
    old = list(before)
    part = before[jax]
    old[jax] = Results(part.path, part.header, tuple(was.get(c.id, c) for c in part.cells), part.footer)
    diff = Diff.of(old, before)
    path = tmp_path_factory.mktemp("since") / "index.html"
    path.write_text(html.page(ResultTable.of(before), SampleBackground(), diff), "utf-8")
    return path.as_uri(), diff


def test_what_changed_since_an_earlier_run_is_told_and_can_be_filtered(browser: Browser, since: tuple[str, Diff]) -> None:
    address, diff = since
    page, said = opened(browser, address)
    assert texts(page, "#changes ~ p")[0].startswith(diff.verdict()[:20])
    assert {c.category.value for c in diff.changes} == {"fixed", "new"}
    page.select_option("[name=since]", "any")
    assert count(page) == 2
    page.select_option("[name=since]", "fixed")
    assert page.evaluate("location.hash") == "#?since=fixed"
    assert count(page) == 1
    assert "before: fail: found 1 <b>, expected 2" in texts(page, "#cells-table tbody tr")[0]
    page.click("#cells-table a >> nth=0")
    assert "since the run before fixed; it was: fail: found 1 <b>" in " ".join(texts(page, "#cell tr")).replace(
        "beforefixed", "before fixed"
    )
    assert said == []


def test_an_audit_finds_nothing_in_what_changed_either(browser: Browser, since: tuple[str, Diff]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page, _ = opened(browser, since[0], "#?since=any")
    violations = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in violations] == []


def test_without_an_earlier_run_nothing_is_said_of_changes(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(html.page(ResultTable.of(full_run()), SampleBackground()), "utf-8")
    page, _ = opened(browser, path.as_uri())
    assert page.locator("#changes").count() == page.locator("[name=since]").count() == 0
