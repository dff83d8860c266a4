"""The answers: their figures are those of the committed results, their programs print what they show, and the first test can fail."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from conformance.results.records import Cell, Grade, Header, Outcome, RunEnvironment, Target, Witness
from conformance.results.writing import Writer

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "answers").glob("*.md"))
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BETWEEN_BLOCKS = "\f\n"


def loaded(path: Path) -> ModuleType:
    """A program that is part of no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CITE = loaded(ROOT / "docs" / "cite.py")


def cite(*arguments: str | Path) -> Result:
    return CliRunner().invoke(CITE.main, [str(argument) for argument in arguments], catch_exceptions=False)


# ---- the committed pages ----


def test_every_figure_of_the_answers_is_that_of_the_results() -> None:
    done = cite()
    assert done.exit_code == 0, f"after `python docs/cite.py --update`, read what is written around these figures again:\n{done.output}"


def programs(page: Path) -> list[tuple[str, str]]:
    """The programs of a page, each with the output that follows it."""
    found: list[tuple[str, str]] = []
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            found.append((text, ""))
        else:
            found[-1] = (found[-1][0], text)
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)], ids=lambda page: page.stem)
def test_the_programs_of_an_answer_print_what_it_shows(page: Path) -> None:
    """All of a page's programs run one after the other, as a reader would paste them."""
    sources, shown = zip(*programs(page), strict=True)
    imported = re.findall(r"^(?:import|from) (\w+)", "\n".join(sources), re.MULTILINE)
    for module in [*imported, *(["tensorflow"] if "keras" in imported else [])]:  # the backend that Keras has by default
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    program = f"print({BETWEEN_BLOCKS!r}, end='')\n".join(sources)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(BETWEEN_BLOCKS) == list(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_measured_figure_of_an_answer_has_its_cell(page: Path) -> None:
    """A decimal in the prose is a citation, or stands in a program of the page or in what it prints."""
    number = r"(?<![\w.])\d+\.\d+(?![\w.])"
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"`[^`\n]*`|\[[^\[\]]*\]\[[^\[\]]*\]|^\[[^\]]+\]: .*$", "", BLOCK.sub("", text), flags=re.MULTILINE)
    assert set(re.findall(number, prose)) <= set(re.findall(number, str(programs(page))))


def test_every_answer_is_in_the_index() -> None:
    index = (ROOT / "docs" / "answers" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z0-9-]+\.md)\)", index)) == {page.name for page in PAGES} - {"README.md"}


# ---- pages of our own, with results of our own ----

