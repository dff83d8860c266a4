"""Everything under ``specs/``, read and checked except for what needs the oracle (see ``lint``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from conformance.numerics.bounds.error_model import RoundingStep
from conformance.specs.build import build_operation
from conformance.specs.deviations import build_deviations
from conformance.specs.grammar import (
    BehaviourFile,
    ChecksFile,
    DeviationFile,
    ErrorModelFile,
    OperationFile,
    PolicyFile,
)
from conformance.specs.model import Deviation, Operation, Policy, Procedure, Question, Specs
from conformance.specs.policies import build_policies
from conformance.specs.problems import Problem, SpecContext, SpecError
from conformance.specs.procedures import PROCEDURE_FAMILIES
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
    whole = reader.context(root)
    if not root.is_dir():
        whole.complain("", "no such folder", "a folder of specs, with error-model.toml and one folder per family of operations")
        return Specs(root, {}, (), (), ""), reader.problems
    checks = reader.read(root / CHECKS, ChecksFile)
    model = reader.read(root / ERROR_MODEL, ErrorModelFile)
    rounding = () if model is None else tuple(RoundingStep(**table.model_dump()) for table in model.rounding)
    first_use: dict[str, Path] = {}
    operations = _operations(reader, checks, first_use)
    procedures = _procedures(reader, first_use)
    if not operations and not reader.problems:
        whole.complain("", "no operation", "at least one file such as mse/mean.toml")
    sound = not reader.problems  # otherwise a check may be missing only because its case could not be read
    both: tuple[Operation | Procedure, ...] = (*operations.values(), *procedures.values())
    names = frozenset(check for one in both for check in one.checks()) if sound else None
    deviations: list[Deviation] = []
    for context, departures in reader.tables((root / DEVIATIONS).glob("*.toml"), DeviationFile):
        deviations += build_deviations(context, departures, names)
    questions: list[Question] = []
    for context, asked in reader.tables((root / BEHAVIOURS).glob("*.toml"), BehaviourFile):
        questions += build_questions(context, asked, operations, questions)
    policies: list[Policy] = []
    for context, declared in reader.tables((root / POLICIES).glob("*.toml"), PolicyFile):
        policies += build_policies(context, declared)
    if (root / TARGETS).exists():
        apart = Reader(root)  # no cell depends on what versions there are: the digest does not either
        collect_targets(apart)
        reader.problems += apart.problems
    specs = Specs(
        root=root,
        operations=operations,
        error_model=rounding,
        deviations=tuple(deviations),
        digest=_digest(reader),
        laws={} if checks is None else checks.laws,
        families={} if checks is None else checks.families,
        behaviours=tuple(questions),
        policies=tuple(policies),
        procedures=procedures,
    )
    return specs, reader.problems


def _operations(reader: Reader, checks: ChecksFile | None, first_use: dict[str, Path]) -> dict[str, Operation]:
    others = (DEVIATIONS, BEHAVIOURS, POLICIES, ERROR_MODEL, CHECKS, TARGETS, *PROCEDURE_FAMILIES)
    files = (file for file in reader.root.rglob("*.toml") if file.relative_to(reader.root).parts[0] not in others)
    operations: dict[str, Operation] = {}
    for context, table in reader.tables(files, OperationFile):
        name = _name_of(context, reader.root, table.operation, "operation")
        if checks is not None:
            _require_known(context, "laws", table.laws, checks.laws)
            _require_known(context, "families", table.families, checks.families)
        _require_own_ids(context, [case.id for case in table.case], first_use)
        operations[name] = build_operation(context, table)
    return operations


def _procedures(reader: Reader, first_use: dict[str, Path]) -> dict[str, Procedure]:
    procedures: dict[str, Procedure] = {}
    for folder, family in PROCEDURE_FAMILIES.items():
        for context, table in reader.tables((reader.root / folder).rglob("*.toml"), family.model):
            name = _name_of(context, reader.root, table.procedure, "procedure")
            _require_own_ids(context, [case.id for case in table.case], first_use)
            procedures[name] = family.build(context, table)
    return procedures


def _name_of(context: SpecContext, root: Path, said: str, key: str) -> str:
    """What the file defines: its path, which it says itself too."""
    name = context.file.relative_to(root).with_suffix("").as_posix()
    if said != name:
        context.complain(key, said, f"{name}, as the file is called")
    return name


def _require_own_ids(context: SpecContext, ids: list[str], first_use: dict[str, Path]) -> None:
    for id_ in ids:
        if (before := first_use.setdefault(id_, context.file)) != context.file:
            context.named(id_).complain("id", f"an id that {before.name} uses too", "an id of its own")
    for again in dict.fromkeys(id_ for i, id_ in enumerate(ids) if id_ in ids[:i]):
        context.named(again).complain("id", "an id that the file uses twice", "an id of its own")


def _require_known(context: SpecContext, key: str, names: Iterable[str], known: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name not in known:
            context.complain(key, f"unknown name {name}", f"one of {', '.join(known)}, from {CHECKS}")
        if name in seen:
            context.complain(key, f"{name} twice", "each name once")
        seen.add(name)


def _digest(reader: Reader) -> str:
    """SHA-256 over the path and content of every file that was read; line endings do not count."""
    digest = hashlib.sha256()
    for file, content in sorted(reader.contents.items()):
        text = content.replace(b"\r\n", b"\n")
        digest.update(f"{file.relative_to(reader.root).as_posix()}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()
