"""The families of procedures: for each folder of them the format of its files, and what makes a procedure of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.specs.grammar import ProcedureFile, ReplicasFile, TrainingFile
from conformance.specs.model import Procedure
from conformance.specs.read import Reader
from conformance.specs.replicas import build_replicas
from conformance.specs.training import build_training


@dataclass(frozen=True)
class Family:
    """``build`` makes the procedure of one file; mistakes in it are complained about, and the cases that have them are left out."""

    model: type[ProcedureFile]
    build: Callable[[Reader, Path, Any], Procedure]


FAMILIES: Mapping[str, Family] = {
    "training": Family(TrainingFile, build_training),
    "replicas": Family(ReplicasFile, build_replicas),
}
"""By the folder that the files are in."""
