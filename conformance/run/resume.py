"""Going on with a run that was interrupted: what its results file holds is kept, and only what is missing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.mistake import Mistake
from conformance.results.reading import Results, read
from conformance.results.records import MAX_LINE, Cell, Header
from conformance.results.writing import Writer
from conformance.run.plan import PlannedCheck

_OWN = ("run", "started")
"""What the header of every run has of its own."""


@dataclass(frozen=True)
class ResumePoint:
    """What is to be kept of a results file: whole items, in its first ``size`` bytes."""

    path: Path
    header: Header
    cells: tuple[Cell, ...] = ()
    size: int = 0
    complete: bool = False

    def writer(self) -> Writer:
        """Appends to what is kept, or begins the file."""
        return Writer(self.path, self.header, self.cells, self.size)


def load_resume_point(path: Path, header: Header, planned: Sequence[PlannedCheck]) -> ResumePoint:
    """What a results file holds of the run that the header describes; nothing where there is no file, or none of a framework that ran.

    Raises:
        Mistake: the file cannot be read, or is of another run.
    """
    found = _read(path)
    if found is None:
        return ResumePoint(path, header)
    _require_same(found, header)
    cells = _whole_items(found, planned)
    with path.open("rb") as file:
        size = sum(len(file.readline()) for _ in range(1 + len(cells)))
    return ResumePoint(path, found.header, cells, size, found.complete)


def _read(path: Path) -> Results | None:
    """The file, if a framework ran and its header was written to the end."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        if not file.readline(MAX_LINE).endswith(b"\n"):
            return None
    found = read(path)
    return found if found.header.environment.version else None


def _require_same(found: Results, asked: Header) -> None:
    """The header of a results file holds for all of its cells: nothing else may be appended."""
    before, now = ({**header.environment.model_dump(), **header.model_dump(exclude={"environment"})} for header in (found.header, asked))
    differing = [key for key in now if key not in _OWN and before[key] != now[key]]
    if differing:
        key = differing[0]
        raise Mistake(
            f"{found.path}: {key.replace('_', ' ')}: found {_shown(before[key])}, expected {_shown(now[key])} as of this run: "
            "go on as it was begun, or run without --resume"
        )


def _shown(value: object) -> str:
    return "none" if value in (None, "", {}, ()) else f"{value!a:.80}"


def _whole_items(found: Results, planned: Sequence[PlannedCheck]) -> tuple[Cell, ...]:
    """All cells, less those of a last item that is there in part."""
    cells = found.cells
    if found.complete or not cells:
        return cells
    last = (cells[-1].check, cells[-1].target.id)
    have = {cell.quantity for cell in cells if (cell.check, cell.target.id) == last}
    item = next((item for item in planned if (item.check.id, item.target.id) == last), None)
    if item is None or have >= {quantity.value for quantity in item.check.quantities}:
        return cells
    return tuple(cell for cell in cells if (cell.check, cell.target.id) != last)
