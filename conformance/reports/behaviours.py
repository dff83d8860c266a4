"""Answers to questions that are not judged, brought together: who answers alike, and where frameworks differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from conformance.reports.causes import CellGroup, gaps
from conformance.reports.text import group_by, printable, targets_in_words
from conformance.results.records import BETWEEN, RAISES, WARNS, Cell, Outcome

_PARTS = 4
"""Of an answer before its warnings: value, dtype, shape, type."""


@dataclass(frozen=True)
class BehaviourAnswer:
    """Cells that answer a question alike."""

    cells: tuple[Cell, ...]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The answer; of exceptions every message, since each framework has its own."""
        return tuple(dict.fromkeys(_without_own_type(cell) for cell in self.cells))

    @cached_property
    def where(self) -> list[str]:
        """The targets that give it, in few words. Their dtype says nothing: the arguments have their own."""
        return targets_in_words(cell.target.model_copy(update={"dtype": "*"}) for cell in self.cells)


@dataclass(frozen=True)
class BehaviourQuestion:
    """One question to one operation, and what came of it: the answer that most targets give first."""

    check: str
    title: str
    answers: tuple[BehaviourAnswer, ...]

    @property
    def differs(self) -> bool:
        """Whether not all who were asked answer alike."""
        return len(self.answers) > 1

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types."""
        answers = [{"answer": list(answer.words), "targets": answer.where, "cells": len(answer.cells)} for answer in self.answers]
        return {"check": self.check, "title": self.title, "differs": self.differs, "answers": answers}


@dataclass(frozen=True)
class Behaviours:
    """All that was asked and not judged."""

    asked: tuple[BehaviourQuestion, ...] = ()
    unanswered: tuple[CellGroup, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.asked or self.unanswered)

    @property
    def differing(self) -> tuple[BehaviourQuestion, ...]:
        """The questions that are answered in more than one way."""
        return tuple(asked for asked in self.asked if asked.differs)

    @property
    def agreed(self) -> tuple[BehaviourQuestion, ...]:
        """The questions that are answered in one way."""
        return tuple(asked for asked in self.asked if not asked.differs)


def is_judged(cell: Cell) -> bool:
    """Whether a cell has a verdict, or lacks one: behaviours are only recorded, and stand in no count."""
    return cell.kind != "behaviour"


def behaviours(cells: Iterable[Cell]) -> Behaviours:
    """Bring the behaviours among these cells together, by question and operation in the order in which they were asked."""
    recorded = [cell for cell in cells if not is_judged(cell)]
    answered = group_by((cell for cell in recorded if cell.outcome is Outcome.PASS), lambda cell: cell.check)
    unanswered = gaps(recorded, Outcome.ERROR, Outcome.FAIL, Outcome.DEVIATION, Outcome.UNSUPPORTED, Outcome.NOT_RUN)
    mean_first = sorted(answered.items(), key=lambda item: not item[1][0].operation.endswith("/mean"))
    return Behaviours(tuple(_asked(check, given) for check, given in mean_first), unanswered)


def _asked(check: str, cells: list[Cell]) -> BehaviourQuestion:
    alike = group_by(cells, normalized_answer).values()
    answers = sorted((BehaviourAnswer(tuple(members)) for members in alike), key=lambda answer: -len(answer.cells))
    return BehaviourQuestion(check, printable(cells[0].reason, 200) or check, tuple(answers))


def normalized_answer(cell: Cell) -> tuple[str, ...]:
    """What answers must share to be alike.

    Each framework has a tensor type, exceptions and words of its own; that it raises or warns, and what a foreign type it returns, counts.
    """
    if cell.answer.startswith(RAISES):
        return (RAISES,)
    return tuple(part.partition(":")[0] if part.startswith(WARNS) else part for part in _without_own_type(cell).split(BETWEEN))


def _without_own_type(cell: Cell) -> str:
    parts = cell.answer.split(BETWEEN)
    if cell.answer.startswith(RAISES) or len(parts) < _PARTS or not _is_own(parts[_PARTS - 1], cell.target.framework):
        return cell.answer
    return BETWEEN.join([*parts[: _PARTS - 1], *parts[_PARTS:]])


def _is_own(kind: str, framework: str) -> bool:
    """Whether a type is of the framework's own package: ``torch.Tensor`` of keras-torch, ``jaxlib.ArrayImpl`` of jax."""
    return any(part and kind.startswith(part) for part in framework.split("-"))
