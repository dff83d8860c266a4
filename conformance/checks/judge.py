"""Compares a result array with its expectation. Never prints, never raises on a wrong result, builds words only on failure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from conformance.checks.wording import allowed_in_words, describe, digits_of
from conformance.numerics.bounds.expectation import Expectation
from conformance.numerics.formats import Array


@dataclass(frozen=True)
class Judgement:
    """How one result array compares with its expectation.

    ``worst`` is the flat index of the first element that does not conform, or else of the largest error. Errors are the
    largest over the elements that lie inside their interval: in u (relative to the exact value), in ulp, and as a fraction of the bound.
    ``allowances`` are those that were used.
    """

    conforms: bool
    worst: int
    error_u: float
    error_ulp: float
    error_over_bound: float
    correctly_rounded: bool
    allowances: tuple[str, ...]


_EMPTY = Judgement(conforms=True, worst=0, error_u=0.0, error_ulp=0.0, error_over_bound=0.0, correctly_rounded=True, allowances=())


FLUSHES = "flushes subnormals"


def judge(expectation: Expectation, observed: Array, *, flushes: bool = False) -> Judgement:
    """Judge ``observed``, an array of the expectation's shape in its output format.

    ``flushes``: the target is declared to flush subnormals; a zero in place of a tiny number is then named, and not measured as an error.
    """
    x = observed.astype(np.float64).ravel()
    if not x.size:
        return _EMPTY
    if expectation.plain and (judged := _judge_plainly(expectation, x, flushes=flushes)) is not None:
        return judged
    inside = _inside(expectation, x)
    special = np.isnan(x) & expectation.nan
    conforming = inside | special
    allowances: tuple[str, ...] = ()
    if not conforming.all():
        by_name = ((expectation.wide_lower <= x) & (x <= expectation.wide_upper)) | (x == expectation.infinity) | expectation.undefined
        used = by_name & ~conforming
        allowances = tuple(dict.fromkeys(name for i in np.flatnonzero(used)[:64].tolist() for name in expectation.at(i).allowances))
        conforming |= by_name
    if flushes:
        flushed = inside & _a_zero_instead(expectation, x)
        if flushed.any():
            allowances = (*allowances, FLUSHES)
            inside &= ~flushed
    distance = _errors_in_ulp(expectation, x, inside)
    measured = np.where(expectation.relative, distance, 0.0)
    rounded = bool(((x == expectation.center) | special).all())
    over_bound = _over_bound(distance, expectation.bound_ulp)
    largest = measured if measured.any() else over_bound
    in_u = np.multiply(measured, expectation.u_per_ulp, out=np.zeros_like(measured), where=measured > 0)
    return Judgement(
        conforms=bool(conforming.all()),
        worst=int(np.argmax(largest) if conforming.all() else np.argmin(conforming)),
        error_u=float(in_u.max()),
        error_ulp=float(measured.max()),
        error_over_bound=float(over_bound.max()),
        correctly_rounded=rounded,
        allowances=allowances,
    )


def conforms_without_allowance(expectation: Expectation, observed: Array, *, flushes: bool = False) -> npt.NDArray[np.bool_]:
    """Where :func:`judge` finds a result that conforms, and under no name."""
    x = observed.astype(np.float64).ravel()
    inside = _inside(expectation, x)
    if flushes:
        inside &= ~_a_zero_instead(expectation, x)
    right: npt.NDArray[np.bool_] = inside | (np.isnan(x) & expectation.nan)
    return right


def _inside(expectation: Expectation, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (expectation.lower <= x) & (x <= expectation.upper)
    return inside & ~((x == 0) & np.signbit(x)) if expectation.positive_zero else inside


def _a_zero_instead(expectation: Expectation, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where a tiny number may have been flushed."""
    instead: npt.NDArray[np.bool_] = (x == 0) & (expectation.center != 0)
    return instead


def _judge_plainly(expectation: Expectation, x: npt.NDArray[np.float64], *, flushes: bool) -> Judgement | None:
    """The judgement of finite numbers that all lie inside their intervals; None where one does not, or is a zero that may have a name."""
    center = expectation.center
    if not ((expectation.lower <= x) & (x <= expectation.upper)).all():
        return None
    if (expectation.positive_zero or flushes) and not x.all():
        return None
    rounded = x == center
    distance = np.abs(np.ldexp(x - center, -expectation.ulp_exponent) - expectation.rest)
    over_bound = np.divide(distance, expectation.bound_ulp, out=np.zeros_like(distance), where=distance > 0)
    return Judgement(
        conforms=True,
        worst=int(distance.argmax()),
        error_u=float((distance * expectation.u_per_ulp).max()),
        error_ulp=float(distance.max()),
        error_over_bound=float(over_bound.max()),
        correctly_rounded=bool(rounded.all()),
        allowances=(),
    )


def _errors_in_ulp(expectation: Expectation, x: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.ldexp(x - expectation.center, -expectation.ulp_exponent) - expectation.rest
    usable = inside & np.isfinite(x) & np.isfinite(expectation.center)
    return np.where(usable, np.abs(distance), 0.0)


def _over_bound(errors: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(errors > 0, errors / np.where(np.isfinite(bounds), bounds, np.inf), 0.0)


# -- words, for failures and reports only -------------------------------------------------------------------------------------


def sentence(expectation: Expectation, observed: Array, judgement: Judgement) -> str:
    """What was found at the worst element, what was expected, and what was allowed."""
    at = judgement.worst
    interval = expectation.at(at)
    x = float(observed.ravel()[at])
    place = f" at element {at} of {expectation.index.size}" if expectation.index.size > 1 else ""
    if x == 0 and math.copysign(1, x) < 0 and expectation.positive_zero:
        return f"{expectation.quantity}{place}: found -0, expected +0: a sum of squares is never negative"
    distance = ""
    if math.isfinite(x) and isinstance(interval.exact, Fraction):
        unit = expectation.measured_in
        ulp = abs(Fraction(x) - interval.exact) / unit.ulp(interval.exact)
        digits = "" if unit == expectation.output else f" of {unit.name}"
        distance = f", off by {float(ulp):.3g} ulp{digits}" if ulp < 10**15 else ""
    allowed = allowed_in_words(interval, digits_of(expectation))
    return f"{expectation.quantity}{place}: found {x!r}, expected {describe(interval.exact)}{distance}; allowed {allowed}"
