"""The format of the spec files, as pydantic models: keys, types, and nothing about numbers.

Reading a file with these models finds every unknown key and every wrong type; what the numbers in it mean is
checked afterwards, by ``arrays`` (each literal) and ``lint`` (each expected value).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from conformance.numerics.bounds.error_model import Situation

_LITERAL_SCHEMA = {
    "description": "One exact number: integer, hexadecimal float, exact decimal, fraction (expected values only), inf, -inf, nan, -0.",
    "anyOf": [{"type": "number"}, {"type": "string", "maxLength": 2000}],
}
_ARRAY_SCHEMA = {
    "description": "A literal (0-d), nested lists of literals, or a generator.",
    "anyOf": [
        *_LITERAL_SCHEMA["anyOf"],
        {"type": "array"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["repeat", "shape"],
            "properties": {
                "repeat": {"type": "array", "items": {"anyOf": _LITERAL_SCHEMA["anyOf"]}},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 8},
                "at": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["index", "literal"],
                        "properties": {"index": {"type": "integer", "minimum": 0}, "literal": {"anyOf": _LITERAL_SCHEMA["anyOf"]}},
                    },
                },
            },
        },
    ],
}
RawLiteral = Annotated[Any, WithJsonSchema(_LITERAL_SCHEMA)]
RawArray = Annotated[Any, WithJsonSchema(_ARRAY_SCHEMA)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
OperationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$", max_length=100)]
Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)]
Dtype = Literal["float16", "bfloat16", "float32", "float64"]
AnyDtype = Literal[
    "float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64", "complex128"
]
FormatVersion = Literal[1]


class SpecTable(BaseModel):
    """A TOML table that allows no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SpecFile(SpecTable):
    """A whole file."""

    format: FormatVersion


class DefinitionTable(SpecTable):
    """``factor · Σ_over w·(p−t)² / divisor``, or the square root of it."""

    factor: RawLiteral
    over: Literal["all", "last-axis", "all-but-first", "none"]
    divisor: Literal["one", "count", "last-axis", "weights", "nonzero-weights"]
    weights: Literal["none", "element", "sample", "mask", "sample-mask"]
    root: bool = False


class AllowTable(SpecTable):
    """A second outcome that the error model permits, and why."""

    quantity: Literal["value", "gradient"]
    outcome: Literal["inf", "narrow-scale"]
    because: Sentence
    dtypes: Annotated[list[Dtype], Field(min_length=1)] | None = None


class CatchTable(SpecTable):
    """A mistake that the case catches, and exactly what a mistaken implementation would return."""

    mistake: Sentence
    value: RawArray | None = None
    gradient: RawArray | None = None
    gradient_target: RawArray | None = Field(None, alias="gradient-target")
    gradient_weight: RawArray | None = Field(None, alias="gradient-weight")


class CaseTable(SpecTable):
    """A pinned example."""

    id: Slug
    why: Sentence
    level: Literal["must", "should"] = "must"
    dtypes: Annotated[list[Dtype], Field(min_length=1)]
    prediction: RawArray
    target: RawArray
    weight: RawArray | None = None
    upstream: RawArray | None = None
    value: RawArray
    gradient: RawArray
    gradient_weight: RawArray | None = Field(None, alias="gradient-weight")
    tighten: Literal["exact", "correctly-rounded"] | None = None
    allow: list[AllowTable] = []
    catches: list[CatchTable] = []
    flags: list[str] = []


Accuracy = Literal["correctly-rounded", "faithful", "constant", "logarithmic", "square-root", "linear"]


class OperationFile(SpecFile):
    """One operation: its definition, the laws and input families that apply, and its cases."""

    operation: OperationName
    title: Sentence
    definition: DefinitionTable
    laws: list[str]
    families: list[str]
    accuracy: Accuracy | None = None
    flags: dict[Slug, Sentence] = {}
    case: list[CaseTable] = []


Length = Annotated[int, Field(ge=1, le=1000)]


