# noqa: INP001 - a part of the site, of no package
"""The page of deviations: what the specs document, framework by framework, as Markdown at the end of deviations.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from conformance.specs.load import load
from conformance.specs.model import Deviation

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_NAMES = {"error_u_min": "error of at least", "error_u_max": "error of at most"}


def sections() -> Iterator[str]:
    """A section for each file, in it an entry for each departure: where, exactly how, why, and until when."""
    by_file = groupby(load().deviations, key=lambda deviation: deviation.file)
    for file, deviations in by_file:
        yield f"## {file.stem}\n"
        for (because, url, until), group in groupby(deviations, key=lambda d: (d.because, d.url, d.review_by)):
            yield from _entry(because, url, until.isoformat(), list(group))


def _entry(because: str, url: str, until: str, group: Sequence[Deviation]) -> Iterator[str]:
    more = f" [Thread]({url})." if url else ""
    yield f"{_escaped(because)}{more} To be reviewed by {until}.\n"
    yield "| check | where | exactly |\n|---|---|---|"
    rows: dict[tuple[str, str], list[Deviation]] = defaultdict(list)
    for deviation in group:
        rows[_where(deviation), _how(deviation)].append(deviation)
    for (where, how), those in rows.items():
        checks = dict.fromkeys(_code(d.check if d.quantity == "value" else f"{d.check}:{d.quantity}") for d in those)
        frameworks = dict.fromkeys(_code(name) for d in those for name in d.where["framework"])
        yield f"| {'<br>'.join(checks)} | {'; '.join(filter(None, (', '.join(frameworks), where)))} | {how} |"
    yield ""


def _where(deviation: Deviation) -> str:
    return "; ".join(", ".join(map(_code, values)) for key, values in deviation.where.items() if key != "framework")


def _how(deviation: Deviation) -> str:
    signature = dict(deviation.signature)
    words = [str(signature.pop("outcome"))]
    for name, value in signature.items():
        number = f"{float(value):.3g}{' u' if name in _NAMES else ''}" if isinstance(value, Fraction) else _code(value)
        words.append(f"{_NAMES.get(name, name)} {number}")
    return ", ".join(words)


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|" else c for c in text)


def append(_: Sphinx, docname: str, source: list[str]) -> None:
    """To what was read of the page."""
    if docname == "deviations":
        source[0] += "\n" + "\n".join(sections())


def setup(app: Sphinx) -> None:
    """Whenever the page is read."""
    app.connect("source-read", append)
