"""The page in a browser: no request, no console message, readable without scripts, views that can be linked, cells that open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from browsing import count, opened, texts
from sample_background import THIRDS, SampleBackground
from sample_run import DTYPES, full_run
from test_reports_rendering import HOSTILE, hostile_results

from conformance.reports.page import page as html
from conformance.reports.page.cells import encode
from conformance.reports.page.matrix import by_operation
from conformance.reports.reproduce import reproducer
from conformance.reports.table import ResultTable
from conformance.reports.text import printable
from conformance.results.reading import Results
from conformance.results.records import Cell, Footer, Outcome

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def everything() -> list[Results]:
    """The made-up run, of one framework an older version, and questions that are answered in two ways."""
    parts = full_run(complete=False)
    torch = next(part for part in parts if part.header.environment.framework == "torch")
    older = [cell.model_copy(update={"target": cell.target.model_copy(update={"version": "1.0"})}) for cell in torch.cells]
    question = {"kind": "behaviour", "check": "mse/mean/behaviour/lists", "reason": "Python lists", "outcome": Outcome.PASS}
    asked = [part.cells[0].model_copy(update=question | {"answer": part.cells[0].target.framework[:1]}) for part in parts]
    return [*parts, _part(torch, older), _part(torch, asked)]


def _part(like: Results, cells: list[Cell]) -> Results:
    header = like.header.model_copy(update={"run": f"another-{len(cells)}"})
    return Results(like.path, header, tuple(cells), Footer(cells=len(cells), counts={}, seconds=1.0))


@pytest.fixture(scope="module")
def table() -> ResultTable:
    return ResultTable.of(everything())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, table: ResultTable) -> str:
    path = tmp_path_factory.mktemp("reports") / "index.html"
    path.write_text(html.page(table, SampleBackground()), "utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_makes_no_request_and_says_nothing_to_the_console(browser: Browser, address: str, scheme: str) -> None:
    page, said = opened(browser, address, color_scheme=scheme)
    page.click("#worst-first")
    page.fill("[name=q]", "thirds")
    page.click("#cells-table a >> nth=0")
    page.keyboard.press("Escape")
    page.goto(f"{address}#framework-1")
    page.wait_for_timeout(200)
    assert said == []


def test_scripts_draw_the_matrix_that_is_there_without_them(browser: Browser, address: str) -> None:
    """Two renderings of one table: the same signs, words, figures and counts, place by place."""
    words = "[c.textContent.replace(/\\s+/g, ''), c.querySelector('[aria-label]')?.ariaLabel]"
    shown = f"[...document.querySelectorAll('#matrix-table :is(td, th)')].map(c => {words})"
    bare, _ = opened(browser, address, java_script_enabled=False)
    drawn, _ = opened(browser, address)
    there = bare.evaluate(shown)
    assert drawn.evaluate(shown) == there
    assert len(there) > 30
    classes = "[...document.querySelectorAll('#matrix-table i, #matrix-table b')].map(e => e.className)"
    assert drawn.evaluate(classes) == bare.evaluate(classes)


def test_a_link_into_a_folded_part_unfolds_it(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "#operation-2")
    assert page.is_visible("#operation-2 table")
    assert not page.is_visible("#operation-1 table")
    page.goto(f"{address}#framework-1")
    page.wait_for_selector("#framework-1 table")


def test_worst_first_reorders_rows_and_columns_and_back(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    before = texts(page, "#matrix-table thead th a")
    assert before[0].endswith("jax")
    page.click("#worst-first")
    assert texts(page, "#matrix-table thead th a")[0].endswith("torch")
    assert page.evaluate("location.hash") == "#?sort=worst"
    page.click("#worst-first")
    assert texts(page, "#matrix-table thead th a") == before


@pytest.mark.parametrize(
    ("name", "value", "agrees"),
    [
        ("outcome", "fail", lambda cell: cell.outcome is Outcome.FAIL),
        ("operation", "mse/sum", lambda cell: cell.operation == "mse/sum"),
        ("quantity", "value", lambda cell: cell.quantity == "value"),
        ("framework", "tensorflow", lambda cell: cell.target.framework == "tensorflow"),
        ("framework", "torch 1.0", lambda cell: (cell.target.framework, cell.target.version) == ("torch", "1.0")),
        ("mode", "compile", lambda cell: cell.target.mode == "compile"),
        ("dtype", "bfloat16", lambda cell: cell.target.dtype == "bfloat16"),
    ],
)
def test_a_filter_keeps_what_it_names(
    browser: Browser, address: str, table: ResultTable, name: str, value: str, agrees: Callable[[Cell], bool]
) -> None:
    page, _ = opened(browser, address)
    page.select_option(f"[name={name}]", value)
    assert count(page) == sum(map(agrees, table.total.cells)) > 0
    page.click("#everything")
    assert page.evaluate("location.hash") == "#?"
    assert page.input_value(f"[name={name}]") == ""


def test_free_text_is_found_in_checks_targets_reasons_and_flags(browser: Browser, address: str, table: ResultTable) -> None:
    page, _ = opened(browser, address)
    for words, agrees in {
        "SUBNORMALS jit": lambda c: "subnormals" in c.id and "/jit/" in c.id,
        "inductorerror": lambda c: "InductorError" in c.reason,
        "computes in float32": lambda c: "computes in float32" in c.flags,
        "no such thing": lambda _: False,
    }.items():
        page.fill("[name=q]", words)
        page.wait_for_url(re.compile(re.escape(urlencode({"q": words}))))
        assert count(page) == sum(map(agrees, table.total.cells)), words


def disagreeing(cells: Iterable[Cell], *, one: bool) -> int:
    """The same comparison, done here: outcomes of frameworks for one check, quantity and dtype."""
    order = [Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.PASS]
    places: dict[tuple[str, str, str], dict[tuple[str, str], int]] = {}
    judged = [cell for cell in cells if cell.outcome in order]
    for cell in judged:
        worst = places.setdefault((cell.check, cell.quantity, cell.target.dtype), {})
        who = (cell.target.framework, cell.target.version)
        worst[who] = min(order.index(cell.outcome), worst.get(who, 9))
    found = set()
    for place, worst in places.items():
        counts = Counter(worst.values())
        if len(counts) == 2 and len(worst) > 2 and 1 in counts.values() if one else len(counts) > 1:
            found.add(place)
    return sum((cell.check, cell.quantity, cell.target.dtype) in found for cell in judged)


@pytest.mark.parametrize("how", ["disagree", "one"])
def test_where_frameworks_differ_can_be_singled_out(browser: Browser, address: str, table: ResultTable, how: str) -> None:
    page, _ = opened(browser, address)
    page.select_option("[name=differ]", how)
    assert count(page) == disagreeing(table.total.cells, one=how == "one") > 0
    page.select_option("[name=mode]", "eager")
    eager = [cell for cell in table.total.cells if cell.target.mode == "eager"]
    assert count(page) == disagreeing(eager, one=how == "one")


def test_a_place_opens_to_implementations_and_a_view_can_be_linked(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.click("#matrix-table tbody tr:nth-child(1) td:has(.e) a")
    page.wait_for_selector("#path:not([hidden])")
    assert sorted(texts(page, "#matrix-table tbody th a")) == ["MSELoss.mean", "mse_loss.mean", "written-out.mean"]
    assert texts(page, "#matrix-table thead th a") == ["value", "gradient/prediction", "gradient/target"]
    hash_ = page.evaluate("location.hash")
    again, _ = opened(browser, address, hash_)
    assert texts(again, "#matrix-table") == texts(page, "#matrix-table")
    assert again.input_value("[name=operation]") == "mse/mean"
    page.go_back()
    page.wait_for_selector("#path", state="hidden")
    assert "operation" not in page.evaluate("location.hash")


# An address to wait for: an expression that is asked of the page a second time is refused by the page's own security policy.
NO_CELL = re.compile("^(?!.*cell=)")
FAILING = "mse/mean/bound/extremes:value@keras-torch/MeanSquaredError.mean/cpu/eager/float64"


def test_a_cell_opens_to_all_there_is_to_know(browser: Browser, address: str, table: ResultTable) -> None:
    page, _ = opened(browser, address, "#?outcome=fail&framework=keras-torch&operation=mse%2Fmean")
    page.click("#cells-table a:text('bound/extremes')")
    shown = page.text_content("#cell")
    cell = next(cell for cell in table.total.cells if cell.id == FAILING)
    for words in (
        "fail:",
        "Because of extremes.",
        "specs/mse/mean/bound/extremes.toml, as the specs are now: the results were judged by others",
        "A wrong loss.",
        printable(cell.reason),
        "keras.losses.MeanSquaredError",
        "0x1.921fb54442d18p+1 3.141592653589793",
        "0x1.921fb54442d18p+3 12.566370614359172",
        "together 3.5 u",
        "sum: 1 in float64 Additions round.",
        f"conformance explain {FAILING}",
        f"conformance replay {FAILING}",
    ):
        assert words in shown, words
    assert page.locator("#cell pre").last.text_content() == reproducer(cell, table.entry(cell))
    linked, _ = opened(browser, address, page.evaluate("location.hash"))
    assert linked.text_content("#cell") == shown
    linked.keyboard.press("Escape")
    linked.wait_for_url(NO_CELL)
    assert not linked.is_visible("#cell")


def test_a_pinned_case_that_passes_shows_the_inputs_of_its_spec(browser: Browser, address: str, table: ResultTable) -> None:
    identifier = "mse/mean/case/thirds:value@jax/written-out.mean/cpu/jit/float32"
    page, _ = opened(browser, address, f"#?cell={quote(identifier, safe='')}")
    shown = page.text_content("#cell")
    assert "exactly11/3" in shown
    assert "0x1.8p+0 1.5 -0x1p+1 -2.0 0x1p-2 0.25 nan" in shown
    cell = next(cell for cell in table.total.cells if cell.id == identifier)
    program = reproducer(cell.model_copy(update={"witness": THIRDS.model_copy(update={"expected": "11/3"})}), table.entry(cell))
    assert page.locator("#cell pre").last.text_content() == program.replace("element 0: 11/3", "11/3")


def test_a_cell_that_is_not_there_is_said_not_to_be(browser: Browser, address: str) -> None:
    page, said = opened(browser, address, "#?cell=%3Cb%3Enobody")
    assert page.text_content("#shown") == "no cell <b>nobody in these results"
    assert not page.is_visible("#cell")
    assert said == []


def test_arrow_keys_move_between_places_and_enter_opens_one(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.focus("#matrix-table tbody tr:nth-child(1) th a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    at = "[document.activeElement.closest('tr').rowIndex, document.activeElement.closest('td').cellIndex]"
    assert page.evaluate(at) == [2, 1]
    page.keyboard.press("Enter")
    page.wait_for_selector("#path:not([hidden])")
    assert page.evaluate("location.hash") == "#?operation=mse%2Fsum&framework=jax"


def test_without_scripts_all_tables_are_there(browser: Browser, address: str, table: ResultTable) -> None:
    page, said = opened(browser, address, java_script_enabled=False)
    assert said == []
    assert page.is_visible("#matrix-table")
    assert not page.is_visible("#filters")
    page.click("#matrix-table tbody tr:nth-child(1) th a")
    page.click("#operation-1 > summary")
    assert page.is_visible("#operation-1 table")
    bodies = page.locator("#operations ~ details tbody")
    rows = bodies.evaluate_all(
        "all => all.flatMap((body) => [...body.rows].slice(1).map((row) => [body, row].map((x) => x.querySelector('th').textContent)))"
    )
    told = sum((title.count(",") + 1) * (row.count(",") + 1) for title, row in rows)  # versions and modes that are alike share a row
    assert told == sum(row.implementation != "*" for section in table.sections for row in section.rows)
    assert len(rows) < told
    assert page.locator(".plot").count() > 4


def test_the_matrix_of_the_sample_fits_a_screen_and_the_page_a_phone(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    assert page.evaluate("document.getElementById('matrix-table').getBoundingClientRect().bottom") <= 900
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(f"{address}#?cell={quote(FAILING, safe='')}")
    page.wait_for_selector("#cell[open]")
    assert page.evaluate("document.getElementById('cell').scrollWidth") <= 360


def test_on_paper_there_is_no_control(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.emulate_media(media="print")
    assert not page.is_visible("#filters")
    assert page.is_visible("#matrix-table")


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 4))
def test_hostile_text_is_shown_as_text_by_scripts_too(browser: Browser, tmp_path: Path, first: int) -> None:
    table = ResultTable.of([hostile_results(HOSTILE[first:] + HOSTILE[:first])])
    path = tmp_path / "index.html"
    path.write_text(html.page(table, SampleBackground()), "utf-8")
    page, said = opened(browser, path.as_uri(), "#?q=0")
    tags = "new Set([...document.querySelectorAll('#matrix-table *, #cells-table *, dialog *')].map(e => e.tagName))"
    allowed = {
        "THEAD",
        "TBODY",
        "TR",
        "TH",
        "TD",
        "A",
        "I",
        "B",
        "SPAN",
        "CODE",
        "BUTTON",
        "H2",
        "P",
        "TABLE",
        "PRE",
        "DETAILS",
        "SUMMARY",
        "UL",
        "LI",
    }
    rows = page.locator("#cells-table tbody tr").count()
    assert rows > 0
    for row in range(min(rows, 6)):
        page.evaluate(f"document.querySelectorAll('#cells-table tbody a')[{row}].click()")
        page.wait_for_selector("#cell[open]")
        assert set(page.evaluate(f"[...{tags}]")) <= allowed
        page.keyboard.press("Escape")
        page.wait_for_selector("#cell", state="hidden")
        page.wait_for_url(NO_CELL)  # the page hears of it after it is seen
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "view", ["", "#?operation=mse%2Fmean&framework=tensorflow", f"#?cell={quote(FAILING, safe='')}"], ids=["all", "place", "cell"]
)
def test_an_audit_of_accessibility_finds_nothing(browser: Browser, address: str, scheme: str, view: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page, _ = opened(browser, address, view, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    violations = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in violations] == []


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
    css = files("conformance.reports.page").joinpath("page.css").read_text("utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme]))
    for text in ("ink", "soft", "pass", "fail", "error", "deviation", "muted"):
        for ground in ("paper", "panel"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["pass"], colours["pass-tint"]) >= 4.5
    for colour in [f"c{number}" for number in range(9)]:
        assert contrast(colours[colour], colours["paper"]) >= 4.5, colour
    assert contrast(colours["on"], colours["fail"]) >= 4.5
    assert contrast(colours["on"], colours["pass"]) >= 4.5
    assert contrast(colours["on"], colours["error"]) >= 4.5
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def test_the_cells_that_open_get_what_the_tables_leave_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ResultTable.of(full_run())
    whole = len(html.page(table, SampleBackground()).encode())
    assert whole < html.LIMIT
    monkeypatch.setattr(html, "LIMIT", whole - 1)
    assert len(html.page(table, SampleBackground()).encode()) < whole


def versions(number: int, breaks: Callable[[Cell, int], bool]) -> ResultTable:
    """The torch of the sample in so many versions, numbered from 1; ``breaks`` says which cells fail in a version."""
    torch = next(part for part in full_run() if part.header.environment.framework == "torch")
    parts = []
    for n in range(1, number + 1):
        cells = [cell.model_copy(update={"target": cell.target.model_copy(update={"version": f"{n}.0"})}) for cell in torch.cells]
        parts.append(_part(torch, [c.model_copy(update={"outcome": Outcome.FAIL}) if breaks(c, n) else c for c in cells]))
    return ResultTable.of(parts)


def test_versions_that_are_alike_share_their_rows() -> None:
    last = versions(4, lambda cell, n: n == 4 and cell.target.implementation == "mse_loss.mean")
    (one, *_), (many, *_) = by_operation(versions(1, lambda _, __: False)), by_operation(last)
    assert sorted(title for title, _ in many.groups) == ["torch 1.0, 2.0, 3.0", "torch 1.0, 2.0, 3.0, 4.0", "torch 4.0"]
    rows = dict(many.groups)
    assert len(rows["torch 1.0, 2.0, 3.0"]) + len(rows["torch 1.0, 2.0, 3.0, 4.0"]) == one.size
    assert all(place.words == "fail" for row in rows["torch 4.0"] for place in row.places if place)
    assert many.absent == ("torch cuda: 4 cells",)


def test_a_page_whose_tables_are_too_long_cuts_them_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = versions(4, lambda cell, n: cell.target.dtype == DTYPES[n - 1])
    rows = sum(entry.size for entry in by_operation(table))
    least = len(encode(table, SampleBackground(), 0).text) + 1000
    assert "to keep the page small" not in html.page(table, SampleBackground())
    lefts = []
    for breadth in html._NARROWER[:-1]:
        monkeypatch.setattr(html, "LIMIT", len(html._around(table, SampleBackground(), None, breadth).encode()) + least - 1)
        page = html.page(table, SampleBackground())
        assert len(page.encode()) <= html.LIMIT
        lefts.append(sum(map(int, re.findall(r"… and (\d+) more rows?, left out to keep the page small: table.json has them", page))))
        assert page.count('<tr><th scope="row"><code>') + lefts[-1] == rows
    assert 0 < lefts[0] < lefts[1] == rows


COMMITTED = Path(__file__).resolve().parents[2] / "reports" / "index.html"


@pytest.mark.skipif(not COMMITTED.exists(), reason="the report of the whole run lies in the repository only")
def test_the_page_of_the_whole_run_is_small_and_silent(browser: Browser) -> None:
    assert COMMITTED.stat().st_size < html.LIMIT
    page, said = opened(browser, COMMITTED.as_uri())
    assert page.locator("#matrix-table tbody tr").count() >= 22
    page.select_option("[name=framework]", "torch")
    assert count(page) > 10_000
    page.click("#cells-table a >> nth=0")
    page.wait_for_selector("#cell[open]")
    assert said == []


VERSIONS = COMMITTED.parent / "versions" / "index.html"


@pytest.mark.skipif(not VERSIONS.exists(), reason="the report of all versions lies in the repository only")
def test_the_page_of_all_versions_is_small_and_silent(browser: Browser) -> None:
    assert VERSIONS.stat().st_size < html.LIMIT
    page, said = opened(browser, VERSIONS.as_uri())
    assert page.locator("#matrix-table tbody tr").count() >= 20
    assert said == []


def test_the_headline_counts_versions_where_there_are_several() -> None:
    parts = full_run()
    assert "frameworks conform" in html.headline(ResultTable.of(parts))
    jax = next(part for part in parts if part.header.environment.framework == "jax")
    older = [cell.model_copy(update={"target": cell.target.model_copy(update={"version": "0.1"})}) for cell in jax.cells]
    assert "versions and runs conform" in html.headline(ResultTable.of([*parts, _part(jax, older)]))
