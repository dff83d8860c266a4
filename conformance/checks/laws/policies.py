"""Policies: what a target is declared to do where more than one thing is right, against what it is seen to do.

Each law finds out one of the answers of ``conformance.specs.policies``. A wrong declaration fails; without one there is no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance.checks.context import CheckContext
from conformance.checks.laws.law import Law, law
from conformance.frameworks.messages import refusal
from conformance.frameworks.probe import Returned
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS, Array, Format

_COUNT = 4096
"""Summands: float32 holds every sum of their squares, up to 49 each, in any order; a half format holds few of these sums."""
_DRAWS = 4


def _policy(name: str, why: str, dtypes: tuple[str, ...]) -> Callable[[Callable[[CheckContext], str]], Law]:
    """Make the law ``policy-<name>`` of a function that finds out what a target does."""

    def make(observe: Callable[[CheckContext], str]) -> Law:
        def test(context: CheckContext) -> None:
            _compare(context, name, observe(context))

        return law(f"policy-{name}", why, (Quantity.VALUE,), dtypes, supports_vmap=False)(test)

    return make


def _compare(context: CheckContext, policy: str, observed: str) -> None:
    declared = context.declared.get(policy)
    tally = context.tallies[Quantity.VALUE]
    tally.evaluations = 1
    if declared is None:
        tally.missing = f"no declaration covers it; observed: {observed}"
    elif declared.answer != observed:
        tally.failure = f"declared {declared.answer!r} (because {declared.because.rstrip('.')}), but observed {observed!r}"
    else:
        tally.flags[f"{policy}: {observed}"] = None


def _called(context: CheckContext, prediction: Array, target: Array) -> Returned | str:
    """What a plain call gives back, or in words what it raises."""
    try:
        return context.probe.call(prediction, target)
    except Exception as error:  # noqa: BLE001 - to raise is one of the answers
        return refusal(error)


@_policy(
    "broadcasting",
    "A column against a vector is broadcast to a matrix, brought to one rank or refused, as the target declares.",
    ("float32",),
)
def broadcasting(context: CheckContext) -> str:
    """The two hold the same numbers: brought to one rank they do not differ, broadcast they do."""
    numbers = np.array([1, 2, 3], np.float32)
    found = _called(context, numbers[:, None], numbers)
    if isinstance(found, str):
        return "raises"
    return "broadcasts" if np.any(found.value.astype(np.float64)) else "aligns ranks"


@_policy("promotion", "float32 beside float64 gives the dtype that the target declares, whichever of the two comes first.", ("float32",))
def promotion(context: CheckContext) -> str:
    """The dtype of the result, with either argument as the wider one."""
    narrow, wide = np.array([1, 2], np.float32), np.array([0, 0], np.float64)
    first, second = _called(context, narrow, wide), _called(context, wide, narrow)
    if isinstance(first, str) and isinstance(second, str):
        return "raises"
    names = _dtype_of(first), _dtype_of(second)
    known = {
        ("float64", "float64"): "wider dtype",
        ("float32", "float32"): "narrower dtype",
        ("float32", "float64"): "dtype of the prediction",
        ("float64", "float32"): "dtype of the target",
    }
    return known.get(names, f"{names[0]} for float32 against float64, {names[1]} for float64 against float32")


def _dtype_of(found: Returned | str) -> str:
    return "raises" if isinstance(found, str) else found.value.dtype.name


@_policy(
    "half-accumulation",
    "The half formats are summed in something wider or in themselves, as the target declares.",
    ("float16", "bfloat16"),
)
def half_accumulation(context: CheckContext) -> str:
    """Whole numbers whose sums float32 holds in any order: only what is summed in a half format loses or overflows."""
    fmt = FORMATS[context.target.dtype]
    for draw in range(_DRAWS):
        residuals = np.random.default_rng(draw).integers(1, 8, _COUNT).astype(fmt.dtype)
        if not _is_rounded_once(context, _against_zeros(context, residuals), fmt):
            return "input format"
    return "wider"


@_policy(
    "square-overflow",
    "A square beyond the range of float16 is infinite, or is computed in something wider, as the target declares.",
    ("float16",),
)
def square_overflow(context: CheckContext) -> str:
    """300² = 90000 is beyond 65504, a quarter of it is not."""
    value = context.evaluate(_against_zeros(context, np.array([300, 0, 0, 0], np.float16))).value.astype(np.float64)
    return "overflows" if np.isinf(value).any() else "wider"


@_policy("float64", "Double precision is kept, or is narrowed to single, as the target declares.", ("float64",))
def float64(context: CheckContext) -> str:
    """The square of 2^-40, between numbers that float32 cannot tell apart."""
    inputs = _against_zeros(context, np.array([1 + 2.0**-40]))
    value = context.evaluate(replace(inputs, target=np.ones(1))).value
    return "kept" if value.dtype == np.float64 and (value == 2.0**-80).all() else "narrowed"


@_policy(
    "masked-out",
    "NaN and infinity where a mask leaves a number out take no part, or spread to gradients or to the value, as the target declares.",
    ("float32",),
)
def masked_out(context: CheckContext) -> str:
    """What is multiplied by a mask of zeros stays NaN; what is chosen by it may still be NaN in its derivative."""
    definition = context.operation.definition
    seen = set()
    for special in (np.nan, np.inf):
        prediction = np.array([[1, 2], [special, special]], np.float32)
        weight = np.ones(definition.weight_shape(prediction.shape) or (), np.float32)
        weight[1] = 0
        inputs = replace(_against_zeros(context, prediction), weight=weight)
        evaluation = context.evaluate(inputs)
        if not np.isfinite(evaluation.value.astype(np.float64)).all():
            seen.add("spreads")
        elif not all(np.isfinite(gradient.astype(np.float64)).all() for gradient in evaluation.gradients.values()):
            seen.add("spreads to gradients")
    return "spreads" if "spreads" in seen else next(iter(seen), "takes no part")


def _against_zeros(context: CheckContext, prediction: Array) -> Inputs:
    upstream = np.ones(context.operation.definition.value_shape(prediction.shape), prediction.dtype)
    return Inputs(prediction, np.zeros_like(prediction), None, upstream)


def _is_rounded_once(context: CheckContext, inputs: Inputs, fmt: Format) -> bool:
    """Whether the value is the exact one, rounded once to the format it came back in."""
    value = context.evaluate(inputs).value
    output = FORMATS.get(value.dtype.name, fmt)
    (wanted,) = {output.round(x) if not isinstance(x, float) else x for x in exact(context.operation.definition, inputs).value.distinct}
    return bool((value.astype(np.float64) == float(wanted)).all())
