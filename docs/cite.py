# noqa: INP001 - a program beside the documents, part of no package
"""Hold every figure that a page cites to the results file it is cited from.

    python docs/cite.py            # one sentence for each figure that is stale; exit 1
    python docs/cite.py --update   # writes what the results files say

A citation is a Markdown link whose text is the figure; its definition names the results file, and its title a field and a cell:

    PyTorch is off by [5.9][torch] ulp.

    [torch]: ../../reports/results/torch.jsonl "error_ulp of mse/mean/bound/growth:value@torch/mse_loss.mean/cpu/eager/float32"

The cell may be a glob: then each different figure is given once, joined by commas. A field that is an outcome, as in
"pass of mse/sum/case/*:value@torch/mse_loss.sum/cpu/eager/float32", counts the judged cells that have it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import click

from conformance.reports.text import GRADE_SHORT, decimal, format_error
from conformance.results.reading import ResultsError, read
from conformance.results.records import BETWEEN, RAISES, Cell, Outcome

ANSWERS = Path(__file__).resolve().parent / "answers"

_LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\[(?P<label>[^\[\]]+)\]")
_DEFINITION = re.compile(r"\[(?P<label>[^\[\]]+)\]:\s+(?P<place>\S+)(?:\s+(?P<title>.+))?")
_TITLE = re.compile(r'"(?P<field>\S+) of (?P<cells>\S+)"')
_NOT_PROSE = re.compile(r"`[^`]*`")


class CitationError(Exception):
    """A citation that cannot be looked up; the message is one sentence."""


def _chain(cell: Cell) -> str:
    """How many elements were added one after the other, which stands in a flag."""
    found = next((match for flag in cell.flags if (match := re.fullmatch(r"chain of (\d+) at n = \d+", flag))), None)
    return f"{int(found[1]):,}" if found else ""


def _answer(cell: Cell) -> str:
    """The value of an answer without its dtype, shape and type; of an exception, what was raised without its message."""
    first = cell.answer.partition(BETWEEN)[0]
    return first.partition(":")[0] if first.startswith(RAISES) else first


def _policy(cell: Cell) -> str:
    """What was observed of a policy, which stands in a flag behind its name."""
    name = cell.check.partition("/law/policy-")[2]
    return next((flag.partition(": ")[2] for flag in cell.flags if name and flag.startswith(f"{name}: ")), "")


def _observed(cell: Cell) -> str:
    numeral = cell.witness.observed if cell.witness else ""
    return decimal(numeral) or numeral


FIELDS: Mapping[str, Callable[[Cell], str]] = {
    "outcome": lambda cell: cell.outcome.value,
    "grade": lambda cell: GRADE_SHORT[cell.grade] if cell.grade else "",
    "error_ulp": lambda cell: format_error(cell.error_ulp),
    "error_u": lambda cell: format_error(cell.error_u),
    "chain": _chain,
    "observed": _observed,
    "answer": _answer,
    "policy": _policy,
    "version": lambda cell: cell.target.version,
}
"""What can be cited of a cell, as the reports write it; empty where the cell has no such thing."""


@dataclass(frozen=True)
class Citation:
    """One link to a cell: the figure that the page gives, and where it comes from."""

    page: Path
    line: int
    span: tuple[int, int]
    """Where in the line the figure stands."""
    found: str
    results: Path
    field: str
    cells: str

    @property
    def source(self) -> str:
        """As the title of its link has it."""
        return f"{self.field} of {self.cells}"

    def expected(self) -> str:
        """Look the figure up.

        Raises:
            CitationError: there is no such cell, or it has no such field.
        """
        if self.field not in FIELDS and self.field not in set(Outcome):
            raise CitationError(f"found the field {self.field!a}, expected one of {', '.join((*FIELDS, *Outcome))}")
        cited = [cell for name, cell in _cells(self.results).items() if fnmatchcase(name, self.cells)]
        if not cited:
            raise CitationError(f"found the cell {self.cells!a}, expected the id of one in {self.results.name}")
        if self.field not in FIELDS:
            return f"{sum(cell.outcome == self.field and cell.kind != 'behaviour' for cell in cited):,}"  # which is recorded only
        figures = dict.fromkeys(FIELDS[self.field](cell) for cell in cited)
        if not all(figures):
            raise CitationError(f"found the field {self.field!a}, expected one that {self.cells!a} has: it is empty there")
        return ", ".join(figures)


@lru_cache
def _cells(results: Path) -> Mapping[str, Cell]:
    try:
        return {cell.id: cell for cell in read(results).cells}
    except ResultsError as error:
        raise CitationError(str(error)) from None


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines outside fenced blocks, code blanked out: brackets there are no links."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        fence = line.lstrip().startswith("```")
        if not fenced and not fence:
            yield number, _NOT_PROSE.sub(lambda code: " " * len(code[0]), line)
        fenced ^= fence


@dataclass(frozen=True)
class _Source:
    """The definition of a label: what the links with this label cite."""

    line: int
    results: Path
    field: str
    cells: str


def _sources(page: Path, lines: Sequence[tuple[int, str]]) -> dict[str, _Source | None]:
    """Label → what it cites; None for a link to something else, which has no title."""
    sources: dict[str, _Source | None] = {}
    for number, line in lines:
        if not (defined := _DEFINITION.fullmatch(line)):
            continue
        label, title = defined["label"], defined["title"]
        if label in sources:
            raise CitationError(f"{page}:{number}: found the label {label!a} a second time, expected each label once")
        parts = _TITLE.fullmatch(title or "")
        if title and not parts:
            raise CitationError(f'{page}:{number}: found the title {title!a}, expected "FIELD of CELL"')
        sources[label] = _Source(number, page.parent / defined["place"], parts["field"], parts["cells"]) if parts else None
    return sources


def citations(page: Path) -> list[Citation]:
    """Every citation of a page, in order.

    Raises:
        CitationError: a label is not defined or not used, or a definition does not say a field and a cell.
    """
    lines = list(_prose(page.read_text(encoding="utf-8")))
    sources = _sources(page, lines)
    unused = {label: source for label, source in sources.items() if source}
    cited: list[Citation] = []
    for number, line in lines:
        for link in _LINK.finditer(line):
            if link["label"] not in sources:
                raise CitationError(f"{page}:{number}: found the label {link['label']!a}, expected one that the page defines")
            unused.pop(link["label"], None)
            if source := sources[link["label"]]:
                cited.append(Citation(page, number, link.span("text"), link["text"], source.results, source.field, source.cells))
    for label, source in unused.items():
        raise CitationError(
            f"{page}:{source.line}: found the label {label!a}, which nothing cites; expected a link with it, or no definition"
        )
    return cited


def stale(page: Path) -> list[tuple[Citation, str]]:
    """The citations whose figure is not what the results say, with what they say.

    Raises:
        CitationError: a citation cannot be looked up.
    """
    differing = []
    for citation in citations(page):
        try:
            expected = citation.expected()
        except CitationError as error:
            raise CitationError(f"{page}:{citation.line}: {error}") from None
        if citation.found != expected:
            differing.append((citation, expected))
    return differing


def rewrite(page: Path, differing: Sequence[tuple[Citation, str]]) -> None:
    """Put the figures of the results into the page."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for citation, expected in reversed(differing):  # from the end, so that the places before stay where they are
        (begin, end), line = citation.span, lines[citation.line - 1]
        lines[citation.line - 1] = line[:begin] + expected + line[end:]
    page.write_text("".join(lines), encoding="utf-8")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("pages", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Write what the results files say into the pages.")
def main(pages: tuple[Path, ...], update: bool) -> None:  # noqa: FBT001 - click passes it
    """Hold the figures of PAGES, by default all of docs/answers, to the results they cite."""
    failed = False
    try:
        for page in pages or sorted(ANSWERS.glob("*.md")):
            differing = stale(page)
            for citation, expected in differing:
                click.echo(f"{page}:{citation.line}: found {citation.found}, expected {expected}: {citation.source}")
            if update:
                rewrite(page, differing)
            failed |= bool(differing)
    except CitationError as error:
        click.echo(f"cite: {error}", err=True)
        sys.exit(2)
    sys.exit(1 if failed and not update else 0)


if __name__ == "__main__":
    main()
