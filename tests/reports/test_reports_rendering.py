"""The renderings: hostile text stays text, sizes stay bounded, files are written whole."""

from __future__ import annotations

import ast
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sample_run import full_run

from conformance.reports.diff.model import Diff
from conformance.reports.markdown import MAX_BYTES, markdown
from conformance.reports.page.page import page
from conformance.reports.reproduce import reproducer
from conformance.reports.table import ResultTable
from conformance.reports.terminal import WIDTH, show
from conformance.reports.write import write_all
from conformance.results.reading import Results
from conformance.results.records import Cell, Footer, Grade, Header, Outcome, RunEnvironment, Target, Witness

HOSTILE = [
    "<script>alert(1)</script>",
    "</style></script><img src=x onerror=alert(1)>",
    "'\"><b onmouseover=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "[red]bold[/red] [link=https://x.example]x[/link] [/]",
    "a|b\n| --- |\n# heading",
    "```\n</details>\n- item",
    "![x](javascript:alert(1)) [y](http://e.example) **z** _u_ ~~s~~ `c`",
    "\x1b[31mred\x1b[0m\x1b]8;;https://e.example\x07link\x07\r\x08",
    "\x00\x7f\x9b31m\u202etxt.exe\u200b\ufeff",
    "\ud800\udfff",
    "9" * 5000,
    "-0x1p+999999999",
    "nan",
    "NaN,Infinity",
    "[" * 3000 + "]" * 3000,
    "&lt;script&gt;&#60;",
    "../../etc/passwd",
    'https://e.example/"onclick=alert(1)|<b>',
    "--><!--",
    "a" * 9000,
]
FORBIDDEN_IN_OUTPUT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def hostile_results(texts: list[str], *, complete: bool = True) -> Results:
    """Every string field of every record holds one of the texts."""

    def at(number: int) -> str:
        return texts[number % len(texts)]

    cells = []
    for number, outcome in enumerate([*Outcome] * max(1, len(texts) // 3)):
        target = Target(
            framework=at(0), version=at(1), implementation=at(number), device=at(number + 1), mode=at(number), dtype=at(number + 2)
        )
        witness = Witness(
            shape=(2**62, 0),
            prediction=(at(number),) * 20,
            target=(at(number + 1),),
            weight=(at(number + 2),),
            upstream=(at(number),),
            expected=at(number),
            allowed=(at(number), at(number + 1)),
            observed=at(number + 2),
            recipe=at(number),
        )
        cells.append(
            Cell(
                check=f"{at(number)}{number}",
                kind="case",
                operation=at(number + 3),
                quantity=at(number + 4),
                target=target,
                outcome=outcome,
                reason=at(number),
                flags=(at(number),),
                error_u=1.7e308,
                error_over_bound=5e-324,
                grade=Grade.LINEAR,
                witness=witness,
            )
        )
    environment = RunEnvironment(
        framework=at(0), version=at(1), python=at(2), platform=at(3), packages={at(4): at(5)}, flags={at(6): at(7)}, devices=(at(8),)
    )
    header = Header(
        run=at(0), started=at(1), suite_version=at(2), specs_digest=at(3), profile=at(4), environment=environment, entries={at(5): at(6)}
    )
    footer = Footer(cells=len(cells), counts={}, seconds=1.0) if complete else None
    return Results(Path("a.jsonl"), header, tuple(cells), footer)


class Structure(HTMLParser):
    """What a browser would make of a page: its elements, and whether they close."""

    VOID = frozenset({"meta", "link", "br", "img", "col", "input"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def printed(table: ResultTable, encoding: str = "utf-8", width: int = WIDTH) -> str:
    held = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
    show(table, Console(file=held, width=width, force_terminal=False, color_system=None))
    raw = held.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def harmless() -> Structure:
    """The elements and attributes that a page has without any hostility."""
    return Structure(page(ResultTable.of([*full_run(complete=False), hostile_results(["x https://e.example"])])))


def assert_page_is_safe(source: str, harmless: Structure) -> None:
    found = Structure(source)
    assert not found.open
    assert found.tags <= harmless.tags
    assert found.attributes <= harmless.attributes
    assert all(link.startswith(("#", "data:,", "http://", "https://")) for link in found.links)
    assert not FORBIDDEN_IN_OUTPUT.search(source)


@pytest.mark.parametrize("first", range(len(HOSTILE)))
def test_hostile_text_is_shown_as_text_everywhere(first: int, harmless: Structure) -> None:
    table = ResultTable.of([hostile_results(HOSTILE[first:] + HOSTILE[:first], complete=bool(first % 2))])
    assert_page_is_safe(page(table), harmless)
    assert_markdown_is_plain(markdown(table))
    out = printed(table)
    assert not FORBIDDEN_IN_OUTPUT.search(out)
    assert max(map(len, out.splitlines())) <= WIDTH
    json.loads(json.dumps(table.summary(), allow_nan=False))


@given(st.lists(st.text(st.characters(), max_size=60), min_size=1, max_size=6))
@settings(deadline=None, max_examples=25)
def test_any_text_is_shown_as_text(harmless: Structure, texts: list[str]) -> None:
    table = ResultTable.of([hostile_results(texts)])
    assert_page_is_safe(page(table), harmless)
    assert_markdown_is_plain(markdown(table))
    assert not FORBIDDEN_IN_OUTPUT.search(printed(table))


def assert_markdown_is_plain(source: str) -> None:
    """No foreign markup: only our own tags, every row of a table as wide as its header, links only where addresses are."""
    assert not FORBIDDEN_IN_OUTPUT.search(source)
    tags = set(re.findall(r"<([^>]*)>", source))
    assert all(tag in {"br", "details", "/details", "summary", "/summary"} or re.fullmatch(r"https?://[^\s<>|`]+", tag) for tag in tags)
    columns = 0
    for line in source.splitlines():
        if line.startswith("|"):
            width = line.count("|")
            columns = columns or width
            assert width == columns
        else:
            columns = 0


def test_markdown_renders_to_the_structure_that_is_meant() -> None:
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    allowed = {"a", "blockquote", "h1", "h2", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    for first in range(len(HOSTILE)):
        source = markdown(ResultTable.of([hostile_results(HOSTILE[first:] + HOSTILE[:first])]))
        tokens = parser.parse(source)
        inside = [child for token in tokens for child in (token.children or [])]
        assert {token.tag for token in (*tokens, *inside) if token.tag} <= allowed | {"em", "br"}
        html = {token.content.strip() for token in (*tokens, *inside) if token.type in {"html_inline", "html_block"}}
        assert all(re.fullmatch(r"<br>|<details>.*</summary>|</details>", part) for part in html), html
        assert not [token for token in inside if token.type in {"code_inline", "image"}]


def test_rich_markup_is_not_interpreted_and_no_escape_is_emitted() -> None:
    out = printed(ResultTable.of([hostile_results(["[red]x[/red]", "\x1b[31my"])]))
    assert "[red]x[/red]" in out
    assert "\\x1b[31my" in out
    assert "\x1b" not in out


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    out = printed(ResultTable.of(full_run()), encoding="ascii")
    assert "X fail" in out
    assert out.isascii()


def test_the_matrix_fits_a_hundred_columns_and_comes_first() -> None:
    lines = printed(ResultTable.of(full_run()), width=200).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "mse/mean" in lines[0]
    assert lines[-1].startswith("does not conform: ")


def test_a_narrow_terminal_splits_the_matrix() -> None:
    lines = printed(ResultTable.of(full_run()), width=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert sum("pass/all" in line for line in lines) > 1


def test_an_incomplete_run_is_said_at_the_top_of_every_report() -> None:
    table = ResultTable.of(full_run(complete=False))
    assert printed(table).startswith("INCOMPLETE")
    assert "**Incomplete**" in markdown(table)[:800]
    assert "<b>Incomplete.</b>" in page(table).partition("<main>")[0]


def test_failures_name_check_quantity_target_and_how_to_run_them_again() -> None:
    table = ResultTable.of(full_run())
    for text in (printed(table), page(table)):
        assert "mse/mean/case/constant-70000" in text
        assert "tensorflow · reduce_mean.mean, keras.losses.mean · cpu · eager, graph, xla · float16" in re.sub(r"\s+", " ", text)
    assert "conformance replay mse/mean/case/constant-70000:gradient/prediction@tensorflow/" in page(table)
    assert "0x1.4f8p-10" in page(table)


def test_a_standalone_program_holds_no_foreign_line() -> None:
    """The words of a results file that end up in a program to be pasted stay inside comments and literals."""
    target = Target(framework="numpy", version="2", implementation="i\nimport evil", device="cpu", mode="eager", dtype="float32")
    witness = Witness(shape=(1,), prediction=("0x1p+0",), target=("evil()",), expected="'\nevil()", allowed=("\nevil()",), observed="x")
    cell = Cell(check="c\nevil()", kind="case", operation="o", quantity="value", target=target, outcome=Outcome.FAIL, witness=witness)
    calls = [node.func.id for node in ast.walk(ast.parse(reproducer(cell, "np.mean(prediction)\n"))) if _is_call_by_name(node)]  # type: ignore[attr-defined]  # checked by the condition
    assert set(calls) <= {"loss", "print", "float"}
    assert reproducer(cell.model_copy(update={"target": target.model_copy(update={"dtype": "float32)\nevil("})}), "x") == ""


@pytest.mark.parametrize(("operation", "weight"), [("mse/weighted-sum", (1, 0, 2, 3)), ("mse/sample-weighted-sum", (1, 2, 3, 0))])
def test_the_program_of_a_weighted_entry_runs(operation: str, weight: tuple[float, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A weight for each sample has one axis, also where a sample is one element."""
    target = Target(framework="numpy", version="2", implementation="i", device="cpu", mode="eager", dtype="float32")
    witness = Witness(
        shape=(4, 1),
        prediction=("0x1p+0", "0x1p+1", "0x1p+0", "0x1p+0"),
        target=("0x0p+0",) * 4,
        weight=tuple(float(w).hex() for w in weight),
        expected="6",
        observed="x",
    )
    cell = Cell(check="c", kind="case", operation=operation, quantity="value", target=target, outcome=Outcome.FAIL, witness=witness)
    per_sample = "np.sum(weight * np.square(prediction - target).sum(axis=1))"
    entry = per_sample if "sample" in operation else "np.sum(weight * np.square(prediction - target))"
    exec(reproducer(cell, entry), {})  # noqa: S102 - a program of our own
    assert capsys.readouterr().out.split()[1] == ("12.0" if "sample" in operation else "6.0")


def test_the_program_of_a_gradient_of_the_weight_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'mse-conformance[torch]'")
    target = Target(framework="torch", version="2", implementation="i", device="cpu", mode="eager", dtype="float32")
    numbers = ("0x1p+0", "0x1.8p+1")
    witness = Witness(shape=(2,), prediction=numbers, target=("0x0p+0",) * 2, weight=("0x1p+0",) * 2, expected="1", observed="x")
    cell = Cell(
        check="c",
        kind="case",
        operation="mse/weighted-sum",
        quantity="gradient/weight",
        target=target,
        outcome=Outcome.FAIL,
        witness=witness,
    )
    exec(reproducer(cell, "torch.sum(weight * torch.square(prediction - target))"), {})  # noqa: S102 - a program of our own
    assert "tensor([1., 9.])" in capsys.readouterr().out


def _is_call_by_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_nothing_at_all_can_be_shown() -> None:
    table = ResultTable.of([])
    assert "Nothing ran" in page(table)
    assert "nothing ran" in printed(table)
    assert markdown(table).startswith("# ")


def everything_fails() -> list[Results]:
    """Twenty thousand failures, no two of them for the same reason."""
    words = ["".join(chr(97 + (number // 26**place) % 26) for place in range(4)) for number in range(30_000)]
    tainted, number = [], 0
    for part in full_run():
        cells = []
        for one in part.cells:
            witness = Witness(
                shape=(64,), prediction=("0x1.921fb54442d18p+1",) * 64, target=("-0x1.5bf0a8b145769p+1",) * 64, expected="0x1p+0"
            )
            cells.append(
                one.model_copy(update={"outcome": Outcome.FAIL, "reason": f"{words[number]} {'long words ' * 30}", "witness": witness})
            )
            number += 1
        tainted.append(Results(part.path, part.header, tuple(cells), part.footer))
    return tainted


@pytest.mark.parametrize("run", [full_run, everything_fails])
def test_twenty_thousand_cells_stay_small_and_quick(run: object, tmp_path: Path) -> None:
    assert callable(run)
    parts = run()
    assert sum(len(part.cells) for part in parts) > 20_000
    started = time.process_time()
    write_all(ResultTable.of(parts), tmp_path)
    printed(ResultTable.of(parts))
    assert time.process_time() - started < 20
    assert (tmp_path / "index.html").stat().st_size < 1_500_000
    text = (tmp_path / "matrix.md").read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert text.count("<details>") == text.count("</details>")
    for heading in ("| target |", "## What does not conform", "<summary>Environments</summary>"):
        assert heading in text
    assert (tmp_path / "junit.xml").stat().st_size < 3_000_000


def test_what_changed_stands_between_the_matrix_and_the_failures(tmp_path: Path) -> None:
    new = full_run()
    old = [Results(part.path, part.header, tuple(cell for cell in part.cells if cell.outcome is not Outcome.FAIL), None) for part in new]
    write_all(ResultTable.of(new), tmp_path, diff=Diff.of(old, new))
    text = (tmp_path / "matrix.md").read_text("utf-8")
    places = [text.index(part) for part in ("| target |", "## What changed", "## What does not conform", "## Documented deviations")]
    assert places == sorted(places)
    assert "of the new ones" in text[places[1] : places[2]]
    assert json.loads((tmp_path / "table.json").read_text("utf-8"))["changes"]["new_and_broken"] > 0
    assert "## What changed" not in markdown(ResultTable.of(new))


def test_write_all_writes_whole_files_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "reports"
    paths = write_all(ResultTable.of(full_run()), folder)
    names = ["badges", "index.html", "junit.xml", "matrix.md", "table.json"]
    assert sorted(path.name for path in paths) == sorted(path.name for path in folder.iterdir()) == names
    summary = json.loads((folder / "table.json").read_text("utf-8"))
    assert summary["conforms"] is False
    assert summary["total"]["total"] == sum(len(part.cells) for part in full_run())
