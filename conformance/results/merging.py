"""Which results files may be shown together: found among paths, whole, each of them once, all judged by the same specs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.results.reading import Results, ResultsError


def find(paths: Sequence[Path]) -> list[Path]:
    """List the results files among ``paths``, folders searched for ``*.jsonl`` and ``*.jsonl.gz``.

    Raises:
        ResultsError: a folder holds none, or one file is there twice, by two names or because it is given twice.
    """
    found: dict[str, Path] = {}
    for path in paths:
        inside = _inside(path) if path.is_dir() else [path]
        if not inside:
            raise ResultsError(f"{path}: the folder holds no *.jsonl or *.jsonl.gz file, expected at least one results file")
        for file in inside:
            real = os.path.realpath(file)  # which follows a ring of links to nowhere, and then reading it complains
            if real in found:
                raise ResultsError(f"{file}: found the same file as {found[real]}, expected each results file once")
            found[real] = file
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    """The results files of a folder and its folders; to read a pipe or a device among them might never end."""
    named = sorted([*folder.rglob("*.jsonl"), *folder.rglob("*.jsonl.gz")])
    if odd := next((file for file in named if file.exists() and not file.is_file()), None):
        raise ResultsError(f"{odd}: found something that is not a plain file, expected a results file")
    return named


def merge(parts: Iterable[Results]) -> list[Results]:
    """Keep the results that may be shown together: whole files of one specs digest, each of them once.

    Two files of one run that differ are both kept, and so are two runs of the same targets: whoever shows them must show both,
    and where they disagree. A run that did not reach its end is kept too, and is incomplete.

    Raises:
        ResultsError: two parts were judged by different specs, one is a copy or an earlier state of another, or one ends inside a record.
    """
    kept: list[Results] = []
    for part in parts:
        if part.torn:
            raise ResultsError(
                f"{part.path}:{part.torn}: the file ends in the middle of a record, expected whole records: "
                "copy it again, or go on with its run by --resume"
            )
        if kept and part.header.specs_digest != kept[0].header.specs_digest:
            raise ResultsError(
                f"{part.path}: specs digest {part.header.specs_digest[:12]!a}, but {kept[0].path} has "
                f"{kept[0].header.specs_digest[:12]!a}: results of different specs cannot be merged"
            )
        for other in kept:
            _require_another(other, part)
        kept.append(part)
    return kept


def _require_another(one: Results, other: Results) -> None:
    """That two files are not the same one at the same time, or at two times of its run."""
    same = _continues(one, other), _continues(other, one)
    if all(same):
        raise ResultsError(f"{other.path}: found a copy of {one.path}, expected each results file once")
    if any(same):
        earlier, later = (other, one) if same[0] else (one, other)
        raise ResultsError(f"{earlier.path}: found an earlier state of {later.path}, expected each results file once")


def _continues(whole: Results, part: Results) -> bool:
    """Whether ``whole`` is the same file as ``part``, at the same time or later."""
    return (
        whole.header == part.header
        and whole.cells[: len(part.cells)] == part.cells
        and (part.footer is None or part.footer == whole.footer)
    )
