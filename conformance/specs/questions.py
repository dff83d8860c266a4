"""Questions that are asked and not judged: from their tables to values, every number of every argument checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from conformance.numerics.definition import Weights
from conformance.numerics.formats import FORMATS, Array
from conformance.specs.arrays import ArrayError, Numbers, parse_array
from conformance.specs.grammar import ArgumentTable, BehaviourFile, QuestionTable
from conformance.specs.literals import spell
from conformance.specs.model import Argument, Operation, Question
from conformance.specs.read import Reader

_PARTS = {"complex64": "float32", "complex128": "float64"}
"""The format of both parts of a complex number."""


def build_questions(
    reader: Reader, file: Path, table: BehaviourFile, operations: Mapping[str, Operation], before: Sequence[Question]
) -> list[Question]:
    """The questions of one file; mistakes in it are complained about to ``reader`` and left out.

    ``operations`` are those there are, ``before`` the questions of the files read already. A question with a weight is asked of
    operations that have weights, one without of the others.
    """
    taken = {question.id for question in before}
    questions = []
    for entry in table.question:
        if entry.id in taken:
            reader.complain(file, entry.id, "id", "an id that another question has", "an id of its own")
        taken.add(entry.id)
        if (question := _build(reader, file, entry, operations)) is not None:
            questions.append(question)
    return questions


def _build(reader: Reader, file: Path, table: QuestionTable, operations: Mapping[str, Operation]) -> Question | None:
    known = [name for name, o in operations.items() if (o.definition.weights is Weights.NONE) == (table.weight is None)]
    having = "with" if table.weight else "without"
    for i, glob in enumerate(table.operations):
        if operations and not any(fnmatchcase(name, glob) for name in known):
            found, expected = f"{glob}, which matches no operation {having} weights", f"one of {', '.join(known) or 'none'}, or a glob"
            reader.complain(file, table.id, f"operations[{i}]", found, expected)
    prediction = _argument(reader, file, table.id, "prediction", table.prediction)
    target = _argument(reader, file, table.id, "target", table.target)
    weight = None if table.weight is None else _argument(reader, file, table.id, "weight", table.weight)
    if prediction is None or target is None or (weight is None and table.weight is not None):
        return None
    asked = tuple(name for name in known if any(fnmatchcase(name, glob) for glob in table.operations))
    return Question(table.id, table.title, table.why, asked, prediction, target, weight, file)


def _argument(reader: Reader, file: Path, name: str, key: str, table: ArgumentTable) -> Argument | None:
    real = _part(reader, file, name, f"{key}.values", table.values, table.dtype)
    if table.dtype not in _PARTS:
        if table.imaginary is not None:
            reader.complain(file, name, f"{key}.imaginary", "imaginary parts", f"none, because {table.dtype} is not complex")
            return None
        return None if real is None else Argument(table.dtype, table.given, partial(_filled, real, table.dtype))
    imaginary = _part(reader, file, name, f"{key}.imaginary", 0 if table.imaginary is None else table.imaginary, table.dtype)
    if real is None or imaginary is None:
        return None
    if imaginary.shape not in (real.shape, ()):
        reader.complain(file, name, f"{key}.imaginary", f"shape {imaginary.shape}", f"{real.shape}, the shape of values")
        return None
    return Argument(table.dtype, table.given, partial(_complex, real, imaginary, table.dtype))


def _part(reader: Reader, file: Path, name: str, key: str, raw: object, dtype: str) -> Numbers | None:
    try:
        numbers = parse_array(raw, fractions=False)
        _require_held(numbers, _PARTS.get(dtype, dtype))
    except ArrayError as error:
        reader.complain(file, name, key + error.where, error.found, error.expected)
        return None
    return numbers


def _require_held(numbers: Numbers, dtype: str) -> None:
    """Check that every number is one of ``dtype``, a format, an integer type or bool.

    Raises:
        ArrayError: the first that is not, and where.
    """
    if dtype in FORMATS:
        numbers.require_held(dtype)
        return
    low, high = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    for number, place in zip(numbers.written, numbers.places, strict=True):
        if not isinstance(number, Fraction) or number.denominator != 1 or not low <= number <= high:
            raise ArrayError(place, f"{spell(number)}, which {dtype} cannot hold", f"an integer from {low} to {high}")


def _filled(numbers: Numbers, dtype: str) -> Array:
    if dtype in FORMATS:
        return numbers.array(dtype)
    written = np.array([int(number) for number in numbers.written], dtype=dtype)
    return written[numbers.index()].reshape(numbers.shape)


def _complex(real: Numbers, imaginary: Numbers, dtype: str) -> Array:
    part = _PARTS[dtype]
    made: Array = (real.array(part) + 1j * imaginary.array(part)).astype(dtype)
    return made