class NetworkTable(SpecTable):
    """Everything that a dense, relu, dense network learns; weights have a row an input."""

    hidden_weight: RawArray = Field(alias="hidden-weight")
    hidden_bias: RawArray = Field(alias="hidden-bias")
    output_weight: RawArray = Field(alias="output-weight")
    output_bias: RawArray = Field(alias="output-bias")


class AfterTable(NetworkTable):
    """The network after so many epochs."""

    epoch: Length


class EvaluationTable(SpecTable):
    """Samples that are evaluated after the training, and exactly what is reported of them."""

    inputs: RawArray
    targets: RawArray
    weight: RawArray | None = None
    batch: Length
    loss: RawLiteral
    metric: RawLiteral
    weighted_metric: RawLiteral | None = Field(None, alias="weighted-metric")


class PinnedTable(SpecTable):
    """What every case of a procedure has."""

    id: Slug
    why: Sentence
    level: Literal["must", "should"] = "must"
    dtypes: Annotated[list[Dtype], Field(min_length=1)]
    flags: list[str] = []


class ProcedureFile(SpecFile):
    """What every file of a procedure has; each family adds keys of its own, to its cases too."""

    procedure: OperationName
    title: Sentence
    flags: dict[Slug, Sentence] = {}
    case: Annotated[Sequence[PinnedTable], Field(min_length=1)]


class TrainingCaseTable(PinnedTable):
    """A pinned training, with exactly what must come of it; ``loss`` and the metrics have one number an epoch."""

    inputs: RawArray
    targets: RawArray
    weight: RawArray | None = None
    batch: Length
    learning_rate: RawLiteral = Field(alias="learning-rate")
    network: NetworkTable
    after: Annotated[list[AfterTable], Field(min_length=1)]
    loss: RawArray
    metric: RawArray
    weighted_metric: RawArray | None = Field(None, alias="weighted-metric")
    evaluation: EvaluationTable | None = None


class TrainingFile(ProcedureFile):
    """A procedure of the family ``training``: what is done is the same in all of its cases."""

    weighted: bool
    case: Annotated[list[TrainingCaseTable], Field(min_length=1)]


class ReplicasCaseTable(PinnedTable):
    """A pinned batch on several replicas, with exactly the loss and the gradient that the whole batch has."""

    inputs: RawArray
    targets: RawArray
    parameters: RawArray
    shards: Annotated[list[Length], Field(min_length=2, max_length=8)]
    loss: RawLiteral
    gradient: RawArray


class ReplicasFile(ProcedureFile):
    """A procedure of the family ``replicas``: what is done is the same in all of its cases."""

    case: Annotated[list[ReplicasCaseTable], Field(min_length=1)]


class RoundingTable(SpecTable):
    """One step of a conforming evaluation, the roundings it may commit, and why."""

    step: Slug
    quantity: Literal["value", "gradient", "gradient-weight"]
    count: Annotated[int, Field(ge=1, le=16)] | Literal["n-1", "division"]
    format: Literal["input", "accumulator", "output"]
    when: Situation
    because: Sentence


class ErrorModelFile(SpecFile):
    """Every rounding that a conforming evaluation may commit."""

    rounding: Annotated[list[RoundingTable], Field(min_length=1)]


class ChecksFile(SpecFile):
    """The laws and input families that an operation may name, each with what it demands."""

    laws: dict[Slug, Sentence]
    families: dict[Slug, Sentence]


OneOrMore = Sentence | Annotated[list[Sentence], Field(min_length=1)]


class WhereTable(SpecTable):
    """The targets on which a deviation stands; a key left out means every one."""

    framework: OneOrMore
    version: Sentence | None = None
    implementation: OneOrMore | None = None
    device: OneOrMore | None = None
    mode: OneOrMore | None = None
    dtype: Dtype | Annotated[list[Dtype], Field(min_length=1)] | None = None


