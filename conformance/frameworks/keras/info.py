"""What can be said of Keras without importing it: once for each of its backends, of whose tensors it computes."""

from __future__ import annotations

from dataclasses import replace

from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.jax.info import INFO as JAX
from conformance.frameworks.tensorflow.info import INFO as TENSORFLOW
from conformance.frameworks.torch.info import INFO as TORCH


def _on(backend: FrameworkInfo) -> FrameworkInfo:
    """Keras on a backend: what holds of the backend holds of it, but for how it begins."""
    assert backend.program is not None
    program = replace(
        backend.program,
        preamble=f"import os\n\nos.environ['KERAS_BACKEND'] = '{backend.name}'\nimport keras",
        eager_only=("keras.metrics",),
    )
    return replace(
        backend,
        name=f"keras-{backend.name}",
        adapter=f"conformance.frameworks.keras.adapter:KerasOn{backend.name.capitalize()}",
        requires=("keras", *backend.requires),
        extras=("keras", *backend.extras),
        program=program,
        start_rank=backend.start_rank + 1,
        subject_name="keras",
        backend_variable="KERAS_BACKEND",
        quick_to_install=False,
        tox_requirement="",
    )


ON_TENSORFLOW, ON_TORCH, ON_JAX = INFOS = tuple(map(_on, (TENSORFLOW, TORCH, JAX)))
