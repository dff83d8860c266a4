"""Keras 3 on each of its backends: the losses of Keras, run by the adapter of the backend.

A process has one backend, chosen before Keras is imported.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from conformance.frameworks.base import Environment, Evaluate, Evaluation, Implementation, Unsupported
from conformance.frameworks.helpers import keras_backend
from conformance.frameworks.keras import training
from conformance.frameworks.keras.implementations import listed, metrics
from conformance.frameworks.keras.info import ON_JAX, ON_TENSORFLOW, ON_TORCH
from conformance.frameworks.layered import LayeredFramework
from conformance.frameworks.probe import Probe, ScopedProbe
from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Inputs


class KerasFramework(LayeredFramework):
    """Keras on one backend; the subclasses name it."""

    backend: str
    adapter: str
    differentiates_metrics: bool = False
    """Whether a metric is a function of the backend: elsewhere it writes to variables, through which no derivative leads."""

    def __init__(self) -> None:
        below = f"conformance.frameworks.{self.backend}"
        super().__init__(getattr(importlib.import_module(f"{below}.adapter"), self.adapter)())
        self._place: Callable[[Any], str] = importlib.import_module(f"{below}.tensors").place
        with keras_backend(self.backend):
            self._keras: Any = importlib.import_module("keras")
        if (found := self._keras.backend.backend()) != self.backend:
            raise RuntimeError(f"Keras was imported with the backend {found!r} before {self.name} could choose {self.backend!r}")
        self.version = str(self._keras.__version__)

    def environment(self) -> Environment:
        """Keras' own version and settings, and all of the backend's."""
        found = super().environment()
        return replace(found, flags={**found.flags, "KERAS_BACKEND": self.backend, "floatx": str(self._keras.config.floatx())})

    def implementations(self) -> Sequence[Implementation]:
        """The class, the function and the metrics; and training with them."""
        modes = self._below.implementations()[0].modes
        rows = [("mean_squared_error", "last-axis", "keras.losses.mean_squared_error(target, prediction)")]
        backend = training.Backend(self.backend, self._place, self._is_traced)
        stateful = [mode for mode in modes if mode != VMAP]  # a metric writes to its state, which no batch has one of for each member
        return (
            *listed(self._keras, {"keras": self._keras}, modes, rows),
            *metrics(self._keras, stateful),
            *training.implementations(self._keras, backend),
        )

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Prepared by the backend's adapter: Keras' losses are functions of the backend's tensors."""
        evaluate = super().prepare(implementation, device, mode, dtype)

        def placed(inputs: Inputs) -> Evaluation:
            with self._scope(device):
                return evaluate(inputs)

        return placed

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:
        """What the backend offers beyond value and gradients."""
        kind = ScopedProbe if implementation.stream is None or self.differentiates_metrics else _Metric
        return kind(super().probe(implementation, device, mode, dtype), lambda: self._scope(device))

    def _is_traced(self, tensor: Any) -> bool:  # noqa: ARG002 - for the subclasses
        """Whether a tensor stands for one that is computed later; PyTorch has no such tensors."""
        return False

    def _scope(self, device: str) -> AbstractContextManager[Any]:  # noqa: ARG002 - for the subclass
        """Nothing for backends whose operations run where their inputs are."""
        return nullcontext()


class _Metric(ScopedProbe):
    """A probe of what writes to its state: it is called and updated, and neither differentiated nor batched."""

    gradient_of = Probe.gradient_of
    jvp = Probe.jvp
    hvp = Probe.hvp
    vmap = Probe.vmap

    def _lacks(self, what: str) -> Unsupported:
        return Unsupported(f"a metric writes to its state, which leaves no {what}")


class KerasOnTensorflow(KerasFramework):
    """Keras on TensorFlow."""

    name = "keras-tensorflow"
    info = ON_TENSORFLOW
    backend = "tensorflow"
    adapter = "TensorflowFramework"

    def _is_traced(self, tensor: Any) -> bool:
        return not hasattr(tensor, "numpy")  # which only a tensor with a value has


class KerasOnTorch(KerasFramework):
    """Keras on PyTorch."""

    name = "keras-torch"
    info = ON_TORCH
    backend = "torch"
    adapter = "TorchFramework"

    def __init__(self) -> None:
        # Keras caches its dtype rules, which depend on nothing but their arguments: tracing through them is safe.
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`", category=UserWarning)
        super().__init__()

    def _scope(self, device: str) -> AbstractContextManager[Any]:
        """Keras on PyTorch moves every tensor to a device of its own choosing (a GPU if there is one)."""
        scope: AbstractContextManager[Any] = self._keras.device(device)
        return scope


class KerasOnJax(KerasFramework):
    """Keras on JAX."""

    name = "keras-jax"
    info = ON_JAX
    backend = "jax"
    adapter = "JaxFramework"
    differentiates_metrics = True

    def _is_traced(self, tensor: Any) -> bool:
        traced: bool = isinstance(tensor, importlib.import_module("jax").core.Tracer)
        return traced