class SignatureTable(SpecTable):
    """Exactly how it deviates; at least one key beside ``outcome = "fail"``."""

    outcome: Literal["fail", "error"] = "fail"
    observed: RawLiteral | None = None
    shape: list[Annotated[int, Field(ge=0)]] | None = None
    dtype: Sentence | None = None
    error_u_min: RawLiteral | None = None
    error_u_max: RawLiteral | None = None


class DeviationTable(SpecTable):
    """A documented departure; one of several checks is as many departures with one cause."""

    check: OneOrMore
    quantity: Sentence = "value"
    where: WhereTable
    signature: SignatureTable
    because: Sentence
    url: Link | None = None
    review_by: date = Field(alias="review-by")


class DeviationFile(SpecFile):
    """The deviations of one framework."""

    deviation: list[DeviationTable] = []


class ArgumentTable(SpecTable):
    """One argument of a question, with a dtype and a shape of its own; ``as`` says what the implementation is given."""

    dtype: AnyDtype
    values: RawArray
    imaginary: RawArray | None = None
    given: Literal["tensor", "numpy", "read-only", "python"] = Field("tensor", alias="as")


class QuestionTable(SpecTable):
    """A call whose outcome a framework may define as it likes."""

    id: Slug
    title: Sentence
    why: Sentence
    operations: Annotated[list[Sentence], Field(min_length=1)]
    prediction: ArgumentTable
    target: ArgumentTable
    weight: ArgumentTable | None = None


class BehaviourFile(SpecFile):
    """Questions that are asked and compared, and not judged."""

    question: Annotated[list[QuestionTable], Field(min_length=1)]


class PolicyTable(SpecTable):
    """What targets are declared to do where more than one thing is right."""

    policy: Sentence
    where: WhereTable
    answer: Sentence = Field(alias="is")
    because: Sentence
    url: Link | None = None


class PolicyFile(SpecFile):
    """The declarations of one framework."""

    policy: Annotated[list[PolicyTable], Field(min_length=1)]


MATRIX = "matrix"
"""The label of what belongs to the matrix."""

Requirements = Annotated[list[Sentence], Field(min_length=1)]
PythonVersion = Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")]


class PinsTable(SpecTable):
    """What some versions need beside themselves: packages, or another Python than the others."""

    versions: Sentence
    packages: Annotated[list[Sentence], Field(default_factory=list)]
    python: PythonVersion | None = None
    because: Sentence


class MatrixTable(SpecTable):
    """One framework, and the versions of one distribution. ``label`` is that of ``tox -m``; only ``matrix`` belongs to the matrix."""

    name: Slug
    framework: Slug
    distribution: Slug
    versions: Requirements
    python: PythonVersion | None = None
    with_: Annotated[list[Sentence], Field(alias="with", default_factory=list)]
    pins: Annotated[list[PinsTable], Field(default_factory=list)]
    label: Slug = MATRIX


class SelectionTable(SpecTable):
    """The options of ``conformance run`` in every environment."""

    options: Requirements
    because: Sentence


class TargetsFile(SpecFile):
    """A ``targets.toml``."""

    python: PythonVersion
    selection: SelectionTable
    matrix: Annotated[list[MatrixTable], Field(min_length=1)]


def keys_at(model: type[SpecTable], place: tuple[str, ...]) -> list[str]:
    """The keys that a table of such a file may have, by its place in the file; none where no table stands."""
    keys = {field.alias or name: field for name, field in model.model_fields.items()}
    if not place:
        return list(keys)
    inside = _table_in(keys[place[0]].annotation) if place[0] in keys else None
    return keys_at(inside, place[1:]) if inside else []


def _table_in(annotation: Any) -> type[SpecTable] | None:
    """The table that a key holds, alone, in a list or among other things."""
    if isinstance(annotation, type) and issubclass(annotation, SpecTable):
        return annotation
    return next((table for part in get_args(annotation) if (table := _table_in(part))), None)


_KINDS: dict[str, type[SpecTable]] = {
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
    for name, model in _KINDS.items():
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        kinds[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spec files of mse-conformance",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": {**kinds, **definitions},
    }
