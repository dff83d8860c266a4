"""What each side computes: look-alikes that are not the same, what is spelled otherwise, and what one side does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from conformance.numerics.definition import Definition, Over, Weights
from conformance.reports.compare.advice import Advice, CellRef, Evidence, Replacement, Severity, Topic, Unchanged
from conformance.reports.compare.formulas import Recipe, made_of
from conformance.reports.compare.sides import Entry, Side, counterparts
from conformance.reports.text import printable
from conformance.specs.model import Specs

_MOST_TEXT = 240
_WITHOUT_ARTICLE = ("half", "each", "gradient")
_NOTHING = "nothing there makes it: write it out"


def operation_advice(a: Side, b: Side, specs: Specs) -> tuple[list[Advice], list[Unchanged]]:
    """Say of every entry point of ``a`` what is written in ``b``: nothing else is as likely to change a training."""
    task = _Task(a, b, specs)
    advice: list[Advice] = []
    lacking: dict[Topic, list[tuple[Entry, _Made | None]]] = {}
    found: dict[str, list[tuple[Entry, Entry]]] = {}
    for entry, same in task.worth_telling():
        trap = task.trap(entry)
        if trap is not None:
            advice.append(task.look_alike(entry, trap, same))
        elif not same:
            lacking.setdefault(task.topic(entry), []).append((entry, task.made(entry)))
        else:
            found.setdefault(task.likeness(entry, same[0]), []).append((entry, same[0]))
    advice += (line for topic, entries in lacking.items() if (line := task.not_there(topic, entries)))
    return advice, [task.same(says, found[says]) for says in task.likenesses if says in found]


def written(entry: Entry) -> str:
    """An entry point as a person writes it, on one line."""
    return printable(entry.text, _MOST_TEXT)


def _brief(entry: Entry) -> str:
    return printable(entry.brief, _MOST_TEXT)


def computes(entry: Entry, said: str) -> CellRef | None:
    """The cell that shows that an entry point computes its operation."""
    return None if entry.proof is None else CellRef(entry.proof, "operation", said)


_Made = tuple[Entry, Recipe]
"""An operation made of another one's entry point."""


