"""The tasks of procedures: data, network and shards, as an implementation is given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy.typing as npt

HIDDEN_WEIGHT, HIDDEN_BIAS, OUTPUT_WEIGHT, OUTPUT_BIAS = PARAMETERS = ("hidden-weight", "hidden-bias", "output-weight", "output-bias")
"""The names of what is trained, in order: (inputs, units), (units,), (units, outputs), (outputs,)."""


LOSS, METRIC, WEIGHTED_METRIC = "loss", "metric", "weighted metric"
"""The names of what is reported: the metric is the mean squared error without weights, or with them and divided by their sum."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A row a sample. ``weight`` has one number a sample, or is None; ``batch`` samples are seen at a time, the last time what is left."""

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    weight: npt.NDArray[Any] | None
    batch: int

    def batches(self) -> Iterator[Samples]:
        """The samples in their order, a batch at a time."""
        for start in range(0, len(self.inputs), self.batch):
            part = slice(start, start + self.batch)
            yield Samples(self.inputs[part], self.targets[part], None if self.weight is None else self.weight[part], self.batch)


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What an implementation is given: arrays of one format, or exact ones.

    The parameters are wanted after each of the ``stops``: epochs, counted from 1.
    """

    parameters: Mapping[str, npt.NDArray[Any]]
    samples: Samples
    rate: Fraction
    stops: tuple[int, ...]
    evaluation: Samples | None = None

    @property
    def epochs(self) -> int:
        """How many passes over the samples."""
        return self.stops[-1]


def after(name: str, epoch: int) -> str:
    """What a parameter is called after an epoch."""
    return f"{name} after epoch {epoch}"


def evaluated(name: str) -> str:
    """What a metric is called that an evaluation reports."""
    return f"evaluated {name}"


@dataclass(frozen=True, eq=False)
class ReplicaShard:
    """The rows of one replica."""

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ReplicasTask:
    """What an implementation is given: arrays of one format, or exact ones. The prediction is ``inputs · parameters``.

    Inputs and targets have a row a sample, parameters a row an input. ``shards`` says how many rows each replica has, in their order.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    parameters: npt.NDArray[Any]
    shards: tuple[int, ...]

    def split(self) -> Iterator[ReplicaShard]:
        """The rows of each replica."""
        start = 0
        for rows in self.shards:
            part = slice(start, start + rows)
            yield ReplicaShard(self.inputs[part], self.targets[part])
            start += rows


def on_replica(index: int) -> str:
    """What an array is called that a replica holds, counted from 0."""
    return f"replica {index}"


def on_each(replicas: int, array: Any) -> Mapping[str, Any]:
    """What every replica holds, by name."""
    return {on_replica(index): array for index in range(replicas)}
