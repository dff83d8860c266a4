"""Right, and different, with weights: other orders of weighting, adding and dividing, other ways to leave out, other derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shared_parts  # noqa: F401 - finds the parts
from parts import Array, accumulator, differences, squares, wide
from parts_weights import gradient_of, right_gradients, spread, value_of

Three = tuple[Any, Any, Any]


def heavy_terms(prediction: Array, target: Array, weight: Array) -> Array:
    """The weighted squares, each operation rounded to the inputs' dtype, in the accumulator's."""
    return np.asarray(spread(weight, prediction).astype(prediction.dtype) * np.square(prediction - target)).astype(accumulator(prediction))


@value_of("mse/weighted-mean")
def weights_then_adds(prediction: Array, target: Array, weight: Array) -> Any:
    """Every step in the inputs' dtype, sums in the accumulator's, one division."""
    return heavy_terms(prediction, target, weight).sum() / weight.astype(accumulator(weight)).sum()


@value_of("mse/weighted-mean")
def weights_with_a_dot_product(prediction: Array, target: Array, weight: Array) -> Any:
    """Σ w·d² as an inner product."""
    kind = accumulator(prediction)
    squared = np.square(prediction - target).ravel().astype(kind)
    return np.dot(weight.ravel().astype(kind), squared) / weight.astype(kind).sum()


@value_of("mse/weighted-mean")
def rounds_both_sums(prediction: Array, target: Array, weight: Array) -> Any:
    """Numerator and divisor are results of their own, each rounded to the inputs' dtype before they are divided."""
    total = heavy_terms(prediction, target, weight).sum().astype(prediction.dtype)
    return np.asarray(total / weight.astype(accumulator(weight)).sum().astype(weight.dtype))


@value_of("mse/weighted-sum")
def weights_the_difference_first(prediction: Array, target: Array, weight: Array) -> Any:
    """(w·d)·d, in float64."""
    return ((wide(weight) * differences(prediction, target)) * differences(prediction, target)).sum()


@value_of("mse/weighted-sum")
def adds_weighted_squares_exactly(prediction: Array, target: Array, weight: Array) -> Any:
    """A correctly rounded sum of what was rounded before."""
    terms = (wide(weight) * squares(prediction, target)).ravel()
    return math.fsum(terms) if np.isfinite(np.abs(terms).sum()) else terms.sum()


@value_of("mse/weighted-by-count")
def multiplies_by_a_reciprocal(prediction: Array, target: Array, weight: Array) -> Any:
    """1/N, rounded, in place of a division."""
    kind = accumulator(prediction).type
    return heavy_terms(prediction, target, weight).sum() * (kind(1) / kind(prediction.size))


@value_of("mse/weighted-by-nonzero")
def counts_in_integers(prediction: Array, target: Array, weight: Array) -> Any:
    """The divisor is an integer."""
    return (wide(weight) * squares(prediction, target)).sum() / np.float64(np.count_nonzero(wide(weight)))


@value_of("mse/sample-weighted-by-count")
def averages_rows_first(prediction: Array, target: Array, weight: Array) -> Any:
    """As Keras does: the mean of each row in the inputs' dtype, weighted, and the mean of all that."""
    kind = accumulator(prediction)
    squared = np.square(prediction - target).astype(kind)
    rows = squared.reshape(prediction.shape[0], -1).mean(axis=-1, dtype=kind).astype(prediction.dtype)
    return (weight * rows).astype(kind).mean(dtype=kind)


@value_of("mse/sample-weighted-mean")
def averages_rows_first_by_weight(prediction: Array, target: Array, weight: Array) -> Any:
    """The mean of each row, weighted, over the sum of the weights."""
    kind = accumulator(prediction)
    squared = np.square(prediction - target).astype(kind)
    rows = squared.reshape(prediction.shape[0], -1).mean(axis=-1, dtype=kind).astype(prediction.dtype)
    return (weight * rows).astype(kind).sum() / weight.astype(kind).sum()


@value_of("mse/sample-weighted-sum")
def adds_weighted_rows(prediction: Array, target: Array, weight: Array) -> Any:
    """The mean over the last axis, the sum of the rest."""
    rows = squares(prediction, target).mean(axis=-1)
    return (rows * wide(weight).reshape(weight.shape + (1,) * (rows.ndim - 1))).sum()


