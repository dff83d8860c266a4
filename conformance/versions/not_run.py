"""What of the matrix has no results file gets one in which every check is not run: ``python -m conformance.versions.not_run FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.frameworks.registry import frameworks
from conformance.judges.protocol import Description
from conformance.results.writing import Writer
from conformance.run.engine import Run
from conformance.run.plan import Selection, not_run_cells
from conformance.run.profiles import PROFILES
from conformance.specs.grammar import MATRIX
from conformance.specs.load import load, specs_root
from conformance.specs.model import Specs
from conformance.specs.targets import VersionEnvironment, read_targets

NOT_RUN = "not-run"
"""The run that such a file says it is of."""
REASON = "the environment {name} wrote no results: it was not made, could not be, or its run did not begin"


def mark(folder: Path, specs: Specs, environments: list[VersionEnvironment], options: Selection) -> list[str]:
    """Write a results file for every environment that has none in ``folder``; return their names."""
    run, known = Run(specs, PROFILES["quick"], options, folder, run_id=NOT_RUN), frameworks()
    missing = [one for one in environments if one.label == MATRIX and not any((folder / one.name).rglob("*.jsonl"))]
    for one in missing:
        header = run.header(Description(framework=one.framework, version=one.version))
        with Writer(folder / one.name / "results" / f"{one.framework}.jsonl", header) as writer:
            writer.append(*not_run_cells(known[one.framework], run.checks, options, ("cpu",), REASON.format(name=one.name)))
            writer.close(0.0)
    return [one.name for one in missing]


def selection(options: tuple[str, ...]) -> Selection:
    """What the options of the matrix select, as far as they are about checks."""
    pairs = list(zip(options[::2], options[1::2], strict=True))

    def given(option: str) -> tuple[str, ...]:
        return tuple(value for name, value in pairs if name == option)

    return Selection(operations=given("--operation"), checks=given("--check"))


def main() -> None:
    """Mark, and say what was marked."""
    folder = Path(sys.argv[1])
    targets = read_targets(specs_root())
    for name in mark(folder, load(), list(targets.environments()), selection(targets.options)):
        print(f"not run: {name}")  # noqa: T201 - a program of tox, whose output is its report


if __name__ == "__main__":
    main()
