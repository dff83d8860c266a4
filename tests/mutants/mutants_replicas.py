"""Wrong replicas: what they make of each other's losses and gradients, and what each of them holds in the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from parts import Floats
from parts_replicas import Replicas, Share, spreads


@spreads
class AveragesTheMeans(Replicas):
    """A row of a short shard counts for more."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(sum(s / n for s, n in zip(sums, counts, strict=True)) / len(sums))


@spreads
class SumsTheMeans(Replicas):
    """The steps are as many times too long as there are replicas."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(sum(s / n for s, n in zip(sums, counts, strict=True)))


@spreads
class DividesTwice(Replicas):
    """By the count of all elements, and by the number of replicas again."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return super().together(sums, counts) / len(sums)


@spreads
class DividesByTheLargest(Replicas):
    """Every shard is taken for as long as the longest, padding counted."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(sum(sums) / (len(counts) * max(counts)))


@spreads
class DividesByRows(Replicas):
    """The elements of a row are not counted."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(super().together(sums, counts) * self.task.targets.shape[1])


@spreads
class HearsTheFirstOnly(Replicas):
    """The mean of the first shard is sent to all."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return np.asarray(sums[0] / counts[0])


@spreads
class KeepsItsOwn(Replicas):
    """Nothing is sent: each replica goes on with the mean of its own shard."""

    def held(self, index: int, shares: Sequence[Share]) -> tuple[Floats, Floats]:
        return super().held(0, [shares[index]])


@spreads
class TellsTheFirstOnly(Replicas):
    """The first replica gathers the mean of all, the others keep their own."""

    def held(self, index: int, shares: Sequence[Share]) -> tuple[Floats, Floats]:
        return super().held(index, shares if index == 0 else [shares[index]])


@spreads
class ReportsItsOwnLoss(Replicas):
    """The gradient is the right one, the loss that of the replica's own shard."""

    def held(self, index: int, shares: Sequence[Share]) -> tuple[Floats, Floats]:
        return shares[index].loss / shares[index].count, super().held(index, shares)[1]


@spreads
class SendsSingles(Replicas):
    """Whatever is sent is rounded to float32 on the way."""

    def together(self, sums: Sequence[Floats], counts: Sequence[int]) -> Floats:
        return super().together([np.asarray(one, dtype=np.float32).astype(np.float64) for one in sums], counts)
