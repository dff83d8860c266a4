"""Ask the probe of every Keras implementation on one backend, in a process of its own, and print what was found as JSON."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from typing import Any

from adapter_checks import EXPECTED, losses
from probe_checks import faults

from conformance.frameworks.keras import adapter as keras

backend = sys.argv[1]
framework = {"tensorflow": keras.KerasOnTensorflow, "torch": keras.KerasOnTorch, "jax": keras.KerasOnJax}[backend]()
rows: list[dict[str, object]] = []
for implementation in (one for one in losses(framework) if one.operation in EXPECTED):
    for mode in implementation.modes:
        if mode in {"compile", "vmap"}:  # seconds each, PyTorch's own test asks for it; nothing more is asked of batches
            continue
        wrong, refused = faults(framework, implementation, mode, "float32")
        given = framework.probe(implementation, "cpu", mode, "float32").call([1.5, 2.0], [0.5, 1.0])
        rows.append({"name": implementation.name, "mode": mode, "faults": wrong, "refused": refused, "given": float(given.value)})
scopes: list[str] = []
scope = framework._scope


def noted(device: str) -> AbstractContextManager[Any]:
    scopes.append(device)
    return scope(device)


framework._scope = noted  # type: ignore[method-assign]  # to see that every question is asked in it
faults(framework, framework.implementations()[0], "eager", "float32")
json.dump({"rows": rows, "scopes": scopes}, sys.stdout)
