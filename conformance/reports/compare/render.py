"""Advice for a terminal or a file of plain text, and as Markdown: numbered lines, and at the end the cells that show each of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby

from jinja2 import Environment

from conformance.reports.compare.advice import Advice, CellRef, PortingReport, Replacement, Topic
from conformance.reports.markdown import escaped
from conformance.reports.page.page import style, template_environment
from conformance.reports.text import plural, printable

WIDTH = 100
_LONG = 600


def heading(porting: PortingReport) -> str:
    """``From keras-torch 3.15.1 to torch 2.13.0: 12 things change``."""
    count = len(porting.advice)
    change = f"{plural(count, 'thing')} {'changes' if count == 1 else 'change'}" if count else "nothing changes"
    return f"From {printable(porting.a.title, 120)} to {printable(porting.b.title, 120)}: {change}"


def notes(porting: PortingReport) -> Iterator[str]:
    """What a reader must know of the comparison itself."""
    for name in porting.incomplete:
        yield f"INCOMPLETE: the run of {printable(name, 60)} did not reach its end; what is missing is not compared."
    yield from (printable(side.chosen, 300) for side in (porting.a, porting.b) if side.chosen)


def _by_topic(lines: Iterable[Advice]) -> list[tuple[Topic, list[tuple[int, Advice]]]]:
    """The lines of each topic with their numbers."""
    return [(topic, list(group)) for topic, group in groupby(enumerate(lines, start=1), key=lambda pair: pair[1].topic)]


def text(porting: PortingReport) -> str:
    """Render the lines as plain text of at most 100 columns; ids, which are to be copied, are not broken."""
    lines = [heading(porting), *(wrapped for note in notes(porting) for wrapped in _wrapped(note, ""))]
    for topic, group in _by_topic(porting.shown):
        lines += ["", topic.value, *(line for number, advice in group for line in _advice(number, advice))]
    if porting.left_out:
        lines += ["", f"… and {plural(len(porting.left_out), 'milder line')}: --format json or html shows all."]
    if porting.symbols:
        lines += ["", *_wrapped("; ".join(f"{symbol}: {meaning}" for symbol, meaning in porting.symbols.items()) + ".", "")]
    if porting.same:
        lines += ["", "The same on both sides"]
        for same in porting.same:
            lines += _wrapped(same.says, "  ")
            lines += [line for swap in same.write for line in _swap(swap, "    ")]
    if porting.shown:
        lines += ["", "Evidence: a cell of each side; conformance replay ID runs it again"]
        for number, advice in enumerate(porting.shown, start=1):
            lines += _evidence(number, advice)
    return "\n".join(lines) + "\n"


def _advice(number: int, advice: Advice) -> list[str]:
    margin = "     "
    first, *rest = _wrapped(advice.says, margin)
    lines = [f"{number:>3}  {first.strip()}", *rest]
    for sentence in (*advice.also, advice.because):
        lines += _wrapped(sentence, margin) if sentence else []
    return [*lines, *(line for swap in advice.write for line in _swap(swap, margin))]


def _swap(swap: Replacement, margin: str) -> list[str]:
    if not swap.old:
        return _wrapped(swap.new, margin + "  ", "→ ")
    what = _wrapped(f"{swap.what}:", margin) if swap.what else []
    return [*what, *_wrapped(swap.old, margin + "    "), *_wrapped(swap.new, margin + "  ", "→ ")]


def _wrapped(sentence: str, margin: str, mark: str = "") -> list[str]:
    first, rest = margin + mark, margin + " " * len(mark)
    shown = printable(sentence, _LONG)
    return textwrap.wrap(shown, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def _evidence(number: int, advice: Advice) -> list[str]:
    first = advice.evidence[0]
    more = f"  (and {plural(len(advice.evidence) - 1, 'more pair')})" if len(advice.evidence) > 1 else ""
    return [f"{number:>3}  {printable(first.a.cell.id, 2000)}", f"     {printable(first.b.cell.id, 2000)}{more}"]


def markdown(porting: PortingReport) -> str:
    """Render the lines as GitHub Markdown, the evidence folded under each of them."""
    parts = [f"# {escaped(heading(porting), 400)}\n\n", *(f"> {escaped(note)}\n\n" for note in notes(porting))]
    for topic, group in _by_topic(porting.shown):
        parts += [f"## {escaped(topic.value)}\n\n", *(_item(number, advice) for number, advice in group)]
    if porting.left_out:
        parts.append(f"*… and {plural(len(porting.left_out), 'milder line')}: `--format json` or `html` shows all.*\n\n")
    if porting.symbols:
        parts.append("; ".join(f"{escaped(symbol)}: {escaped(meaning)}" for symbol, meaning in porting.symbols.items()) + ".\n\n")
    if porting.same:
        parts.append("## The same on both sides\n\n")
        for same in porting.same:
            parts.append(f"- {escaped(same.says, _LONG)}\n")
            parts += [f"  - {_swapped(swap)}\n" for swap in same.write]
    return "".join(parts).rstrip("\n") + "\n"


def _item(number: int, advice: Advice) -> str:
    lines = [f"{number}. {escaped(advice.says, _LONG)}\n"]
    lines += [f"   {escaped(sentence, _LONG)}\n" for sentence in (*advice.also, advice.because) if sentence]
    lines += [f"   - {_swapped(swap)}\n" for swap in advice.write]
    lines += ["\n   <details><summary>Evidence</summary>\n\n"]
    for pair in advice.evidence:
        lines += [f"   - {_code(pair.a.cell.id)}\n   - {_code(pair.b.cell.id)}\n"]
    return "".join([*lines, "\n   </details>\n\n"])


def _swapped(swap: Replacement) -> str:
    if not swap.old:
        return f"→ {escaped(swap.new, _LONG)}"
    what = f"{escaped(swap.what, _LONG)}: " if swap.what else ""
    return f"{what}{_code(swap.old)} → {_code(swap.new)}"


def _code(words: str) -> str:
    """Words as code: in HTML's own element, since a backtick in them would end Markdown's."""
    return f"<code>{escaped(words, 2000)}</code>"


def page(porting: PortingReport) -> str:
    """Render all lines, the mildest too."""
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            porting=porting,
            title=heading(porting),
            notes=list(notes(porting)),
            topics=_by_topic(porting.advice),
            style=style(),
        )
    )


@cache
def _environment() -> Environment:
    return template_environment("conformance.reports.compare", {"seen": _seen})


def _seen(shown: CellRef) -> str:
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
