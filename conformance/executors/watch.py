"""A profile that notices whether a check drew its inputs: what was found without drawing holds whatever the seed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from conformance.profiles import Profile


@dataclass(frozen=True)
class WatchedProfile(Profile):
    """A profile with a seed of its own. Every generated input depends on the seed, so who never read it has drawn nothing."""

    reads: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, profile: Profile, seed: int | None) -> WatchedProfile:
        """The same profile, drawing from another seed."""
        return cls(**{f.name: getattr(profile, f.name) for f in fields(Profile) if f.name != "seed"}, seed=seed)

    @property
    def drawn(self) -> bool:
        """Whether the seed was read."""
        return bool(self.reads)

    def __getattribute__(self, name: str) -> Any:
        if name == "seed":
            object.__getattribute__(self, "reads").append(name)
        return object.__getattribute__(self, name)
