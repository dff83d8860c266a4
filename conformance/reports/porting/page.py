"""The advice as one HTML file: no request, no script, every foreign string escaped by the template, the evidence folded under each line."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from itertools import groupby
from shlex import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from conformance.reports import text
from conformance.reports.html import linked
from conformance.reports.porting.advice import Advice, Porting, Shown, Topic
from conformance.reports.porting.render import heading, notes
from conformance.results import Cell


def page(porting: Porting) -> str:
    """Render all lines, the mildest too."""
    numbered = list(enumerate(porting.advice, start=1))
    topics: list[tuple[Topic, list[tuple[int, Advice]]]] = [
        (topic, list(lines)) for topic, lines in groupby(numbered, key=lambda pair: pair[1].topic)
    ]
    style = files("conformance.reports").joinpath("page.css").read_text("utf-8")
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            porting=porting,
            title=heading(porting),
            notes=list(notes(porting)),
            topics=topics,
            style=Markup(style),  # noqa: S704 - our own file
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: files("conformance.reports.porting").joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": text.visible, "plural": text.plural, "linked": linked, "replay": _replay, "seen": _seen}
    return environment


def _replay(cell: Cell) -> str:
    return f"conformance replay {quote(text.visible(cell.id, 2000))}"


def _seen(shown: Shown) -> str:
    """What of the cell shows the line, in words."""
    cell = shown.cell
    match shown.aspect:
        case "answer" | "answered" | "raised":
            return f"answers {cell.answer}"
        case "flag" | "dtype" | "no flag":
            return f"{cell.outcome.value}; observed: {', '.join(cell.flags) or 'nothing beside'}"
        case "error":
            return f"{cell.outcome.value}; worst error {shown.said}"
        case "outcome":
            return f"{cell.outcome.value}{f': {cell.reason}' if cell.reason else ''}"
        case "operation":
            return f"{cell.outcome.value} as {cell.operation}"