@value_of("mse/masked-mean")
def cuts_out_what_is_chosen(prediction: Array, target: Array, weight: Array) -> Any:
    """Indexing by the mask: what is left out is never seen."""
    chosen = squares(prediction, target)[wide(weight) != 0]
    return chosen.mean() if chosen.size else np.float64(np.nan)


@value_of("mse/masked-mean")
def multiplies_by_the_mask(prediction: Array, target: Array, weight: Array) -> Any:
    """Zero times what is left out, over the sum of the mask."""
    return (wide(weight) * squares(prediction, target)).sum() / np.float64(wide(weight).sum())


@value_of("mse/sample-masked-mean")
def cuts_out_samples(prediction: Array, target: Array, weight: Array) -> Any:
    """Slicing."""
    chosen = squares(prediction, target)[wide(weight) != 0]
    return chosen.mean() if chosen.size else np.float64(np.nan)


@gradient_of("mse/masked-mean")
def gradient_of_what_is_cut_out(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """What is left out has a gradient of exactly 0, also where nothing is chosen."""
    count = int(np.count_nonzero(wide(weight)))
    part = np.where(wide(weight) != 0, 2 * differences(prediction, target) * wide(upstream) / max(count, 1), 0)
    return part, -part, np.zeros_like(wide(weight))


@gradient_of("mse/weighted-mean")
def differentiates_the_quotient(prediction: Array, target: Array, weight: Array, upstream: Array) -> Three:
    """G·d²/W − G·(S/W)/W, in the inputs' dtype, as automatic differentiation does."""
    p, t, _ = right_gradients("mse/weighted-mean", prediction, target, weight, upstream)
    kind = prediction.dtype.type
    squared = np.square(prediction - target)
    total = kind((weight * squared).astype(accumulator(weight)).sum())
    divided = kind(weight.astype(accumulator(weight)).sum())
    return p, t, squared * (upstream / divided) - upstream * (total / divided) / divided


# ---- half, and root ----


def register_unweighted() -> None:
    """The right forms of the operations without weights that have none elsewhere."""
    from parts import Floats, narrow

    import conformance

    def add(operation: str, name: str, doc: str, value: Any, gradient: Any) -> None:
        def call(prediction: Array, target: Array) -> Array:
            return narrow(value(prediction, target), prediction)

        def rule(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
            part = narrow(gradient(prediction, target, wide(upstream)), prediction)
            return part, -part

        call.__doc__ = doc
        decorated: Any = conformance.implementation(operation, framework="numpy", name=name)(call)
        decorated.gradient(rule)

    def rows(upstream: Floats, prediction: Array) -> Floats:
        return upstream.reshape(upstream.shape + (1,) * (prediction.ndim - upstream.ndim))

    add("mse/half-none", "halves-each", "d²/2", lambda p, t: squares(p, t) / 2, lambda p, t, g: differences(p, t) * g)
    add("mse/half-sum", "halves-the-sum", "Σd²/2", lambda p, t: squares(p, t).sum() / 2, lambda p, t, g: differences(p, t) * g)
    add("mse/half-sum", "halves-and-adds", "Σ(d²/2)", lambda p, t: (squares(p, t) / 2).sum(), lambda p, t, g: differences(p, t) * g)
    add(
        "mse/per-sample",
        "averages-each-sample",
        "The mean over all axes but the first.",
        lambda p, t: squares(p, t).mean(axis=tuple(range(1, p.ndim))) if p.ndim > 1 else squares(p, t),
        lambda p, t, g: 2 * differences(p, t) * rows(g, p) / max(math.prod(p.shape[1:]), 1),
    )
    add(
        "mse/sum-of-row-means",
        "adds-the-means-of-rows",
        "As Keras' reduction sum.",
        lambda p, t: squares(p, t).mean(axis=-1).sum(),
        lambda p, t, g: 2 * differences(p, t) * g / p.shape[-1],
    )

    def root(p: Array, t: Array) -> Any:
        return np.sqrt(squares(p, t).mean())

    add(
        "mse/root-mean",
        "takes-the-root-of-the-mean",
        "√ of the mean, rounded once.",
        root,
        lambda p, t, g: differences(p, t) * g / (p.size * root(p, t)),
    )
    add(
        "mse/root-mean",
        "takes-the-norm",
        "‖d‖/√N: nothing overflows that the root does not.",
        lambda p, t: np.linalg.norm(differences(p, t).ravel()) / np.sqrt(np.float64(p.size)),
        lambda p, t, g: differences(p, t) * g / (p.size * root(p, t)),
    )


register_unweighted()
