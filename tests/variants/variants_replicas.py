"""Right replicas, and different: means scaled by their share, other orders, sums that go round. None may be accused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Floats
from parts_replicas import Replicas, spreads


@spreads
class PlainReplicas(Replicas):
    """What the wrong ones are made from."""


@spreads
class ScaleTheirMeans(Replicas):
    """Each mean is multiplied by its share of all elements and by the number of replicas, then averaged."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        share = [len(counts) * n / sum(counts) for n in counts]
        return np.asarray(sum(s / n * part for s, n, part in zip(sums, counts, share, strict=True)) / len(counts))


@spreads
class DivideBeforeTheySend(Replicas):
    """By the count of all elements, the last replica first."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(sum(one / sum(counts) for one in reversed(sums)))
