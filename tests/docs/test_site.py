"""The documentation as a site: it builds without a warning, its links lead somewhere, and what is generated is complete."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from command import options

from conformance.cli import COMMANDS
from conformance.specs.load import load

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_click")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}: pip install 'mse-conformance[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    build = ["sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "doctrees"), "docs", str(folder / "html")]
    done = subprocess.run([sys.executable, "-m", *build], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a page links to, the places in it that can be linked to, its headings and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.titles: set[str] = set()
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.links += [value for name in ("href", "src") if (value := values.get(name)) and tag in {"a", "img", "link", "script"}]
        self.titles |= {value for name, value in attrs if name == "title" and value}

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All of it, as a reader would search it."""
        return re.sub(r"\s+", " ", "".join(self.words))


def pages(site: Path) -> Iterator[Path]:
    yield from sorted(site.rglob("*.html"))


def test_every_document_is_a_page(site: Path) -> None:
    documents = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    included = {Path("example-framework/README.html")}
    assert documents - included <= {path.relative_to(site) for path in pages(site)}
    assert "conformance_tinygrad.py" in (site / "framework.html").read_text(encoding="utf-8")


def test_links_lead_somewhere(site: Path) -> None:
    """On this site: to a file, and to a place in it. Nothing is fetched from elsewhere to show a page."""
    known = {path: Page(path) for path in pages(site)}
    lost = []
    for path, page in known.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.is_file() or (parts.fragment and file in known and unquote(parts.fragment) not in known[file].ids):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


def test_pages_are_shown_without_a_network(site: Path) -> None:
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img)[^>]+src="(?:https?:)?//', text) == []
        assert re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//', text) == []


def test_every_command_and_option_has_its_place(site: Path) -> None:
    page = Page(site / "cli.html")
    for name in COMMANDS:
        assert f"conformance {name} [OPTIONS]" in page.text
        for option in options(name):
            if option.startswith("--"):
                assert f"cmdoption-conformance-{name}-{option.lstrip('-')}" in page.ids, (name, option)


def test_every_deviation_is_listed(site: Path) -> None:
    page = Page(site / "deviations.html")
    deviations = load().deviations
    assert deviations
    for deviation in deviations:
        assert plain(deviation.because) in plain(page.text)
        assert deviation.check in page.text
        assert not deviation.url or deviation.url in page.links


def plain(text: str) -> str:
    """Without the quotation marks and dashes that a typesetter turns into others."""
    return re.sub(r"[\"'“”‘’–—-]+", "", re.sub(r"\s+", " ", text))


def test_figures_keep_the_name_of_their_cell(site: Path) -> None:
    """The results are not part of the site."""
    page = Page(site / "answers" / "does-rounding-error-grow-with-n.html")
    assert any(re.fullmatch(r"error_ulp of mse/mean/\S+@torch/\S+ \(reports/results/torch\.jsonl\.gz\)", title) for title in page.titles)


def test_what_is_included_leads_to_its_pages() -> None:
    """Every page that stands for a document of the repository is one, and the document has the section."""
    spec = importlib.util.spec_from_file_location("repository_links", ROOT / "docs" / "repository_links.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for place, page in module.PAGES.items():
        name, _, anchor = place.partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert (ROOT / "docs" / f"{page}.md").is_file()
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}
