"""The domain of a subject: what it declares, what is observed of it, what it is then asked, and what of its failures is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import conformance as command
from command import one_sentence
from one_target import harness_of, request_of

import conformance
from conformance.frameworks import registry
from conformance.frameworks.base import Implementation
from conformance.frameworks.domain import Domain, is_observation
from conformance.numerics.formats import Array
from conformance.results.records import Cell, Outcome
from conformance.subject import SubjectError, _registered

RIGHT = "mse/mean/law/exact-arithmetic"


def declared(operation: str, call: Callable[..., Any], gradient: Callable[..., Any] | None = None, **domain: Any) -> Implementation:
    """A subject, as its file would register it."""
    own: Any = conformance.implementation(operation, framework=domain.pop("framework", "numpy"), name="mine", **domain)(call)
    subject = _registered.pop()
    if gradient is not None:
        own.gradient(gradient)
    return subject.implementation()


def cells(check: str, call: Callable[..., Any], gradient: Callable[..., Any] | None = None, **domain: Any) -> list[Cell]:
    """The cells of one check on a subject, in the dtype ``dtype``."""
    dtype, framework = domain.pop("dtype", "float32"), domain.get("framework", "numpy")
    mine = declared("/".join(check.split("/")[:2]), call, gradient, **domain)
    return list(harness_of(registry.load(framework), (mine,)).answer(request_of(check, "mine", dtype=dtype)).cells)


def value(check: str, call: Callable[..., Any], gradient: Callable[..., Any] | None = None, **domain: Any) -> Cell:
    """The cell of the value."""
    return next(cell for cell in cells(check, call, gradient, **domain) if cell.quantity in {"value", "curvature"})


def observed(found: Sequence[Cell]) -> set[str]:
    return {flag for cell in found for flag in cell.flags if is_observation(flag)}


def mean(p: Array, t: Array) -> Any:
    return np.mean(np.square(p - t))


def gradients(p: Array, t: Array, g: Array) -> tuple[Array, Array]:
    part = (2 * g / p.dtype.type(max(p.size, 1))) * (p - t)
    return part, -part


def of_four_axes(p: Array, t: Array) -> Any:
    count, channels, height, width = p.shape
    return np.square(p - t).sum() / (count * channels * height * width)


# ---- what is wrong in a declaration is one sentence ----

KNOWN = {"check": "mse/mean/law/swap", "because": "it is old", "until": "2099-01-01"}
MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"ranks": "4"}, "found ranks='4', expected numbers of axes from 0 to 8, such as (4,)"),
    ({"ranks": (-1,)}, "found ranks=(-1,), expected numbers of axes"),
    ({"ranks": (9,)}, "found ranks=(9,), expected numbers of axes"),
    ({"ranks": (True,)}, "found ranks=(True,), expected numbers of axes"),
    ({"shapes": (3, 5)}, "found shapes=(3, 5), expected a tuple of shapes such as ((8, 3, 32, 32),)"),
    ({"shapes": ((3, -5),)}, "found shapes=((3, -5),), expected a tuple of shapes"),
    ({"shapes": "(3, 5)"}, "found shapes='(3, 5)', expected a tuple of shapes"),
    ({"dtypes": ("float8",)}, "found the dtype 'float8', expected some of float16, bfloat16, float32, float64"),
    ({"dtypes": "float32"}, "found dtypes='float32', expected a tuple of strings"),
    ({"integers": 1}, "found integers=1, expected True or False"),
    ({"mixed_dtypes": "yes"}, "found mixed_dtypes='yes', expected True or False"),
    ({"second_derivative": None}, "found second_derivative=None, expected True or False"),
    ({"flushes_subnormals": ("float32",)}, "found flushes_subnormals=('float32',), expected True or False"),
    ({"mask_dtype": bool}, "found mask_dtype=<class 'bool'>, expected 'bool'"),
    ({"half_result": "float8"}, "found half_result='float8', expected 'float16' or 'bfloat16'"),
    ({"layouts": "transposed"}, "found layouts='transposed', expected a tuple of transposed, strided"),
    ({"layouts": ("fortran",)}, "found the layout 'fortran', expected some of transposed, strided"),
    ({"gradients": ("predictions",)}, "found the gradient 'predictions', expected some of prediction, target, weight"),
    ({"gradients": "prediction"}, "found gradients='prediction', expected a tuple of prediction, target, weight"),
    ({"known": "mse/mean/law/swap"}, "found known='mse/mean/law/swap', expected a list of conformance.Known"),
    ({"known": [conformance.Known(**{**KNOWN, "until": "soon"})]}, "found until='soon', expected a date such as '2027-03-01'"),
    ({"known": [conformance.Known(**{**KNOWN, "because": " "})]}, "expected a check and a reason in words"),
    ({"known": [conformance.Known(**KNOWN, outcome="pass")]}, "found the outcome 'pass', expected 'fail' or 'error'"),
)


@pytest.mark.parametrize(("declaration", "says"), MISTAKES, ids=[f"{next(iter(one))}-{n}" for n, (one, _) in enumerate(MISTAKES)])
def test_a_mistake_in_a_declaration_is_one_sentence(declaration: dict[str, Any], says: str) -> None:
    with pytest.raises(SubjectError) as caught:
        conformance.implementation("mse/mean", framework="numpy", **declaration)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_on_the_command_line_it_has_the_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "my_loss.py"
    file.write_text("import conformance\n\n@conformance.implementation('mse/mean', framework='numpy', ranks=(9,))\ndef f(p, t): ...\n")
    one_sentence(command("run", "--subject", file, "-o", tmp_path / "out"), "my_loss.py:3", "found ranks=(9,)")


def test_what_is_declared_is_what_the_runner_tells() -> None:
    mine = declared(
        "mse/mean",
        mean,
        ranks=4,
        shapes=[[2, 3]],
        dtypes=["float32"],
        integers=True,
        layouts=[],
        gradients=["prediction"],
        half_result="float16",
        known=[conformance.Known(**KNOWN)],
    )
    assert mine.domain == Domain(
        ranks=(4,),
        shapes=((2, 3),),
        dtypes_declared=True,
        integers=True,
        layouts=(),
        gradients=("prediction",),
        half_result="float16",
        known=(conformance.Known(**KNOWN),),
    )
    assert mine.dtypes == ("float32",)
    assert declared("mse/mean", mean).domain == Domain()


# ---- what is not declared is observed ----


def test_numbers_of_axes_are_observed() -> None:
    found = cells(RIGHT, of_four_axes)
    assert found[0].outcome is Outcome.PASS
    assert found[0].evaluations
    assert observed(found) == {"takes 4 axes only: ranks=(4,) declares it"}


def test_and_pinned_cases_have_as_many_axes_as_it_takes() -> None:
    seen = set()

    def remember(p: Array, t: Array) -> Any:
        if p.ndim != 4:
            raise ValueError(p.shape)
        seen.add(p.shape)
        return mean(p, t)

    assert value("mse/mean/case/mean-ordinary", remember).outcome is Outcome.PASS
    assert value("mse/mean/law/special-pairs", remember).outcome is Outcome.PASS
    assert (1, 1, 1, 2) in seen


def test_dtypes_are_observed_where_one_at_least_is_taken() -> None:
    def single(p: Array, t: Array) -> Any:
        if p.dtype != np.float32:
            raise TypeError("single precision")
        return mean(p, t)

    told = "takes float32 only: dtypes=('float32',) declares it"
    refused = cells(RIGHT, single, dtype="float64")
    assert {cell.outcome for cell in refused} == {Outcome.UNSUPPORTED}
    assert refused[0].reason == "it refuses float64: TypeError: single precision"
    assert observed(refused) == {told}
    assert value(RIGHT, single).outcome is Outcome.PASS
    assert value(RIGHT, single, dtypes=("float32", "float64"), dtype="float64").outcome is Outcome.ERROR


def test_what_takes_no_dtype_is_an_error() -> None:
    def broken(_p: Array, _t: Array) -> Any:
        raise NameError("name 'square' is not defined")

    cell = value(RIGHT, broken)
    assert cell.outcome is Outcome.ERROR
    assert cell.reason == "before any check, on [1, 2] against zeros: raised NameError: name 'square' is not defined"


def test_what_returns_another_dtype_takes_none_the_less() -> None:
    cell = value(RIGHT, lambda p, t: mean(p, t).astype(np.float32), dtype="float64")
    assert cell.outcome is Outcome.ERROR
    assert "came back as float32" in cell.reason


def test_masks_of_truth_values_are_observed_and_declared() -> None:
    check = "mse/masked-mean/law/exact-arithmetic"

    def chosen(p: Array, t: Array, m: Array) -> Any:
        return np.mean(np.square(p[m] - t[m]))

    assert value(check, chosen).outcome is Outcome.PASS
    assert observed(cells(check, chosen)) == {'takes masks of truth values only: mask_dtype="bool" declares it'}
    found = cells(check, chosen, mask_dtype="bool")
    assert found[0].outcome is Outcome.PASS
    assert observed(found) == set()
    assert value(check, lambda p, t, m: chosen(p, t, ~m), mask_dtype="bool").outcome is Outcome.FAIL


def test_masks_of_images_are_numbers_where_numbers_are_taken() -> None:
    def images(p: Array, t: Array, m: Array) -> Any:
        assert p.ndim == 4
        return (m * np.square(p - t)).sum() / m.sum()

    found = cells("mse/masked-mean/law/exact-arithmetic", images)
    assert found[0].outcome is Outcome.PASS
    assert observed(found) == {"takes 4 axes only: ranks=(4,) declares it"}


def test_a_constant_target_is_observed() -> None:
    found = cells(RIGHT, mean, lambda p, t, g: (gradients(p, t, g)[0], None))
    assert [cell.outcome for cell in found] == [Outcome.PASS, Outcome.PASS, Outcome.UNSUPPORTED]
    assert observed(found) == {"takes its target as a constant: gradients=('prediction',) declares it"}
    zero = cells(RIGHT, mean, lambda p, t, g: (gradients(p, t, g)[0], np.zeros_like(p)))
    assert [cell.outcome for cell in zero] == [cell.outcome for cell in found]


def test_and_the_gradient_of_the_prediction_is_judged() -> None:
    found = cells(RIGHT, mean, lambda p, t, g: (gradients(p, t, g)[0] / 2, None))
    assert [cell.outcome for cell in found] == [Outcome.PASS, Outcome.FAIL, Outcome.UNSUPPORTED]


def test_a_gradient_of_weights_that_is_zero_by_chance_is_no_constant() -> None:
    """One sample weighs as much as it likes: the derivative is zero, and rightly."""

    def weighted(p: Array, t: Array, w: Array) -> Any:
        return (w * np.square(p - t).mean(axis=1)).sum() / w.sum()

    def its_gradients(p: Array, t: Array, w: Array, g: Array) -> tuple[Array, ...]:
        rows = np.square(p - t).mean(axis=1)
        part = (g * w / w.sum())[:, None] * 2 * (p - t) / p.shape[1]
        return part, -part, g * (rows - weighted(p, t, w)) / w.sum()

    found = cells("mse/sample-weighted-mean/law/exact-arithmetic", weighted, its_gradients)
    assert {cell.outcome for cell in found} == {Outcome.PASS}
    assert observed(found) == {"takes 2 axes only: ranks=(2,) declares it"}


def test_layouts_that_are_refused_are_observed() -> None:
    def contiguous(p: Array, t: Array) -> Any:
        if not (p.flags.c_contiguous and t.flags.c_contiguous):
            raise ValueError("expected contiguous arrays")
        return mean(p, t)

    check = "mse/mean/law/layouts"
    found = cells(check, contiguous)
    assert found[0].outcome is Outcome.PASS
    told = (
        "refuses inputs that are transposed or strided or a window or backwards or repeated: layouts=('unaligned', 'read-only') declares it"
    )
    assert observed(found) == {told}
    assert value(check, contiguous, layouts=("unaligned",)).outcome is Outcome.PASS
    cell = value(check, contiguous, layouts=("strided",))
    assert cell.outcome is Outcome.FAIL
    assert "strided: raises" in cell.reason


def test_a_layout_that_is_taken_is_judged() -> None:
    misread = value("mse/mean/law/layouts", lambda p, t: mean(p.ravel("K"), t.ravel("K")))
    assert misread.outcome is Outcome.FAIL


def test_inputs_without_elements_may_be_refused() -> None:
    def divides(p: Array, t: Array) -> Any:
        return np.square(p - t).sum() / p.dtype.type(1 / (1 / p.size))

    cell = value("mse/mean/case/mean-empty", divides)
    assert cell.outcome is Outcome.UNSUPPORTED
    assert cell.reason == "it refuses inputs without elements: ZeroDivisionError: division by zero"
    assert value("mse/mean/case/mean-empty", lambda p, t: mean(p, t) if p.size else np.float32(0)).outcome is Outcome.FAIL
    assert value("mse/mean/case/mean-ordinary", lambda p, t: mean(p, t) if p.size == 2 else 1 / 0).outcome is Outcome.ERROR


def test_weights_that_sum_to_zero_may_be_refused() -> None:
    check = "mse/weighted-mean/case/weighted-mean-no-weight"
    cell = value(check, lambda p, t, w: np.average(np.square(p - t), weights=w))
    assert cell.outcome is Outcome.UNSUPPORTED
    assert "it refuses weights that sum to zero: ZeroDivisionError" in cell.reason
    assert value(check, lambda p, t, w: (w * np.square(p - t)).sum() / max(w.sum(), np.float32(1))).outcome is Outcome.FAIL


# ---- what is declared is tested ----


def test_shapes_are_the_only_ones_that_are_asked() -> None:
    seen = set()

    def remember(p: Array, t: Array) -> Any:
        seen.add(p.shape)
        return mean(p, t)

    for check in ("law/every-length", "law/special-pairs", "law/subnormals-as-declared", "bound/ordinary", "law/exact-arithmetic"):
        cell = value(f"mse/mean/{check}", remember, shapes=((3, 5), (4, 8)))
        assert cell.outcome is Outcome.PASS, cell.reason
    assert seen == {(3, 5), (4, 8)}


def test_a_shape_that_is_no_power_of_two_is_held_to_its_one_division() -> None:
    """In whose interval for sums in any order a wrong divisor would hide."""
    check, shapes = "mse/mean/law/every-length", ((8, 3, 32, 32),)
    assert value(check, mean, shapes=shapes).outcome is Outcome.PASS
    wrong = value(check, lambda p, t: (np.square(p - t).sum(dtype=np.float64) / (p.size - 1)).astype(np.float32), shapes=shapes)
    assert wrong.outcome is Outcome.FAIL


def test_what_is_wrong_for_the_declared_axes_alone_is_found() -> None:
    wrong = value(RIGHT, lambda p, t: mean(p[:1], t[:1]), ranks=(4,))
    assert wrong.outcome is Outcome.FAIL


def test_a_subject_that_refuses_its_own_axes_is_in_error() -> None:
    assert value(RIGHT, of_four_axes, ranks=(3, 4)).outcome is Outcome.ERROR


def test_a_declared_gradient_must_be_there() -> None:
    cell = value(RIGHT, mean, lambda p, t, g: (gradients(p, t, g)[0], None), gradients=("prediction", "target"))
    assert cell.outcome is Outcome.ERROR
    assert "it declares a gradient/target and has none" in cell.reason
    found = cells(RIGHT, mean, lambda p, t, g: (gradients(p, t, g)[0], -3 * g * p), gradients=("prediction",))
    assert [cell.outcome for cell in found] == [Outcome.PASS, Outcome.PASS, Outcome.UNSUPPORTED]


@pytest.mark.parametrize(
    ("check", "claim"),
    [
        ("integer-inputs", "integers"),
        ("integer-range", "integers"),
        ("integers-beside-floats", "integers"),
        ("mixed-dtypes", "mixed_dtypes"),
    ],
)
def test_claims_make_their_laws_count(check: str, claim: str) -> None:
    check = f"mse/mean/law/{check}"

    def wide(p: Array, t: Array) -> Any:
        return mean(p.astype(np.float64), t.astype(np.float64))

    def refuses(p: Array, t: Array) -> Any:
        if p.dtype != t.dtype or p.dtype.kind != "f":
            raise TypeError("floats of one dtype")
        return mean(p, t)

    def wrong(p: Array, t: Array) -> Any:
        return mean(p, t) if p.dtype == t.dtype and p.dtype.kind == "f" else np.float32(7)

    claimed: dict[str, Any] = {claim: True}
    assert value(check, wide, **claimed).outcome is Outcome.PASS
    assert value(check, wide).outcome is Outcome.PASS
    assert value(check, wrong, **claimed).outcome is Outcome.FAIL
    told = value(check, wrong)
    assert told.outcome is Outcome.UNSUPPORTED
    assert told.reason.startswith(f"outside of its domain, as {claim}=True is not declared: ")
    assert value(check, refuses).outcome is Outcome.UNSUPPORTED
    cell = value(check, refuses, **claimed)
    assert cell.outcome is Outcome.FAIL
    assert cell.reason.startswith(f"it declares {claim}=True, and it refuses ")


def test_claims_hold_in_the_axes_of_the_domain() -> None:
    def images(p: Array, t: Array) -> Any:
        assert p.ndim == 4
        return mean(p.astype(np.float64), t.astype(np.float64))

    assert value("mse/mean/law/integer-inputs", images, ranks=(4,), integers=True).outcome is Outcome.PASS
    assert value("mse/mean/law/integer-inputs", images, shapes=((2, 1, 1, 4),), integers=True).outcome is Outcome.PASS


def test_flushing_is_as_declared() -> None:
    check = "mse/mean/law/subnormals-as-declared"

    def flushes(p: Array, t: Array) -> Any:
        found = mean(p, t)
        return np.where(np.abs(found) < np.finfo(np.float32).tiny, 0 * found, found)

    assert value(check, flushes, flushes_subnormals=True).outcome is Outcome.PASS
    assert value(check, flushes).outcome is Outcome.FAIL
    assert value(check, mean, flushes_subnormals=True).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "check", ["law/exact-arithmetic", "law/scaling", "law/subnormals-as-declared", "bound/ordinary", "law/every-length"]
)
def test_a_half_result_has_the_format_that_is_declared(check: str) -> None:
    def half(p: Array, t: Array) -> Any:
        with np.errstate(over="ignore"):
            return np.square(p - t).mean(dtype=np.float64).astype(np.float16)

    assert value(f"mse/mean/{check}", half, half_result="float16").outcome is Outcome.PASS
    assert value(f"mse/mean/{check}", half, half_result="bfloat16").outcome is Outcome.ERROR
    assert value(f"mse/mean/{check}", half).outcome is Outcome.ERROR


def test_and_its_last_digit() -> None:
    import ml_dtypes

    def rounds_twice(p: Array, t: Array) -> Any:
        return mean(p, t).astype(ml_dtypes.bfloat16).astype(np.float16)

    assert value("mse/mean/bound/ordinary", rounds_twice, half_result="float16").outcome is Outcome.FAIL


# ---- in every framework ----


def _of_torch() -> Any:
    import torch

    return lambda m, x: torch.where(m, x, 0.0).sum() / m.sum(), torch.mean


def _of_jax() -> Any:
    import jax.numpy as jnp

    return lambda m, x: jnp.where(m, x, 0).sum() / m.sum(), jnp.mean


def _of_tensorflow() -> Any:
    import tensorflow as tf

    return lambda m, x: tf.reduce_sum(tf.where(m, x, tf.zeros_like(x))) / tf.reduce_sum(tf.cast(m, tf.float32)), tf.reduce_mean


def _of_mlx() -> Any:
    import mlx.core as mx

    return lambda m, x: mx.where(mx.logical_not(m), 0, x).sum() / m.sum(), mx.mean


def _of_paddle() -> Any:
    import paddle

    return lambda m, x: paddle.where(m, x, paddle.zeros_like(x)).sum() / m.astype("float32").sum(), paddle.mean


FRAMEWORKS = [
    ("torch", "eager", _of_torch),
    ("jax", "eager", _of_jax),
    ("jax", "jit", _of_jax),
    ("tensorflow", "eager", _of_tensorflow),
    ("tensorflow", "graph", _of_tensorflow),
    ("tensorflow", "xla", _of_tensorflow),
    ("mlx", "eager", _of_mlx),
    ("mlx", "compile", _of_mlx),
    ("paddle", "eager", _of_paddle),
    ("paddle", "graph", _of_paddle),
]
every_framework = pytest.mark.parametrize(("name", "mode", "parts"), FRAMEWORKS, ids=[f"{name}-{mode}" for name, mode, _ in FRAMEWORKS])


def in_mode(check: str, name: str, mode: str, call: Callable[..., Any], gradient: Callable[..., Any] | None = None) -> list[Cell]:
    mine = declared("/".join(check.split("/")[:2]), call, gradient, framework=name, modes=(mode,))
    return list(harness_of(registry.load(name), (mine,)).answer(request_of(check, "mine", mode=mode)).cells)


def skip_without(name: str) -> None:
    if reason := registry.info_of(name).why_missing():
        pytest.skip(reason)


@every_framework
def test_a_mask_of_truth_values_has_no_gradient_and_the_others_have(name: str, mode: str, parts: Callable[[], Any]) -> None:
    skip_without(name)
    mean_where, _ = parts()
    found = in_mode("mse/masked-mean/case/masked-mean-vector", name, mode, lambda p, t, m: mean_where(m, (p - t) * (p - t)))
    assert {cell.outcome for cell in found} == {Outcome.PASS}, [cell.reason for cell in found]


@every_framework
def test_a_gradient_of_ones_own_takes_the_place_of_the_frameworks(name: str, mode: str, parts: Callable[[], Any]) -> None:
    skip_without(name)
    _, mean = parts()

    def loss(p: Any, t: Any) -> Any:
        return mean((p - t) * (p - t))

    def half(p: Any, t: Any, g: Any) -> tuple[Any, None]:
        return g * (p - t) / 2, None  # of four elements it is right

    check = "mse/mean/case/mean-opposite-residuals"
    outcomes = [cell.outcome for cell in in_mode(check, name, mode, loss, half)]
    if (name, mode) == ("paddle", "graph"):
        assert set(outcomes) == {Outcome.UNSUPPORTED}
    else:
        assert outcomes == [Outcome.PASS, Outcome.FAIL, Outcome.UNSUPPORTED]  # of two elements it is half


# ---- derivatives of PyTorch ----


def in_torch(check: str, call: Callable[..., Any], **domain: Any) -> Cell:
    pytest.importorskip("torch")
    return value(check, call, framework="torch", **domain)


def test_a_second_derivative_that_raises_is_refused_and_one_that_is_wrong_is_wrong() -> None:
    torch = pytest.importorskip("torch")

    def function(backward: Callable[..., Any]) -> Callable[..., Any]:
        class Own(torch.autograd.Function):  # type: ignore[misc,name-defined]  # a class of no type to mypy
            @staticmethod
            def forward(ctx: Any, p: Any, t: Any) -> Any:
                ctx.save_for_backward(p, t)
                return (p - t).square().mean()

        Own.backward = staticmethod(backward)
        applied: Callable[..., Any] = Own.apply
        return applied

    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]  # torch has no types here
    def once(ctx: Any, g: Any) -> Any:
        p, t = ctx.saved_tensors
        part = g * (2 / max(p.numel(), 1)) * (p - t)
        return part, -part

    def halved(ctx: Any, g: Any) -> Any:
        p, t = ctx.saved_tensors
        part = g * ((p - t) + (p - t).detach()) / p.numel()
        return part, -part

    check = "mse/mean/law/curvature"
    assert in_torch(check, function(once)).outcome is Outcome.UNSUPPORTED
    assert in_torch(check, function(once), second_derivative=True).outcome is Outcome.ERROR
    assert in_torch(check, function(halved)).outcome is Outcome.FAIL
    constant = function(halved)
    assert in_torch(check, lambda p, t: constant(p, t.detach())).outcome is Outcome.FAIL
    assert in_torch(check, lambda p, t: (p - t.detach()).square().mean()).outcome is Outcome.PASS


def test_a_method_can_be_a_subject() -> None:
    class Loss:
        __slots__ = ()

        def call(self, p: Array, t: Array) -> Any:
            return mean(p, t)

    assert value(RIGHT, Loss().call, gradients).outcome is Outcome.PASS


# ---- what is known ----

FILE = """\
import numpy as np
import conformance

