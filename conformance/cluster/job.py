"""What a job is asked to do: one shard of one framework's run, said in plain types so that it can travel, and where it is done."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from conformance.cluster.package import dependencies
from conformance.frameworks.info import FrameworkInfo
from conformance.results.records import Shard
from conformance.run.plan import Selection
from conformance.specs.targets import VersionEnvironment

_RAY_NAMES = {"cuda": "GPU", "gpu": "GPU", "tpu": "TPU"}


class JobSpec(BaseModel):
    """One shard of one framework's run, as its process reads it from its standard input.

    Subject files stay at home: they may import whatever lies beside them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    framework: str
    shard: Shard
    profile: str
    seed: int | None
    timeout: float
    memory: int | None
    selection: Selection


@dataclass(frozen=True)
class JobTarget:
    """A framework and the environment to run it in; without one it is run as it is found."""

    framework: FrameworkInfo
    environment: VersionEnvironment | None = None


@dataclass(frozen=True)
class Job:
    """A specification, and where it is run."""

    spec: JobSpec
    target: JobTarget

    @property
    def stem(self) -> str:
        """What its results file is called, less its ending."""
        made = self.target.environment
        return f"{made.name if made else self.spec.framework}-{self.spec.shard.number}-of-{self.spec.shard.of}"

    @property
    def accelerators(self) -> tuple[str, ...]:
        """Those that it can use, as Ray calls them."""
        return tuple(dict.fromkeys(_RAY_NAMES[kind] for kind in self.target.framework.device_kinds if kind in _RAY_NAMES))

    @property
    def wanted(self) -> tuple[str, tuple[str, ...], str, tuple[str, ...], str]:
        """What a machine is asked for: the arguments of :func:`conformance.cluster.node.run_job` after the suite."""
        spec, made = self.spec.model_dump_json(), self.target.environment
        if made is None:
            return spec, (), "", (), ""
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        return spec, made.requirements, made.python, tuple(dependencies()), own
