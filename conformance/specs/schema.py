"""The JSON Schemas of the spec files, for editors and for other languages; generated from the same models that read them."""

from __future__ import annotations

from typing import Any

from conformance.specs.grammar import (
    BehaviourFile,
    ChecksFile,
    DeviationFile,
    ErrorModelFile,
    OperationFile,
    PolicyFile,
    ReplicasFile,
    SpecTable,
    TrainingFile,
)

_FILES: dict[str, type[SpecTable]] = {
    "operation": OperationFile,
    "training": TrainingFile,
    "replicas": ReplicasFile,
    "error-model": ErrorModelFile,
    "checks": ChecksFile,
    "deviations": DeviationFile,
    "behaviours": BehaviourFile,
    "policies": PolicyFile,
}


def spec_schema() -> dict[str, Any]:
    """One JSON Schema (2020-12) that accepts every kind of spec file; ``$defs`` has each kind under its name."""
    kinds: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for name, model in _FILES.items():
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        kinds[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spec files of mse-conformance",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": {**kinds, **definitions},
    }