@conformance.implementation("mse/none", framework="numpy", dtypes=("float32",), known=[{known}])
def mine(p, t):
    value = np.square(p - t)
    return np.where(value < {least}, 0 * value, value)
"""
FLUSHES = "mse/none/law/subnormals-as-declared"
FLUSHED = "mse/none/case/none-subnormal-result"
LEAST = "np.finfo(np.float32).tiny"


def ran(folder: Path, *known: str, least: str = LEAST) -> tuple[int, str]:
    """The exit code and what was said."""
    file = folder / "my_loss.py"
    file.write_text(FILE.format(known=", ".join(known), least=least))
    done = command("run", "--subject", file, "-o", folder / "out", "--check", "mse/none/[lc]a*")
    return done.returncode, done.stdout + done.stderr


def known(check: str = FLUSHES, days: int = 30, **more: str) -> str:
    until = (date.today() + timedelta(days=days)).isoformat()  # noqa: DTZ011 - a review date is a local day
    arguments = {"check": check, "because": "an old device", "until": until, **more}
    return f"conformance.Known({', '.join(f'{name}={text!r}' for name, text in arguments.items())})"


def test_a_known_failure_is_a_deviation_until_its_date(tmp_path: Path) -> None:
    assert ran(tmp_path)[0] == 1
    code, said = ran(tmp_path, known(), known(FLUSHED, quantity="value"))
    assert code == 0, said
    assert "2 deviations" in said
    assert "an old device" in said


def test_after_its_date_it_counts_again_and_is_complained_of(tmp_path: Path) -> None:
    code, said = ran(tmp_path, known(days=-1), known(FLUSHED, quantity="value"))
    assert code == 1
    assert "conforms with deviations" in said
    assert f"my_loss.py: {FLUSHES}: its review date" in said


def test_a_known_failure_that_passes_is_complained_of(tmp_path: Path) -> None:
    """Of pinned cases alone: what draws its inputs may draw others the next time."""
    case = "mse/none/case/none-ordinary"
    both = known(), known(FLUSHED, quantity="value")
    code, said = ran(tmp_path, *both, known(case, quantity="value"))
    assert code == 1
    assert f"my_loss.py: {case}: " in said
    assert "no longer deviates" in said
    assert ran(tmp_path, *both, known("mse/none/law/swap", quantity="value"))[0] == 0


@pytest.mark.parametrize("other", [known("mse/none/law/swap"), known(quantity="gradient/prediction"), known(outcome="error")])
def test_one_of_another_check_quantity_or_outcome_excuses_nothing(tmp_path: Path, other: str) -> None:
    assert ran(tmp_path, other, known(FLUSHED, quantity="value"))[0] == 1


# ---- what is printed ----


def test_what_was_observed_is_said_once_and_fits_eighty_columns(tmp_path: Path) -> None:
    file = tmp_path / "my_loss.py"
    file.write_text(
        "import numpy as np\nimport conformance\n\n"
        "@conformance.implementation('mse/none', framework='numpy', dtypes=('float32',))\n"
        "def mine(p, t):\n    a, b, c, d = p.shape\n    return np.square(p - t)\n"
    )
    done = command("run", "--subject", file, "-o", tmp_path / "out", "--check", "mse/none/law/s*")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("ranks=(4,) declares it") == 1
    assert "  mine takes 4 axes only: ranks=(4,) declares it\n" in done.stdout
    assert "mine takes 4 axes only: ranks=(4,) declares it" in (tmp_path / "out" / "matrix.md").read_text()
