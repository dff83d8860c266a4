"""The framework versions that the matrix is made of: ``targets.toml`` read, and what each of its environments installs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.specs.grammar import MatrixTable, TargetsFile
from conformance.specs.problems import SpecContext, SpecError
from conformance.specs.read import Reader
from conformance.specs.where import require_specifier

TARGETS = "targets.toml"


@dataclass(frozen=True)
class VersionEnvironment:
    """One version of one distribution: where it is installed, and what with. The suite is not: it runs beside."""

    name: str
    framework: str
    version: str
    python: str
    requirements: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Targets:
    """All of the file."""

    options: tuple[str, ...]
    tables: tuple[MatrixTable, ...]
    python: str

    def environments(self) -> Iterator[VersionEnvironment]:
        """Every environment, in the order of the file."""
        for table in self.tables:
            yield from (self.environment(table, version) for version in table.versions)

    def environment(self, table: MatrixTable, version: str) -> VersionEnvironment:
        """That of any version of the table's distribution, whether or not the table lists it."""
        applying = [pins for pins in table.pins if SpecifierSet(pins.versions).contains(version, prereleases=True)]
        pinned = [package for pins in applying for package in pins.packages]
        given = [f"{table.distribution}=={version}", *(package.format(version=version) for package in table.with_)]
        named = {Requirement(package).name for package in pinned}
        kept = [package for package in given if Requirement(package).name not in named]  # a pin takes the place of a plain name
        python = next((pins.python for pins in reversed(applying) if pins.python), table.python or self.python)
        return VersionEnvironment(f"{table.name}-v{version}", table.framework, version, python, (*kept, *pinned), table.label)

    def pythons(self, table: MatrixTable) -> tuple[str, ...]:
        """Every Python that versions of the table are installed with."""
        return tuple(dict.fromkeys(filter(None, [table.python or self.python, *(pins.python for pins in table.pins)])))

    def table_of(self, framework: str, distribution: str = "") -> MatrixTable | None:
        """The first table of a framework, or that of one of its distributions."""
        return next((t for t in self.tables if t.framework == framework and distribution in ("", t.distribution)), None)


def read_targets(root: Path) -> Targets:
    """Read the file among the specs.

    Raises:
        SpecError: the first mistake found, in one sentence.
    """
    reader = Reader(root)
    targets = collect_targets(reader)
    if targets is None or reader.problems:
        raise SpecError(reader.problems[0])
    return targets


def collect_targets(reader: Reader) -> Targets | None:
    """Read the file; every mistake is complained about to ``reader``."""
    file = reader.root / TARGETS
    read = reader.read(file, TargetsFile)
    if read is None:
        return None
    context = reader.context(file)
    for table in read.matrix:
        _check(context.named(table.name), table)
    names = [table.name for table in read.matrix]
    for again in dict.fromkeys(name for i, name in enumerate(names) if name in names[:i]):
        context.named(again).complain("name", "a name that the file uses twice", "a name of its own")
    return Targets(tuple(read.selection.options), tuple(read.matrix), read.python)


def _check(context: SpecContext, table: MatrixTable) -> None:
    for version in table.versions:
        try:
            Version(version)
        except InvalidVersion:
            context.complain("versions", repr(version), "the number of a release, such as 2.13.1")
    for pins in table.pins:
        require_specifier(context, "pins.versions", pins.versions, repr(pins.versions))
        if not (pins.packages or pins.python):
            context.complain("pins", "neither packages nor python", "what these versions need")
    for package in (*table.with_, *(package for pins in table.pins for package in pins.packages)):
        try:
            Requirement(package.replace("{version}", "1"))
        except InvalidRequirement:
            context.complain("with", repr(package), 'a requirement such as "numpy<2"')
