"""Run every Keras implementation on one backend, in a process of its own, and print what was found as JSON."""

from __future__ import annotations

import json
import os
import sys

from adapter_checks import evaluate, faults, losses

from conformance.frameworks.base import Unsupported
from conformance.frameworks.keras import adapter as keras

backend = sys.argv[1]
framework = {"tensorflow": keras.KerasOnTensorflow, "torch": keras.KerasOnTorch, "jax": keras.KerasOnJax}[backend]()
rows: list[dict[str, object]] = []
for number, implementation in enumerate(losses(framework)):
    for mode in implementation.modes:
        if mode == "compile" and number > 1:  # seconds each
            continue
        for dtype in ("float32",) if mode == "compile" else ("bfloat16", "float64"):
            try:
                evaluation = evaluate(framework, implementation, mode, dtype)
            except Unsupported as reason:
                rows.append({"name": implementation.name, "mode": mode, "unsupported": str(reason)})
                continue
            writes = implementation.name.startswith("metrics.") and not framework.differentiates_metrics
            wrong = faults(evaluation, implementation.operation, mode, gradients=not writes)
            rows.append(
                {"name": implementation.name, "mode": mode, "dtype": dtype, "faults": wrong, "attested": evaluation.executed_as.dtype}
            )
environment = framework.environment()
assert os.environ["KERAS_BACKEND"] != backend, "the adapter left the user's variable changed"
json.dump({"rows": rows, "packages": dict(environment.packages), "flags": dict(environment.flags)}, sys.stdout)
