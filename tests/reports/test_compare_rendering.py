"""The advice as text, Markdown, page and data: hostile words stay words, ids stay whole, the command keeps to its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import compare_run as made_up
import pytest
from test_reports_rendering import FORBIDDEN_IN_OUTPUT, HOSTILE

from conformance.reports.compare.advice import PortingReport
from conformance.reports.compare.compare import port
from conformance.reports.compare.render import WIDTH, markdown, page, text
from conformance.reports.compare.sides import choose
from conformance.specs.load import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write_both(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def porting(folder: Path) -> PortingReport:
    return port(*choose("alpha", "beta", [folder]), load())


class Outline(HTMLParser):
    """Elements and attributes of a page, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def hostile(tmp_path: Path) -> PortingReport:
    """Every word of both sides that is shown is one of the hostile ones."""
    one = [*made_up.alpha()]
    other = [*made_up.beta()]
    for number, words in enumerate(HOSTILE):
        other.append(made_up.cell("beta", "mse_loss", "mse/mean", f"case/{number}", outcome="deviation", reason=f"{words}. Refuse {words}"))
        one.append(made_up.cell("alpha", "MSE", "mse/mean", f"case/{number}"))
        one.append(made_up.cell("alpha", f"{words}{number}", f"o{words}", f"case/{words}"))
        other.append(made_up.cell("beta", f"{words}{number}", f"o{words}", f"case/{words}", outcome="fail", reason=words))
        other.append(made_up.cell("beta", f"{words}{number}", f"o{words}", "case/x", dtype=words, flags=(words,)))
    for each in (one, other):
        each[:] = [
            cell.model_copy(update={"answer": f"{HOSTILE[place % len(HOSTILE)]} · {HOSTILE[-1 - place % len(HOSTILE)]} · x · y"})
            if cell.kind == "behaviour"
            else cell
            for place, cell in enumerate(each)
        ]
    names = {f"{words}{number}": words for number, words in enumerate(HOSTILE)}
    made_up.write(tmp_path, "alpha", one, {name: entry for name, (_, entry) in made_up.ALPHA.items()} | names)
    made_up.write(tmp_path, "beta", other, {name: f"{entry} {HOSTILE[0]}" for name, (_, entry) in made_up.BETA.items()} | names)
    return port(*choose("alpha", "beta", [tmp_path]), load())


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    found = hostile(tmp_path)
    assert len(found.advice) > 5
    outline = Outline(page(found))
    assert not {"script", "img", "b onmouseover", "iframe"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name.startswith("on") or name == "src"]
    links = [value or "" for name, value in outline.attributes if name == "href"]
    assert [link for link in links if not re.fullmatch(r"data:,|#line-\d+|https?://[\w.\-/]+", link)] == []
    assert "<script>alert(1)</script>" in outline.words
    for written in (text(found), markdown(found), page(found)):
        assert not FORBIDDEN_IN_OUTPUT.search(written)
    assert "<script>" not in markdown(found)
    assert "\x1b" not in text(found)
    json.dumps(found.as_dict(), allow_nan=False)


def test_the_page_needs_nothing_else(porting: PortingReport) -> None:
    source = page(porting)
    outline = Outline(source)
    assert "default-src 'none'" in source
    assert "script" not in outline.tags
    assert not re.search(r"@import|url\(", source)
    for line in porting.advice:
        assert " ".join(line.says.split()) in " ".join(outline.words.split())
        for pair in line.evidence:
            assert f"conformance replay {pair.a.cell.id}" in outline.words
            assert f"conformance replay {pair.b.cell.id}" in outline.words


def test_text_is_narrow_and_its_ids_are_whole(porting: PortingReport) -> None:
    advice, _, evidence = text(porting).partition("Evidence: ")
    assert max(map(len, advice.splitlines())) <= WIDTH
    for number, line in enumerate(porting.shown, start=1):
        assert f"{number:>3}  {line.evidence[0].a.cell.id}\n     {line.evidence[0].b.cell.id}" in evidence


def test_markdown_folds_the_evidence_under_its_line(porting: PortingReport) -> None:
    written = markdown(porting)
    assert written.startswith("# From alpha 1.0 to beta 1.0: ")
    assert written.count("<details>") == written.count("</details>") == len(porting.shown)
    assert "## Shapes and arguments" in written


def test_nothing_changes_is_said_in_every_form(folder: Path) -> None:
    same = port(*choose("alpha", "alpha", [folder]), load())
    for written in (text(same), markdown(same), page(same)):
        assert "nothing changes" in written


# ---- the command ----


def compare(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, "PYTHONIOENCODING": "utf-8"})


def test_json_on_stdout_is_one_document(folder: Path) -> None:
    done = compare("alpha", "beta", folder, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["from"]["framework"] == "alpha"
    assert {"topic", "bite", "says", "also", "because", "write", "evidence"} == found["advice"][0].keys()
    assert found["advice"][0]["evidence"][0]["to"]["cell"].endswith("/cpu/eager/float32")


def test_the_results_of_the_last_run_are_the_default_and_a_file_is_written(tmp_path: Path) -> None:
    made_up.write_both(tmp_path / "conformance-results" / "results")
    done = compare("alpha", "beta", "--format", "html", "-o", "new/page.html", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "new" / "page.html").read_text("utf-8").startswith("<!doctype html>")


def test_an_incomplete_run_exits_3_and_says_so(tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    made_up.write(tmp_path, "beta", made_up.beta(), {}, complete=False)
    done = compare("alpha", "beta", tmp_path)
    assert done.returncode == 3
    assert "INCOMPLETE: the run of beta" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("alpha", "nowhere"), "expected one that the results hold"),
        (("alpha", "beta:nothing"), "expected one of mse_loss"),
        (("alpha", "beta", "missing.jsonl"), "missing.jsonl"),
        (("alpha", "beta", "-o", "beta.jsonl/page.txt"), "expected a file that can be written"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], part: str, tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    done = compare(*arguments[:2], tmp_path, *arguments[2:], cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert part in done.stderr


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("")
    done = compare("alpha", "beta", tmp_path)
    assert done.returncode == 2
    assert "the file is empty, expected a header line" in done.stderr