@dataclass(frozen=True)
class _Task:
    a: Side
    b: Side
    specs: Specs

    def title(self, entry: Entry) -> str:
        """What an entry point computes, in the words of its spec, as the middle of a sentence."""
        title = printable(self.specs.titles.get(entry.operation, entry.operation), 120)
        return title[:1].lower() + title[1:]

    def the(self, entry: Entry) -> str:
        """What an entry point computes, with the article that it needs."""
        title = self.title(entry)
        return title if title.partition(" ")[0] in _WITHOUT_ARTICLE else f"the {title}"

    def definition(self, entry: Entry) -> Definition | None:
        operation = self.specs.operations.get(entry.operation)
        return operation.definition if operation else None

    def topic(self, entry: Entry) -> Topic:
        definition = self.definition(entry)
        if definition is None or entry.streamed:
            return Topic.RUNNING
        return Topic.REDUCTION if definition.weights is Weights.NONE else Topic.WEIGHTS

    def replacements(self, entry: Entry) -> tuple[Entry, ...]:
        """What is written instead: of the same operation, for batches if it takes batches, and with a cell that shows it."""
        return tuple(e for e in counterparts(entry, self.b) if e.streamed == entry.streamed and e.proof)

    def worth_telling(self) -> Iterator[tuple[Entry, tuple[Entry, ...]]]:
        """Entry points of ``a``, one of each look and operation, with what is written instead.

        A formula says itself what is to be written, in any framework: it is told only where ``b`` has a function for it.
        """
        seen: set[tuple[object, ...]] = set()
        named = {entry.operation for entry in self.a.entries if not entry.formula and not entry.streamed}
        for entry in sorted(self.a.entries, key=lambda e: e.keywords):
            key = (entry.operation, entry.looks_like, entry.streamed, entry.formula)
            same = self.replacements(entry)
            if entry.formula and not self.a.single:
                same = tuple(e for e in same if not e.formula) if entry.operation not in named else ()
                if not same:
                    continue
            if key not in seen and entry.proof is not None:
                seen.add(key)
                yield entry, same

    def trap(self, entry: Entry) -> Entry | None:
        """The entry point of ``b`` that looks like this one and computes something else, if none that looks like it computes the same."""
        key = entry.looks_like
        usable = (e for e in self.b.entries if e.proof and not e.streamed)
        candidates = [e for e in usable if self.b.single or (key is not None and e.looks_like == key)]
        if any(e.operation == entry.operation for e in candidates):
            return None
        mine = self.definition(entry)  # a call with a weight is not mistaken for one without
        others = ((e, self.definition(e)) for e in candidates)
        return next(
            (e for e, other in others if mine and other and (mine.weights is Weights.NONE) == (other.weights is Weights.NONE)), None
        )

    def made(self, entry: Entry) -> _Made | None:
        """What ``b`` has to make it of, with the least effort."""
        wanted = self.definition(entry)
        if wanted is None or entry.streamed:
            return None
        given = ((e, self.definition(e)) for e in self.b.entries if e.proof and not e.streamed)
        found = [(e, recipe) for e, definition in given if definition and (recipe := made_of(wanted, definition))]
        return min(found, key=lambda made: (made[1].effort, made[0].formula), default=None)

    def look_alike(self, entry: Entry, trap: Entry, same: tuple[Entry, ...]) -> Advice:
        """One line about two that look alike and are not."""
        mine, other = self.definition(entry), self.definition(trap)
        assert mine is not None
        assert other is not None
        recipe = made_of(mine, other)
        looks = "computes" if self.b.single else "looks like it and computes"
        says = f"{_brief(entry)} computes {self.the(entry)}; {_brief(trap)} {looks} {self.the(trap)}"
        usable = recipe is not None and recipe.plain and recipe.factor.is_one
        if recipe is not None and usable:
            says += f": the same, {' and '.join(recipe.before)}."
        else:
            says += f", {recipe.factor.inverse.words} times as much." if recipe and recipe.plain else "."
        write = [Replacement(written(e)) for e in _both_kinds(same)]
        if recipe is not None and (usable or not write):
            write.append(Replacement(recipe.written(written(trap))))
        elif not write:
            write.append(Replacement(_recipe_in_words(self.made(entry))))
        if mine.weights is not Weights.NONE:
            topic = Topic.WEIGHTS
        elif mine.root is not other.root or Over.NONE in {mine.over, other.over} - ({mine.over} & {other.over}):
            topic = Topic.REDUCTION
        else:
            topic = Topic.AXIS if mine.over is not other.over else Topic.DIVISOR
        return Advice(
            topic, Severity.SPELLING if usable else Severity.OTHER_NUMBER, says, tuple(write), _evidence([(entry, trap)], self._titles())
        )

    @property
    def likenesses(self) -> tuple[str, ...]:
        """How two that compute the same may be alike."""
        no_function = f"{self.b.framework} has no function of its own for these, write them out:"
        return "The function of the same name computes the same:", "The same under another name:", no_function, "Batches and training:"

    def likeness(self, old: Entry, new: Entry) -> str:
        """How two that compute the same are alike."""
        named, renamed, formula, running = self.likenesses
        if self.topic(old) is Topic.RUNNING:
            return running
        if old.looks_like is not None and old.looks_like == new.looks_like:
            return named
        return formula if new.formula and not old.formula else renamed

    def same(self, says: str, found: list[tuple[Entry, Entry]]) -> Unchanged:
        """What computes the same, and how it is written."""
        swaps = tuple(Replacement(written(new), written(old), self.title(old)) for old, new in found)
        return Unchanged(says, swaps, _evidence(found, self._titles()))

    def not_there(self, topic: Topic, found: list[tuple[Entry, _Made | None]]) -> Advice | None:
        """One line about everything that the other side does not have."""
        nearest = next((e for e in self.b.entries if e.proof and not e.streamed), None)
        if nearest is None:
            return None
        swaps, evidence = [], []
        for entry, made in found:
            swaps.append(Replacement(_recipe_in_words(made), written(entry), self.title(entry)))
            one = computes(entry, self.title(entry))
            other = computes(made[0], written(made[0])) if made else computes(nearest, self.title(nearest))
            evidence += [Evidence(one, other)] if one and other else []
        some = any(made for _, made in found)
        says = f"{self.b.framework} does not offer {'this' if len(found) == 1 else 'these'}"
        says += ": make them of what it has." if some else "."
        says += "" if all(made for _, made in found) else f" The nearest is {self.the(nearest)}."
        return Advice(topic, Severity.REFUSED, says, tuple(swaps), tuple(evidence))

    def _titles(self) -> Mapping[str, str]:
        return {entry.operation: self.title(entry) for side in (self.a, self.b) for entry in side.entries}


def _recipe_in_words(made: _Made | None) -> str:
    return made[1].written(written(made[0])) if made else _NOTHING


def _both_kinds(same: tuple[Entry, ...]) -> list[Entry]:
    """The best, and the best of the other kind: a formula beside a function."""
    return [*same[:1], *(e for e in same[1:] if e.formula != same[0].formula)][:2]


def _evidence(found: Iterable[tuple[Entry, Entry]], titles: Mapping[str, str]) -> tuple[Evidence, ...]:
    shown = ((computes(old, titles[old.operation]), computes(new, titles[new.operation])) for old, new in found)
    return tuple(Evidence(one, other) for one, other in shown if one and other)
