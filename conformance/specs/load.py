"""Everything under ``specs/``, read and checked except for what needs the oracle (see ``lint``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from conformance.specs.build import build_operation
from conformance.specs.deviations import build_deviations
from conformance.specs.grammar import BehaviourFile, ChecksFile, DeviationFile, ErrorModelFile, OperationFile, PolicyFile
from conformance.specs.model import Deviation, Operation, Policy, Procedure, Question, RoundingRule, Specs
from conformance.specs.policies import build_policies
from conformance.specs.problems import Problem, SpecError
from conformance.specs.procedures import FAMILIES
from conformance.specs.questions import build_questions
from conformance.specs.read import Reader
from conformance.specs.targets import TARGETS, collect_targets

ERROR_MODEL = "error-model.toml"
CHECKS = "checks.toml"
DEVIATIONS = "deviations"
BEHAVIOURS = "behaviours"
POLICIES = "policies"


def specs_root() -> Path:
    """The folder of the spec files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_specs"
    return installed if installed.is_dir() else package.parent / "specs"


def load(root: Path | None = None) -> Specs:
    """Read every spec under ``root`` (by default, those that came with the package).

    Raises:
        SpecError: the first mistake found, in one sentence: file, case, key, found, expected.
    """
    specs, problems = collect(specs_root() if root is None else root)
    if problems:
        raise SpecError(problems[0])
    return specs


def collect(root: Path) -> tuple[Specs, list[Problem]]:
    """Read every spec under ``root``: what could be read, and everything that was wrong."""
    reader = Reader(root)
    if not root.is_dir():
        reader.complain(root, "", "", "no such folder", "a folder of specs, with error-model.toml and one folder per family of operations")
        return Specs(root, {}, (), (), ""), reader.problems
    checks = reader.read(root / CHECKS, ChecksFile)
    model = reader.read(root / ERROR_MODEL, ErrorModelFile)
    rounding = () if model is None else tuple(RoundingRule(**table.model_dump()) for table in model.rounding)
    first_use: dict[str, Path] = {}
    operations = _operations(reader, root, checks, first_use)
    procedures = _procedures(reader, root, first_use)
    if not operations and not reader.problems:
        reader.complain(root, "", "", "no operation", "at least one file such as mse/mean.toml")
    sound = not reader.problems  # otherwise a check may be missing only because its case could not be read
    names = (
        frozenset(check for named in (operations, procedures) for operation in named.values() for check in operation.checks())
        if sound
        else None
    )
    deviations: list[Deviation] = []
    for file in sorted((root / DEVIATIONS).glob("*.toml")):
        if (table := reader.read(file, DeviationFile)) is not None:
            deviations += build_deviations(reader, file, table, names)
    questions: list[Question] = []
    for file in sorted((root / BEHAVIOURS).glob("*.toml")):
        if (asked := reader.read(file, BehaviourFile)) is not None:
            questions += build_questions(reader, file, asked, operations, questions)
    policies: list[Policy] = []
    for file in sorted((root / POLICIES).glob("*.toml")):
        if (declared := reader.read(file, PolicyFile)) is not None:
            policies += build_policies(reader, file, declared)
    if (root / TARGETS).exists():
        apart = Reader(root)  # no cell depends on what versions there are: the digest does not either
        collect_targets(apart, root)
        reader.problems += apart.problems
    specs = Specs(
        root=root,
        operations=operations,
        error_model=rounding,
        deviations=tuple(deviations),
        digest=_digest(reader, root),
        laws={} if checks is None else checks.laws,
        families={} if checks is None else checks.families,
        behaviours=tuple(questions),
        policies=tuple(policies),
        procedures=procedures,
    )
    return specs, reader.problems


def _operations(reader: Reader, root: Path, checks: ChecksFile | None, first_use: dict[str, Path]) -> dict[str, Operation]:
    operations: dict[str, Operation] = {}
    for file in sorted(root.rglob("*.toml")):
        folder = file.relative_to(root).parts[0]
        if folder in (DEVIATIONS, BEHAVIOURS, POLICIES, ERROR_MODEL, CHECKS, TARGETS, *FAMILIES):
            continue
        if (table := reader.read(file, OperationFile)) is None:
            continue
        name = _name_of(reader, root, file, table.operation, "operation")
        if checks is not None:
            _require_known(reader, file, "laws", table.laws, checks.laws)
            _require_known(reader, file, "families", table.families, checks.families)
        _require_own_ids(reader, file, [case.id for case in table.case], first_use)
        operations[name] = build_operation(reader, file, table)
    return operations


def _procedures(reader: Reader, root: Path, first_use: dict[str, Path]) -> dict[str, Procedure]:
    procedures: dict[str, Procedure] = {}
    for folder, family in FAMILIES.items():
        for file in sorted((root / folder).rglob("*.toml")):
            if (table := reader.read(file, family.model)) is None:
                continue
            name = _name_of(reader, root, file, table.procedure, "procedure")
            _require_own_ids(reader, file, [case.id for case in table.case], first_use)
            procedures[name] = family.build(reader, file, table)
    return procedures


def _name_of(reader: Reader, root: Path, file: Path, said: str, key: str) -> str:
    """What the file defines: its path, which it says itself too."""
    name = file.relative_to(root).with_suffix("").as_posix()
    if said != name:
        reader.complain(file, "", key, said, f"{name}, as the file is called")
    return name


def _require_own_ids(reader: Reader, file: Path, ids: list[str], first_use: dict[str, Path]) -> None:
    for id_ in ids:
        if (before := first_use.setdefault(id_, file)) != file:
            reader.complain(file, id_, "id", f"an id that {before.name} uses too", "an id of its own")
    for again in dict.fromkeys(id_ for i, id_ in enumerate(ids) if id_ in ids[:i]):
        reader.complain(file, again, "id", "an id that the file uses twice", "an id of its own")


def _require_known(reader: Reader, file: Path, key: str, names: Iterable[str], known: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name not in known:
            reader.complain(file, "", key, f"unknown name {name}", f"one of {', '.join(known)}, from {CHECKS}")
        if name in seen:
            reader.complain(file, "", key, f"{name} twice", "each name once")
        seen.add(name)


def _digest(reader: Reader, root: Path) -> str:
    """SHA-256 over the path and content of every file that was read; line endings do not count."""
    digest = hashlib.sha256()
    for file, content in sorted(reader.contents.items()):
        text = content.replace(b"\r\n", b"\n")
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()
