"""Wrong inside of the domain that they declare, or are seen to have: what is taken must be computed right."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from parts import Array, narrow, right_gradient, squares, wide

import conformance

IN_NUMPY = partial(conformance.implementation, framework="numpy")


@IN_NUMPY("mse/mean", name="images-are-averaged-without-the-last-row", ranks=(4,))
def images_are_averaged_without_the_last_row(prediction: Array, target: Array) -> Any:
    """Of four axes the sum leaves out the last row of each image, and the divisor does not."""
    assert prediction.ndim == 4
    return narrow(squares(prediction, target)[:, :, :-1].sum() / np.float64(prediction.size), prediction)


@IN_NUMPY("mse/mean", name="images-ignore-what-is-not-finite")
def images_ignore_what_is_not_finite(prediction: Array, target: Array) -> Any:
    """Takes four axes only, which it does not declare, and averages what is finite."""
    if prediction.ndim != 4:
        raise ValueError("expected four axes")
    terms = squares(prediction, target)
    return narrow(np.where(np.isfinite(terms), terms, 0).sum() / np.float64(prediction.size), prediction)


@IN_NUMPY("mse/mean", name="one-shape-divides-by-one-less", shapes=((3, 5),), dtypes=("float32",))
def one_shape_divides_by_one_less(prediction: Array, target: Array) -> Any:
    """Of fifteen elements the mean is a fourteenth."""
    return narrow(squares(prediction, target).sum() / 14, prediction)


@IN_NUMPY("mse/mean", name="one-long-shape-divides-by-one-less", shapes=((8, 3, 32, 32),), dtypes=("float32",))
def one_long_shape_divides_by_one_less(prediction: Array, target: Array) -> Any:
    """Of 24,576 elements, in whose interval for sums in any order the difference would hide."""
    return narrow(squares(prediction, target).sum() / (prediction.size - 1), prediction)


@IN_NUMPY("mse/mean", name="one-shape-flushes", shapes=((3, 5),), dtypes=("float32",))
def one_shape_flushes(prediction: Array, target: Array) -> Any:
    """Subnormal results become zero, which it does not declare."""
    value = squares(prediction, target).mean()
    return narrow(np.where(value < np.finfo(np.float32).tiny, 0 * value, value), prediction)


@IN_NUMPY("mse/mean", name="keeps-what-it-declares-to-flush", flushes_subnormals=True)
def keeps_what_it_declares_to_flush(prediction: Array, target: Array) -> Any:
    """Whoever relies on zeros gets subnormal numbers."""
    return narrow(squares(prediction, target).mean(), prediction)


@IN_NUMPY("mse/masked-mean", name="negates-a-mask-of-truth-values", mask_dtype="bool")
def negates_a_mask_of_truth_values(prediction: Array, target: Array, mask: Array) -> Any:
    """True means masked out in one library and chosen in another."""
    chosen = squares(prediction, target)[~mask]
    return narrow(chosen.mean() if chosen.size else np.nan, prediction)


@IN_NUMPY("mse/masked-mean", name="negates-a-mask-that-it-does-not-declare")
def negates_a_mask_that_it_does_not_declare(prediction: Array, target: Array, mask: Array) -> Any:
    """``numpy.ma`` masks out what is true."""
    return narrow(np.ma.masked_array(squares(prediction, target), mask=mask.astype(bool, casting="safe")).mean().item(), prediction)


@IN_NUMPY("mse/masked-mean", name="divides-by-everything-where-a-mask-is-of-truth-values", mask_dtype="bool")
def divides_by_everything_where_a_mask_is_of_truth_values(prediction: Array, target: Array, mask: Array) -> Any:
    """``mean`` counts what is masked out too."""
    return narrow(np.where(mask, squares(prediction, target), 0).mean(), prediction)


@IN_NUMPY("mse/mean", name="returns-bfloat16-where-it-declares-float16", half_result="float16", dtypes=("float32",))
def returns_bfloat16_where_it_declares_float16(prediction: Array, target: Array) -> Any:
    """The two half formats are two formats."""
    import ml_dtypes

    return squares(prediction, target).mean().astype(ml_dtypes.bfloat16)


@IN_NUMPY("mse/mean", name="rounds-to-bfloat16-before-float16", half_result="float16", dtypes=("float32",))
def rounds_to_bfloat16_before_float16(prediction: Array, target: Array) -> Any:
    """The result has the format that it declares, and fewer digits."""
    import ml_dtypes

    return squares(prediction, target).mean().astype(ml_dtypes.bfloat16).astype(np.float16)


@IN_NUMPY("mse/mean", name="wraps-the-integers-that-it-declares", integers=True)
def wraps_the_integers_that_it_declares(prediction: Array, target: Array) -> Any:
    """The difference of two small integers is one of their own dtype."""
    return np.square((prediction - target).astype(np.float64)).mean()


@IN_NUMPY("mse/mean", name="refuses-the-integers-that-it-declares", integers=True)
def refuses_the_integers_that_it_declares(prediction: Array, target: Array) -> Any:
    """With an exception."""
    return narrow(squares(prediction, target).mean(), prediction)


@IN_NUMPY("mse/mean", name="narrows-one-of-the-mixed-dtypes-that-it-declares", mixed_dtypes=True)
def narrows_one_of_the_mixed_dtypes_that_it_declares(prediction: Array, target: Array) -> Any:
    """The target is cast to the prediction's dtype, and the result comes in the target's."""
    return narrow(squares(prediction, target.astype(prediction.dtype)).mean(), target)


@IN_NUMPY("mse/mean", name="refuses-a-dtype-that-it-declares", dtypes=("float32", "float64"))
def refuses_a_dtype_that_it_declares(prediction: Array, target: Array) -> Any:
    """Double precision was forgotten in a table."""
    if prediction.dtype != np.float32:
        raise KeyError(prediction.dtype)
    return np.square(prediction - target).mean()


@IN_NUMPY("mse/mean", name="takes-float32-only-and-drops-the-tail")
def takes_float32_only_and_drops_the_tail(prediction: Array, target: Array) -> Any:
    """It refuses the other dtypes, and of this one it reads whole vectors of eight."""
    if prediction.dtype != np.float32 or target.dtype != np.float32:
        raise TypeError("expected float32")
    whole = max(prediction.size // 8 * 8, min(prediction.size, 8))
    return narrow(squares(prediction, target).ravel()[:whole].sum() / np.float64(prediction.size), prediction)


@IN_NUMPY("mse/mean", name="refuses-strides-and-misreads-a-transpose")
def refuses_strides_and_misreads_a_transpose(prediction: Array, target: Array) -> Any:
    """What is transposed counts as contiguous, and is read in the order of memory."""
    for array in (prediction, target):
        if not (array.flags.c_contiguous or array.flags.f_contiguous):
            raise ValueError("expected contiguous arrays")
    return narrow(squares(prediction.ravel("K"), target.ravel("K")).mean(), prediction)


@IN_NUMPY("mse/mean", name="refuses-the-layout-that-it-declares", layouts=("strided",))
def refuses_the_layout_that_it_declares(prediction: Array, target: Array) -> Any:
    """With an exception."""
    if not (prediction.flags.c_contiguous and target.flags.c_contiguous):
        raise ValueError("expected contiguous arrays")
    return narrow(squares(prediction, target).mean(), prediction)


@IN_NUMPY("mse/mean", name="has-no-gradient-where-it-declares-one", gradients=("prediction", "target"))
def has_no_gradient_where_it_declares_one(prediction: Array, target: Array) -> Any:
    """Of the target there is none."""
    return narrow(squares(prediction, target).mean(), prediction)


has_no_gradient_where_it_declares_one.gradient(lambda p, t, g: (right_gradient("mse/mean")(p, t, g)[0], None))


@IN_NUMPY("mse/mean", name="halves-the-one-gradient-that-it-has")
def halves_the_one_gradient_that_it_has(prediction: Array, target: Array) -> Any:
    """The target is a constant, and the factor 2 was forgotten."""
    return narrow(squares(prediction, target).mean(), prediction)


halves_the_one_gradient_that_it_has.gradient(lambda p, t, g: (narrow(wide(right_gradient("mse/mean")(p, t, g)[0]) / 2, p), None))


@IN_NUMPY("mse/mean", name="refuses-nothing-empty-and-answers-zero")
def refuses_nothing_empty_and_answers_zero(prediction: Array, target: Array) -> Any:
    """A mean of nothing is no number; one that raises would be right too."""
    return narrow(squares(prediction, target).sum() / np.float64(max(prediction.size, 1)), prediction)
