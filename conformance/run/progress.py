"""The progress display on stderr: a line per framework, silent when nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from conformance.results.records import Cell, Outcome

ProgressCallback = Callable[[int, int], None]
"""Told how much of some work is done, and how much there is."""

_BAD = {Outcome.FAIL, Outcome.ERROR}


class ProgressDisplay(Progress):
    """Told the progress of a run, and draws it; use as a context manager."""

    def __init__(self, frameworks: Sequence[str]) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description:<17}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._of: dict[str, TaskID] = {name: self.add_task(name, total=None, start=False, note="waiting") for name in frameworks}
        self._bad: dict[str, int] = dict.fromkeys(frameworks, 0)

    def starting(self, framework: str) -> None:
        """Its worker is importing it."""
        self.start_task(self._of[framework])
        self.update(self._of[framework], note="importing")

    def planned(self, framework: str, count: int) -> None:
        """It is loaded and has this many items."""
        self.update(self._of[framework], total=count, note="")

    def checked(self, framework: str, cells: Sequence[Cell]) -> None:
        """One item is done."""
        self._bad[framework] += sum(cell.outcome in _BAD for cell in cells)
        note = f"{self._bad[framework]} not conforming" if self._bad[framework] else ""
        self.update(self._of[framework], advance=1, note=note)

    def ended(self, framework: str, note: str) -> None:
        """It is done, or could not run."""
        if note:
            self.update(self._of[framework], total=1, completed=1, note=note[:80])


@contextmanager
def counting(what: str) -> Iterator[ProgressCallback]:
    """One line for work of one kind; the function it gives is told how much of it is done, and of how much."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(bar_width=28), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, planned: progress.update(task, completed=done, total=planned)
