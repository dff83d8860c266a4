"""What the sides answer to the questions that are not judged: another number, another dtype, or an exception."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.reports.behaviours import normalized_answer
from conformance.reports.compare.advice import Advice, CellRef, Evidence, Replacement, Severity, Topic, Unchanged
from conformance.reports.compare.sides import EAGER, EntryPair, Side
from conformance.reports.text import group_by, plural, printable, truncate
from conformance.results.records import BETWEEN, RAISES, WARNS, Cell, Outcome
from conformance.specs.model import Question, Specs

_BEFORE = {
    "shapes": "Bring prediction and target to one shape before the loss.",
    "dtypes": "Cast prediction and target to one float dtype before the loss.",
    "inputs": "Make tensors of one float dtype of both before the loss.",
}
"""What makes a difference go away, by the file that asks: short phrases, no facts about a framework."""


_EMPTY = "Refuse empty batches before the loss."
_REST = re.compile(r": |, (?![^()]*\))| whose | with | that ")
"""Where a title goes on to details."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """One question to a pair of entry points, and both answers."""

    question: Question
    pair: EntryPair
    a: Cell
    b: Cell

    @property
    def subject(self) -> str:
        """What was asked, without the details, as the middle of a sentence."""
        subject = printable(_REST.split(self.question.title)[0], 100)
        return subject[0].lower() + subject[1:] if subject.startswith(("A ", "An ", "No ", "One ", "Two ", "Three ")) else subject

    @property
    def kind(self) -> str:
        """In what the answers differ; empty where they do not."""
        one, other = self.a.answer, self.b.answer
        if normalized_answer(self.a) == normalized_answer(self.b) or (_raises(one) and _raises(other)):
            return ""
        if _raises(one) or _raises(other):
            return "accepted" if _raises(one) else "refused"
        if _number(one) != _number(other):
            return "number"
        return "dtype" if _dtype(one) != _dtype(other) else "words"

    @property
    def topic(self) -> Topic:
        """What the difference is about: nothing at all, an infinity on one side only, or the arguments."""
        if 0 in self.question.prediction.array().shape:
            return Topic.EDGES
        return Topic.RANGE if _is_endless(self.a) != _is_endless(self.b) else Topic.ARGUMENTS

    @property
    def severity(self) -> Severity:
        """Losses are trained on floats: a difference in integers is rarer, one in complex numbers rarer still."""
        if any(kind.startswith("complex") for kind in self._dtypes):
            return Severity.SPELLING
        return Severity.LOST if self.whole or self.topic is not Topic.ARGUMENTS else Severity.OTHER_NUMBER

    @property
    def whole(self) -> bool:
        """Whether an argument holds integers or truth values."""
        return any("int" in kind or kind == "bool" for kind in self._dtypes)

    @property
    def _dtypes(self) -> tuple[str, str]:
        return self.question.prediction.dtype, self.question.target.dtype

    @property
    def rank(self) -> int:
        """Shapes first: the usual slips."""
        return [*_BEFORE].index(self.question.file.stem) if self.question.file.stem in _BEFORE else len(_BEFORE)


def answer_advice(pairs: Sequence[EntryPair], a: Side, b: Side, specs: Specs) -> tuple[list[Advice], list[Unchanged]]:
    """Lines about the answers that differ; of each question the plainest pair speaks."""
    whole = [pair for pair in pairs if not pair.a.streamed]
    asked = [one for question in specs.behaviours if (one := _first_answer(question, whole)) is not None]
    asked.sort(key=lambda one: one.rank)
    kinds = group_by(asked, lambda one: one.kind)
    advice = [_numbers(group, a, b) for group in _alike(kinds.get("number", ()))]
    advice += [_refusals(kinds[kind], a, b, refused=kind == "refused") for kind in ("refused", "accepted") if kind in kinds]
    if "dtype" in kinds:
        advice.append(_dtypes(kinds["dtype"], a, b))
    equal = [*kinds.get("", ()), *kinds.get("words", ())]
    subjects = "; ".join(dict.fromkeys(one.subject for one in equal))
    return advice, [
        Unchanged(f"{plural(len(equal), 'question')} about shapes, dtypes and arguments with one answer: {subjects}.")
    ] if equal else []


def _first_answer(question: Question, pairs: Iterable[EntryPair]) -> AnsweredQuestion | None:
    """The question at the plainest pair that answers it on both sides."""
    for pair in pairs:
        check = f"{pair.a.operation}/behaviour/{question.id}"
        one, other = (next(filter(_answers, entry.on(check, "value")), None) for entry in (pair.a, pair.b))
        if one is not None and other is not None:
            return AnsweredQuestion(question, pair, one, other)
    return None


def _answers(cell: Cell) -> bool:
    return cell.outcome is Outcome.PASS and cell.target.mode == EAGER


def _alike(asked: Iterable[AnsweredQuestion]) -> list[list[AnsweredQuestion]]:
    """Questions that have the same two answers, or answers in the same two dtypes, together: what is behind them is one thing."""

    def likeness(one: AnsweredQuestion) -> tuple[object, ...]:
        if one.whole:
            return one.topic, "integers"
        dtypes, numbers = ([part(cell.answer) for cell in (one.a, one.b)] for part in (_dtype, _number))
        return one.topic, *([] if one.topic is Topic.EDGES else dtypes if dtypes[0] != dtypes[1] else numbers)

    return [sorted(group, key=lambda one: one.rank) for group in group_by(asked, likeness).values()]


def _numbers(group: Sequence[AnsweredQuestion], a: Side, b: Side) -> Advice:
    first = group[0]
    warned = _warning(first.b.answer) and not _warning(first.a.answer)
    says = f"{printable(first.question.title, 200)}: {a.framework} gives {_shown(first, first.a)}, {b.framework} {_shown(first, first.b)}"
    says += f" and {WARNS.strip()} of it." if warned else "."
    evidence = tuple(
        Evidence(CellRef(each.a, "answer", _number(each.a.answer)), CellRef(each.b, "answer", _number(each.b.answer))) for each in group
    )
    told = (_number(first.a.answer), _number(first.b.answer))
    rest = []
    for each in group[1:]:
        numbers = (_number(each.a.answer), _number(each.b.answer))
        rest.append(each.subject if numbers == told else f"{each.subject} ({', '.join(numbers)})")
    also = (f"Likewise: {'; '.join(rest)}.",) if rest else ()
    wider = _dtype(first.a.answer) != _dtype(first.b.answer) and first.topic is Topic.RANGE and _is_endless(first.b)
    write = (Replacement(f"Cast both to {_dtype(first.a.answer)} before the loss."),) if wider else _before(group)
    return Advice(first.topic, first.severity, says, write, evidence, printable(first.question.why), also)


def _shown(asked: AnsweredQuestion, cell: Cell) -> str:
    """The number of an answer, and its dtype where that differs."""
    dtype = "" if _dtype(asked.a.answer) == _dtype(asked.b.answer) else f" in {_dtype(cell.answer)}"
    return f"{_number(cell.answer)}{dtype}"


def _refusals(asked: Sequence[AnsweredQuestion], a: Side, b: Side, *, refused: bool) -> Advice:
    subjects = ", ".join(dict.fromkeys(one.subject for one in asked))
    who, computes = (b, a) if refused else (a, b)
    says = f"{who.framework} raises where {computes.framework} computes: {subjects}."
    if not refused:
        says = f"{computes.framework} computes where {who.framework} raises, so what stopped a mistake is gone: {subjects}."
    evidence = tuple(Evidence(_outcome(one.a, one.subject), _outcome(one.b, one.subject)) for one in asked)
    write = _before(asked) if refused else (Replacement("Check the arguments yourself, if you relied on the exception."),)
    return Advice(Topic.ARGUMENTS, Severity.REFUSED if refused else Severity.LOST, says, write, evidence)


def _outcome(cell: Cell, said: str) -> CellRef:
    return CellRef(cell, "raised" if _raises(cell.answer) else "answered", said)


def _dtypes(asked: Sequence[AnsweredQuestion], a: Side, b: Side) -> Advice:
    told = group_by(asked, lambda one: (_dtype(one.a.answer), _dtype(one.b.answer)))
    parts = [f"{one} instead of {other} for {truncate([each.subject for each in group], 6)}" for (other, one), group in told.items()]
    says = f"{b.framework} returns the same number as {a.framework} in another dtype: {'; '.join(parts)}."
    evidence = tuple(
        Evidence(CellRef(one.a, "answer", _dtype(one.a.answer)), CellRef(one.b, "answer", _dtype(one.b.answer))) for one in asked
    )
    return Advice(Topic.ARGUMENTS, Severity.SPELLING, says, _before(asked), evidence)


def _is_endless(cell: Cell) -> bool:
    return any(word in _number(cell.answer) for word in ("inf", "nan"))


def _before(asked: Iterable[AnsweredQuestion]) -> tuple[Replacement, ...]:
    """What to do before the loss, so that the answers do not differ."""
    if all(one.topic is Topic.EDGES for one in asked):
        return (Replacement(_EMPTY),)
    files = dict.fromkeys(one.question.file.stem for one in asked)
    phrases = dict.fromkeys(_BEFORE.get(name, "Check the arguments before the loss.") for name in files)
    return tuple(Replacement(phrase) for phrase in phrases)


def _raises(answer: str) -> bool:
    return answer.startswith(RAISES)


def _parts(answer: str) -> list[str]:
    return [*answer.split(BETWEEN), "", "", ""]


def _number(answer: str) -> str:
    """The value of an answer."""
    return printable(_parts(answer)[0], 80)


def _dtype(answer: str) -> str:
    return printable(_parts(answer)[1], 40)


def _warning(answer: str) -> bool:
    return any(part.startswith(WARNS) for part in answer.split(BETWEEN))
