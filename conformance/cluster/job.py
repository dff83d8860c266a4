"""What a job is asked to do: one shard of one framework's run, said in plain types so that it can travel."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from conformance.results.records import Shard
from conformance.run.plan import Selection
from conformance.run.profiles import Profile, profile_of

_SELECTED = ("devices", "modes", "dtypes", "operations", "implementations", "checks")
"""What a specification takes over from a selection."""


class JobSpec(BaseModel):
    """One shard of one framework's run, as its process reads it from its standard input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    framework: str
    shard: Shard
    profile: str
    seed: int | None
    timeout: float
    memory: int | None = None
    devices: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    implementations: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @classmethod
    def of(cls, framework: str, shard: Shard, profile: Profile, selection: Selection, memory: int | None) -> JobSpec:
        """The specification of a shard of a run. Subject files stay at home: they may import whatever lies beside them."""
        return cls(
            framework=framework,
            shard=shard,
            profile=profile.name,
            seed=profile.budget.seed,
            timeout=profile.timeout,
            memory=memory,
            **{name: tuple(getattr(selection, name)) for name in _SELECTED},
        )

    def asked(self) -> tuple[Profile, Selection]:
        """The profile and the selection of the run that the shard is of."""
        profile = profile_of(self.profile, self.seed, self.timeout)
        return profile, Selection(frameworks=(self.framework,), **{name: getattr(self, name) for name in _SELECTED})
