"""Which results files a comparison needs, and which framework a name stands for: only the files of the two sides are read whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.merging import find, merge
from conformance.reports.porting.sides import RAN, Side, SideError, side_of
from conformance.results import Results, read, read_header


def choose(a: str, b: str, paths: Sequence[Path]) -> tuple[Side, Side]:
    """The two sides, each given as ``framework`` or ``framework:implementation``, from these files and folders.

    Raises:
        ResultsError: a file cannot be believed, or the two sides were judged by different specs.
        SideError: the results do not hold a side.
    """
    files: dict[str, list[Path]] = {}
    for path in find(paths):
        files.setdefault(read_header(path).environment.framework, []).append(path)
    names = [name.partition(":")[0] for name in (a, b)]
    loaded = {framework: merge(map(read, files[framework])) for name in names for framework in meant(name, list(files))}
    frameworks, sentences = zip(*(_framework(name, other, loaded) for name, other in (names, names[::-1])), strict=True)
    merge(part for framework in dict.fromkeys(frameworks) for part in loaded[framework])  # refuses what different specs have judged
    one, other = (
        side_of(loaded[framework], framework, given.partition(":")[2], sentence)
        for framework, given, sentence in zip(frameworks, (a, b), sentences, strict=True)
    )
    return one, other


def meant(name: str, present: Sequence[str]) -> list[str]:
    """The frameworks that a name may mean: the one that is called so, else those whose name it begins.

    Raises:
        SideError: there is none.
    """
    found = [name] if name in present else [one for one in present if name and one.startswith(f"{name}-")]
    if not found:
        raise SideError(f"found the framework {name!a}, expected one that the results hold: {', '.join(map(ascii, present)) or 'nothing'}")
    return found


def _framework(name: str, other: str, loaded: Mapping[str, Sequence[Results]]) -> tuple[str, str]:
    """The framework that a name stands for, and a sentence if it could have been another one.

    Of several backends it is that on the other side, so that what differs is not the backend; else the one of which most ran.
    """
    found = meant(name, list(loaded))
    ran = {one: sum(cell.outcome in RAN for part in loaded[one] for cell in part.cells) for one in found}
    best = max(found, key=lambda one: (one == f"{name}-{other}", ran[one]))
    others = ", ".join(one for one in found if one != best)
    return best, f"{name} stands for {best} here; there is also {others}." if others else ""
