"""Laws of memory: how the inputs lie in it changes no bit, and they are left as they were. On exact data, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.checks.context import CheckContext
from conformance.checks.laws.comparing import exact_inputs, exact_shapes, same, same_evaluation
from conformance.checks.laws.law import law
from conformance.checks.tally import Observation
from conformance.frameworks.base import Refused, Unsupported
from conformance.frameworks.domain import Domain, observation
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array

READ_ONLY = "read-only"
_SHAPE = (4, 8)
"""Two axes to transpose, more elements than a vector register, and a power of two of them per row and in all."""


def transposed(array: Array) -> Array:
    """The transpose of a contiguous array."""
    return np.ascontiguousarray(array.T).T


def strided(array: Array) -> Array:
    """Every second element of a row; what lies between is NaN, so that reading it is seen."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def window(array: Array) -> Array:
    """The inner part of an array with a border of NaN."""
    framed = np.full([length + 2 for length in array.shape], np.nan, array.dtype)
    inner = framed[tuple(slice(1, -1) for _ in array.shape)]
    inner[...] = array
    return inner


def backwards(array: Array) -> Array:
    """Both axes with a negative stride."""
    flipped = np.ascontiguousarray(array[::-1, ::-1])
    return flipped[::-1, ::-1]


def repeated(array: Array) -> Array:
    """The first row everywhere, with a stride of zero."""
    return np.broadcast_to(array[:1], array.shape)


def unaligned(array: Array) -> Array:
    """One byte beyond an aligned address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    shifted: Array = np.ndarray(array.shape, array.dtype, memory, 1)
    shifted[...] = array
    return shifted


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "transposed": transposed,
    "strided": strided,
    "a window": window,
    "backwards": backwards,
    "repeated": repeated,
    "unaligned": unaligned,
}
"""How the same numbers may lie in memory; ``repeated`` has other numbers, which are compared with their own contiguous copy."""


@law(
    "layouts",
    "Where the elements lie in memory (transposed, strided, backwards, repeated, unaligned, read-only) changes no bit of the result.",
    needs_extra_calls=True,
)
def layouts(context: CheckContext) -> None:
    """Prediction, target, and both in each layout, against the same numbers in contiguous memory."""
    domain = context.domain or Domain()
    shape = next((s for s in (_SHAPE, *exact_shapes(context)) if len(s) > 1 and domain.takes(s)), None)
    if shape is None:
        return
    drawn = exact_inputs(context, shape, context.seeds()[0])
    each = not context.budget.compiles_each_shape  # some compile for each layout too
    refused: dict[str, str] = {}
    for name, where, laid in _laid_out(drawn.inputs, (*LAYOUTS, READ_ONLY) if domain.layouts is None else domain.layouts, each=each):
        plain = replace(drawn, inputs=_contiguous(laid))
        wanted = context.evaluated(plain.inputs)
        try:
            found = context.evaluated(laid)
        except Refused as reason:
            refused.setdefault(name, str(reason))
            continue
        except Unsupported as reason:
            for tally in context.tallies.values():
                tally.flags[str(reason)] = None
            continue
        except Exception as error:  # noqa: BLE001 - what a layout must not do is make it fail
            for quantity, tally in context.tallies.items():
                said = f"raises {type(error).__name__}"
                observation = Observation(plain.inputs, 1, None, wanted.value, 0, drawn.recipe, said, "the same result")
                tally.fail(f"{quantity} {where}: {said}: {str(error)[:120]}", observation)
            continue
        same_evaluation(context, found, wanted, plain, where)
    _tell(context, refused)


def _tell(context: CheckContext, refused: dict[str, str]) -> None:
    """What a subject that declares no layouts does not take: whoever raises computes nothing wrong."""
    if not refused:
        return
    taken = tuple(name for name in (*LAYOUTS, READ_ONLY) if name not in refused)
    told = observation(f"refuses inputs that are {' or '.join(refused)}", f"layouts={taken}")
    for tally in context.tallies.values():
        tally.flags[told] = None
        tally.refused = f"it refuses inputs that are {' or '.join(refused)}: {next(iter(refused.values()))}"


def _laid_out(inputs: Inputs, layouts: Iterable[str], *, each: bool) -> Iterator[tuple[str, str, Inputs]]:
    """The layout, in words, and the inputs: both, and if ``each`` also one of them, in each layout."""
    for name in layouts:
        if name == READ_ONLY:
            yield name, f"with prediction and target {name}", replace(inputs, read_only=True)
            continue
        for which in (*((("prediction",), ("target",)) if each else ()), ("prediction", "target")):
            laid: dict[str, Any] = {key: LAYOUTS[name](getattr(inputs, key)) for key in which}
            yield name, f"with {' and '.join(which)} {name}", replace(inputs, **laid)


def _contiguous(inputs: Inputs) -> Inputs:
    prediction, target = (np.array(array, order="C") for array in (inputs.prediction, inputs.target))
    return replace(inputs, prediction=prediction, target=target, read_only=False)


@law(
    "inputs-unchanged",
    "Prediction and target hold the same bits after value and gradients as before: they belong to the caller.",
    (Quantity.VALUE,),
    supports_vmap=False,
)
def inputs_unchanged(context: CheckContext) -> None:
    """Seen by the adapter on the very tensors that the implementation was given."""
    tally = context.tallies[Quantity.VALUE]
    seed = context.seeds()[0]
    every = (exact_inputs(context, shape, seed, upstream=upstream) for shape in exact_shapes(context) for upstream in (0, 1))
    for drawn, (evaluation,) in context.each((drawn, [drawn.inputs]) for drawn in every):
        tally.evaluations += 1
        if evaluation.changed:
            names = " and ".join(evaluation.changed)
            observation = Observation(
                drawn.inputs, 1, None, evaluation.value, 0, drawn.recipe, f"another {names}", f"the {names} as before"
            )
            tally.fail(f"value: the {names} holds other bits after the call", observation)


@law(
    "one-buffer",
    "Prediction and target may be one and the same tensor: the loss of anything against itself is exactly 0.",
    (Quantity.VALUE,),
    needs_extra_calls=True,
)
def one_buffer(context: CheckContext) -> None:
    """As when an autoencoder is perfect; the sign of zero is that of a square."""
    for shape in exact_shapes(context)[:3]:
        drawn = exact_inputs(context, shape, context.seeds()[0])
        found = context.probe.call(drawn.inputs.prediction, drawn.inputs.prediction).value
        zeros = np.zeros(context.operation.definition.value_shape(shape), found.dtype)
        same(context, Quantity.VALUE, found, zeros, drawn, "of one tensor against itself")
