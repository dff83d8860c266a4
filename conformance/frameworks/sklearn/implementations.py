"""The entry points of scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import sklearn.metrics
from sklearn.metrics import mean_squared_error

from conformance.frameworks.base import Refused
from conformance.frameworks.helpers import EntryRow, implementations
from conformance.numerics.formats import Array

MODES = ("eager",)
NAMES = {"np": np, "sklearn": sklearn}

REFUSALS = ("Input contains", "Input sample_weight contains", "Found array with 0", "Sample weights must contain", "Custom weights are")
"""How it begins to say what its documentation excludes: NaN, infinity, nothing at all, weights that are all zero or of a single output."""


def _refusing(call: Callable[..., Any]) -> Callable[..., Any]:
    """What scikit-learn documents that it does not take becomes a refusal; whatever else it raises stays an error."""

    @wraps(call)
    def checked(*arrays: Any) -> Any:
        try:
            return call(*arrays)
        except ValueError as error:
            if str(error).startswith(REFUSALS):
                raise Refused(f"scikit-learn raised ValueError: {str(error).splitlines()[0]}") from error
            raise
        except ZeroDivisionError as error:
            raise Refused(f"scikit-learn raised ZeroDivisionError: {error}") from error

    return checked


def _columns(array: Any) -> Array:
    """An array as samples and outputs, the two axes that scikit-learn takes."""
    shape = np.shape(array) or (1,)
    return np.reshape(array, (shape[0], math.prod(shape[1:])))


COLUMNS = "target.reshape(len(target), -1), prediction.reshape(len(prediction), -1)"

ROWS_AS_OUTPUTS = "target.reshape(len(target), -1).T, prediction.reshape(len(prediction), -1).T"

ROWS: tuple[EntryRow, ...] = (
    (
        "mean_squared_error",
        "mean",
        "sklearn.metrics.mean_squared_error(np.ravel(target), np.ravel(prediction))",
    ),
    (
        "mean_squared_error.outputs",
        "mean",
        f"sklearn.metrics.mean_squared_error({COLUMNS})",
        lambda p, t: mean_squared_error(_columns(t), _columns(p)),
    ),
    (
        "mean_squared_error.raw_values",
        "per-sample",
        f'sklearn.metrics.mean_squared_error({ROWS_AS_OUTPUTS}, multioutput="raw_values")',
        lambda p, t: mean_squared_error(_columns(t).T, _columns(p).T, multioutput="raw_values"),
    ),
    (
        "mean_squared_error.sample-weighted-mean",
        "sample-weighted-mean",
        f"sklearn.metrics.mean_squared_error({COLUMNS}, sample_weight=weight)",
        lambda p, t, w: mean_squared_error(_columns(t), _columns(p), sample_weight=w),
    ),
    (
        "mean_squared_error.multioutput",
        "sample-weighted-mean",
        f"sklearn.metrics.mean_squared_error({ROWS_AS_OUTPUTS}, multioutput=weight)",
        lambda p, t, w: mean_squared_error(_columns(t).T, _columns(p).T, multioutput=w),
    ),
    (
        "root_mean_squared_error",
        "root-mean",
        "sklearn.metrics.root_mean_squared_error(np.ravel(target), np.ravel(prediction))",
    ),
)

IMPLEMENTATIONS = tuple(replace(one, call=_refusing(one.call)) for one in implementations(ROWS, NAMES, MODES))
