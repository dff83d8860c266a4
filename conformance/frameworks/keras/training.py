"""Keras trains: ``compile``, ``fit`` and ``evaluate``, with the loss said in every way that Keras takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.frameworks.base import Implementation
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.training_log import TrainingLog
from conformance.numerics.tasks import HIDDEN_WEIGHT, LOSS, METRIC, OUTPUT_BIAS, PARAMETERS, WEIGHTED_METRIC, Samples, TrainingTask

MODES = {"tensorflow": ("graph", "eager", "xla"), "torch": ("eager",), "jax": ("jit", "eager")}
"""For each backend its modes, that of a plain ``compile`` first. Keras on PyTorch is compiled nowhere by default."""


@dataclass(frozen=True)
class Backend:
    """What must be known of the backend: its name, where a tensor is, and whether one is only traced."""

    name: str
    place: Callable[[Any], str]
    is_traced: Callable[[Any], bool]


def implementations(keras: Any, backend: Backend) -> Sequence[Implementation]:
    """Sequential and functional models; the loss as string, class, function, and as a function of one's own."""
    ops = keras.ops

    def per_sample(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_pred - y_true), axis=-1)

    def of_all(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_pred - y_true))

    ways: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
        ("string", "keras.Sequential", '"mse"', lambda: "mse"),
        ("class", "keras.Model", "keras.losses.MeanSquaredError()", keras.losses.MeanSquaredError),
        ("function", "keras.Sequential", "keras.losses.mean_squared_error", lambda: keras.losses.mean_squared_error),
        ("own", "keras.Sequential", "lambda y_true, y_pred: ops.mean(ops.square(y_pred - y_true), axis=-1)", lambda: per_sample),
        ("own-scalar", "keras.Sequential", "lambda y_true, y_pred: ops.mean(ops.square(y_pred - y_true))", lambda: of_all),
    )
    made = []
    for suffix, weight in (("", ""), ("-weighted", ", sample_weight=weight")):
        for way, model, said, loss in ways:
            entry = f"{model}: compile(loss={said}); fit(inputs, targets{weight})"
            call = _Fit(keras, backend, loss, functional=model == "keras.Model")
            modes, dtypes = MODES[backend.name], DTYPES
            if way != "string":  # the other ways say the same loss to the same machinery
                modes, dtypes = modes[:1], ("float32",)
            made.append(Implementation(f"fit.{way}{suffix}", entry, f"training/sgd{suffix}", call, modes, dtypes))
    return made


@dataclass(frozen=True)
class _Fit:
    """A model of Keras, trained once for each task. ``loss`` makes the loss when the dtype is known."""

    keras: Any
    backend: Backend
    loss: Callable[[], Any]
    functional: bool

    def __call__(self, task: TrainingTask, setting: ExecutionSetting) -> ProcedureResult:
        with self._computing_in(setting):
            traced: set[bool] = set()
            model = self._model(task)
            model.compile(
                optimizer=self._optimizer(task, traced),
                loss=self.loss(),
                metrics=["mse"],
                weighted_metrics=[] if task.samples.weight is None else ["mse"],
                run_eagerly=setting.mode == "eager",
                jit_compile=setting.mode in {"xla", "jit"},
            )
            log = TrainingLog(task)
            kept = self.keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: log.keep(epoch + 1, dict(zip(PARAMETERS, model.get_weights())))  # noqa: ARG005 - Keras passes both by name
            )
            reports = model.fit(**_given(task.samples), epochs=task.epochs, shuffle=False, callbacks=[kept]).history
            found = {_NAMES[key]: [float(x) for x in values] for key, values in reports.items() if key in _NAMES}
            log.losses, log.metrics = found.pop(LOSS), found
            if task.evaluation is not None:
                report = model.evaluate(**_given(task.evaluation), return_dict=True)
                log.evaluation = {_NAMES[key]: float(value) for key, value in report.items() if key in _NAMES}
            return log.produced(self.backend.place(model.layers[-1].bias.value), self._mode(model, traced))

    @contextmanager
    def _computing_in(self, setting: ExecutionSetting) -> Iterator[None]:
        """Losses and metrics compute in ``floatx``; layers by the dtype policy, which follows it only until it is first asked for."""
        config = self.keras.config
        before = config.floatx(), config.dtype_policy()
        config.set_floatx(setting.dtype)
        config.set_dtype_policy(setting.dtype)
        try:
            # On PyTorch cpu:0 is another device than cpu, where its variables are.
            alone = ":" in setting.device or self.backend.name == "torch"
            with self.keras.device(setting.device if alone else f"{setting.device}:0"):
                yield
        finally:
            config.set_floatx(before[0])
            config.set_dtype_policy(before[1])

    def _model(self, task: TrainingTask) -> Any:
        layers, given = self.keras.layers, task.parameters
        inputs = self.keras.Input((given[HIDDEN_WEIGHT].shape[0],))
        hidden = layers.Dense(given[HIDDEN_WEIGHT].shape[1], activation="relu")
        output = layers.Dense(given[OUTPUT_BIAS].shape[0])
        model = self.keras.Model(inputs, output(hidden(inputs))) if self.functional else self.keras.Sequential([inputs, hidden, output])
        model.set_weights([np.array(given[name]) for name in PARAMETERS])
        return model

    def _optimizer(self, task: TrainingTask, traced: set[bool]) -> Any:
        """SGD that notes whether the gradients it is given are only traced; on PyTorch, which traces nothing here, SGD itself."""
        base: Any = self.keras.optimizers.SGD
        is_traced, arguments = self.backend.is_traced, {"learning_rate": float(task.rate), "name": "SGD"}
        if self.backend.name == "torch":
            return base(**arguments)

        def update_step(self: Any, gradient: Any, *others: Any) -> None:
            traced.add(is_traced(gradient))
            base.update_step(self, gradient, *others)

        return type("Noting", (base,), {"update_step": update_step})(**arguments)

    def _mode(self, model: Any, traced: set[bool]) -> str:
        """How the steps ran: traced or not was observed, and what was traced is compiled exactly if the model says so."""
        if traced != {True}:
            return "eager"
        if self.backend.name == "jax":
            return "jit"
        return "xla" if model.jit_compile else "graph"


_NAMES = {"loss": LOSS, "mse": METRIC, "weighted_mse": WEIGHTED_METRIC}
"""How Keras calls the loss, and what is compiled as ``metrics`` and as ``weighted_metrics``."""


def _given(samples: Samples) -> dict[str, Any]:
    """The arguments of ``fit`` and of ``evaluate``."""
    return {"x": samples.inputs, "y": samples.targets, "sample_weight": samples.weight, "batch_size": samples.batch, "verbose": 0}
