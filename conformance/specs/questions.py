"""Questions that are asked and not judged: from their tables to values, every number of every argument checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial

import numpy as np

from conformance.numerics.definition import Weights
from conformance.numerics.formats import FORMATS, Array
from conformance.specs.arrays import Numbers
from conformance.specs.grammar import ArgumentTable, BehaviourFile, QuestionTable
from conformance.specs.model import Argument, Operation, Question
from conformance.specs.problems import SpecContext

_PARTS = {"complex64": "float32", "complex128": "float64"}
"""The format of both parts of a complex number."""


def build_questions(
    context: SpecContext, table: BehaviourFile, operations: Mapping[str, Operation], before: Sequence[Question]
) -> list[Question]:
    """The questions of one file; mistakes in it are complained about and left out.

    ``operations`` are those there are, ``before`` the questions of the files read already. A question with a weight is asked of
    operations that have weights, one without of the others.
    """
    taken = {question.id for question in before}
    questions = []
    for entry in table.question:
        own = context.named(entry.id)
        if entry.id in taken:
            own.complain("id", "an id that another question has", "an id of its own")
        taken.add(entry.id)
        if (question := _build(own, entry, operations)) is not None:
            questions.append(question)
    return questions


def _build(context: SpecContext, table: QuestionTable, operations: Mapping[str, Operation]) -> Question | None:
    known = [name for name, o in operations.items() if (o.definition.weights is Weights.NONE) == (table.weight is None)]
    having = "with" if table.weight else "without"
    for i, glob in enumerate(table.operations):
        if operations and not any(fnmatchcase(name, glob) for name in known):
            found, expected = f"{glob}, which matches no operation {having} weights", f"one of {', '.join(known) or 'none'}, or a glob"
            context.complain(f"operations[{i}]", found, expected)
    prediction = _argument(context.table("prediction"), table.prediction)
    target = _argument(context.table("target"), table.target)
    weight = None if table.weight is None else _argument(context.table("weight"), table.weight)
    if prediction is None or target is None or (weight is None and table.weight is not None):
        return None
    asked = tuple(name for name in known if any(fnmatchcase(name, glob) for glob in table.operations))
    return Question(table.id, table.title, table.why, asked, prediction, target, weight, context.file)


def _argument(context: SpecContext, table: ArgumentTable) -> Argument | None:
    part = _PARTS.get(table.dtype, table.dtype)
    real = context.array("values", table.values, dtypes=[part])
    if table.dtype not in _PARTS:
        if table.imaginary is not None:
            context.complain("imaginary", "imaginary parts", f"none, because {table.dtype} is not complex")
            return None
        return None if real is None else Argument(table.dtype, table.given, partial(_filled, real, table.dtype))
    imaginary = context.array("imaginary", 0 if table.imaginary is None else table.imaginary, dtypes=[part])
    if real is None or imaginary is None:
        return None
    if imaginary.shape not in (real.shape, ()):
        context.complain("imaginary", f"shape {imaginary.shape}", f"{real.shape}, the shape of values")
        return None
    return Argument(table.dtype, table.given, partial(_complex, real, imaginary, table.dtype))


def _filled(numbers: Numbers, dtype: str) -> Array:
    if dtype in FORMATS:
        return numbers.array(dtype)
    written = np.array([int(number) for number in numbers.written], dtype=dtype)
    return written[numbers.index()].reshape(numbers.shape)


def _complex(real: Numbers, imaginary: Numbers, dtype: str) -> Array:
    part = _PARTS[dtype]
    made: Array = (real.array(part) + 1j * imaginary.array(part)).astype(dtype)
    return made