GROWTH = "mse/mean/bound/growth:value@torch/mse_loss.mean/cpu/eager/float32"
COLUMN = "mse/mean/behaviour/column:value@torch/mse_loss.mean/cpu/eager/float32"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a results file of two cells."""
    environment = RunEnvironment(framework="torch", version="2.13.0")
    header = Header(
        run="r", started="2026-01-01T00:00:00+00:00", suite_version="0", specs_digest="0", profile="quick", environment=environment
    )
    target = Target(framework="torch", version="2.13.0", implementation="mse_loss.mean", device="cpu", mode="eager", dtype="float32")
    with Writer(tmp_path / "torch.jsonl", header) as writer:
        writer.append(
            Cell(
                check="mse/mean/bound/growth",
                kind="bound",
                operation="mse/mean",
                quantity="value",
                target=target,
                outcome=Outcome.PASS,
                error_ulp=5.89,
                grade=Grade.LOGARITHMIC,
                flags=("returns float32", "chain of 8201 at n = 1000000"),
                witness=Witness(shape=(2,), observed="0x1.8p+1"),
            )
        )
        answer = "1.3333 · float32 · shape () · torch.Tensor"
        writer.append(
            Cell(
                check="mse/mean/behaviour/column",
                kind="behaviour",
                operation="mse/mean",
                quantity="value",
                target=target,
                outcome=Outcome.PASS,
                answer=answer,
            )
        )
        writer.close(1.0)
    return tmp_path


def page(folder: Path, figure: str, title: str, *, label: str = "x", results: str = "torch.jsonl") -> Path:
    """A page that cites one figure, with brackets in code that are no citations."""
    path = folder / "page.md"
    path.write_text(f'# A page\n\n`w[i][j]` is [{figure}][{label}].\n\n```python\nw[a][b]\n```\n\n[x]: {results} "{title}"\n')
    return path


@pytest.mark.parametrize(
    ("figure", "title"),
    [
        ("5.9", f"error_ulp of {GROWTH}"),
        ("O(log n)", f"grade of {GROWTH}"),
        ("8,201", f"chain of {GROWTH}"),
        ("3.0", f"observed of {GROWTH}"),
        ("pass", f"outcome of {GROWTH}"),
        ("1.3333", f"answer of {COLUMN}"),
        ("2.13.0", f"version of {COLUMN}"),
        ("1", "pass of mse/mean/*@torch/*"),
        ("0", "fail of mse/mean/*@torch/*"),
        ("pass", "outcome of mse/mean/*@torch/*"),
    ],
)
def test_a_figure_is_that_of_its_cell_or_is_stale(folder: Path, figure: str, title: str) -> None:
    right = cite(page(folder, figure, title))
    assert (right.exit_code, right.output) == (0, "")
    path = page(folder, "7.25", title)
    wrong = cite(path)
    assert (wrong.exit_code, wrong.output) == (1, f"{path}:3: found 7.25, expected {figure}: {title}\n")


def test_update_writes_what_the_results_say_and_nothing_else(folder: Path) -> None:
    path = page(folder, "5.9", f"error_ulp of {GROWTH}")
    right = path.read_text()
    path.write_text(right.replace("[5.9][x]", "[6][x], not [1,234.5][x]"))
    assert cite(path, "--update").exit_code == 0
    assert path.read_text() == right.replace("[5.9][x]", "[5.9][x], not [5.9][x]")


@pytest.mark.parametrize(
    ("title", "changed", "parts"),
    [
        ("error_ulp of mse/mean/bound/grow", {}, (":3:", "found the cell 'mse/mean/bound/grow'", "torch.jsonl")),
        (f"error_upl of {GROWTH}", {}, (":3:", "found the field 'error_upl'", "expected one of outcome, grade, error_ulp")),
        (f"grade of {COLUMN}", {}, (":3:", "found the field 'grade'", "it is empty there")),
        (f"error_ulp {GROWTH}", {}, (":9:", "found the title", "FIELD of CELL")),
        (f"error_ulp of {GROWTH}", {"label": "y"}, (":3:", "found the label 'y'", "expected one that the page defines")),
        (f"error_ulp of {GROWTH}", {"results": "none.jsonl"}, (":3:", "none.jsonl", "expected a results file")),
    ],
)
def test_a_citation_that_cannot_be_looked_up_is_one_sentence(
    folder: Path, title: str, changed: dict[str, str], parts: tuple[str, ...]
) -> None:
    done = cite(page(folder, **{"figure": "5.9", "title": title, **changed}))
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1, done.output
    for part in parts:
        assert part in done.output


def test_a_definition_that_nothing_cites_is_one_sentence(folder: Path) -> None:
    path = page(folder, "5.9", f"error_ulp of {GROWTH}")
    path.write_text(path.read_text().replace("[5.9][x]", "5.9"))
    done = cite(path)
    assert done.exit_code == 2
    assert done.output == f"cite: {path}:9: found the label 'x', which nothing cites; expected a link with it, or no definition\n"


def test_a_label_is_defined_once(folder: Path) -> None:
    path = page(folder, "5.9", f"error_ulp of {GROWTH}")
    path.write_text(path.read_text() + "[x]: elsewhere.md\n")
    done = cite(path)
    assert done.exit_code == 2
    assert ":10: found the label 'x' a second time" in done.output
