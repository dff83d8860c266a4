"""A badge for each framework: an SVG, and the JSON that shields.io makes one of. The words say the verdict, the colour only repeats it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from rich.cells import cell_len

from conformance.reports.table import ResultTable, Section
from conformance.reports.text import printable
from conformance.results.records import Outcome

_COLOURS: Mapping[str, str] = {
    "conforms": "00639c",
    "conforms with deviations": "7a5c00",
    "does not conform": "bf360c",
    "incomplete": "63686e",
    "not run": "63686e",
}
"""White text has a contrast of at least 4.5 on each of them. Nothing but a complete run without a failure is blue."""

BADGE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""What the name of a badge may be: it never leaves the folder of badges."""

_PAD = 6
_NARROW, _SLIM, _BROAD = "ijl |.,:;·'", "frt-/()[]", "mwMW"


@dataclass(frozen=True)
class Badge:
    """What a badge says of one framework."""

    name: str
    """Of its files."""
    label: str
    message: str
    color: str
    title: str
    """All of it in words, with the whole denominator, for those who do not see it."""

    @classmethod
    def of(cls, section: Section, name: str) -> Badge:
        """Say what the framework may call itself, and of how many cells."""
        tally = section.summary.tally
        so_far = "" if section.complete else " so far"
        return cls(
            name,
            f"MSE · {printable(section.framework, 30)}",
            f"{section.verdict} · {tally[Outcome.PASS]:,}/{tally.total:,}{so_far}",
            _COLOURS[section.verdict],
            f"Mean squared error in {printable(section.title, 60)}: {section.verdict}, {section.denominator}",
        )

    @property
    def endpoint(self) -> str:
        """The JSON of a shields.io endpoint."""
        shown = {"schemaVersion": 1, "label": self.label, "message": self.message, "color": self.color}
        return json.dumps(shown, ensure_ascii=False) + "\n"

    @property
    def svg(self) -> str:
        """A picture that needs no font and no server."""
        left, right = (round(sum(map(_width, words))) + 2 * _PAD for words in (self.label, self.message))
        return _template().render(badge=self, left=left, right=right, pad=_PAD) + "\n"


def badges(table: ResultTable) -> Iterator[Badge]:
    """One badge for each framework; for each version of it where there are several."""
    taken: set[str] = set()
    for section, whole in zip(table.sections, table.names, strict=True):
        name = wanted = re.sub(r"[^a-z0-9.]+", "-", whole.lower()).strip("-.")[:80] or "framework"
        number = 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name)
        yield Badge.of(section, name)


def _width(character: str) -> float:
    """About as wide as Verdana is in eleven pixels; ``textLength`` makes the text fit exactly where a reader has another font."""
    return 3.6 if character in _NARROW else 4.8 if character in _SLIM else 9.8 if character in _BROAD else 6.8 * cell_len(character)


@cache
def _template() -> Template:
    source = files("conformance.reports").joinpath("badge.svg.jinja").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
