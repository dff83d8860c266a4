"""TensorFlow on replicas: ``tf.distribute.MirroredStrategy`` over logical devices of the CPU, the step as a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.frameworks.child_processes import Replica, ReplicaLauncher, serve
from conformance.frameworks.tensorflow.tensors import constant, host, place, tf
from conformance.numerics.tasks import ReplicasTask


def _mean(squares: Any, all_rows: int) -> Any:  # noqa: ARG001 - which is what is wrong with it
    return tf.reduce_mean(squares)


def _average(squares: Any, all_rows: int) -> Any:
    return tf.nn.compute_average_loss(tf.reduce_mean(squares, axis=-1), global_batch_size=all_rows)


VARIANTS: Mapping[str, tuple[Callable[[Any, int], Any], tf.distribute.ReduceOp, str]] = {
    "reduce_mean": (_mean, tf.distribute.ReduceOp.MEAN, "tf.reduce_mean(squares), then all_reduce(MEAN, gradient)"),
    "compute_average_loss": (
        _average,
        tf.distribute.ReduceOp.SUM,
        "tf.nn.compute_average_loss(per_row, global_batch_size=rows_of_all), then all_reduce(SUM, gradient)",
    ),
}
IMPLEMENTATIONS = ReplicaLauncher("conformance.frameworks.tensorflow.replicas", lambda _: {"CUDA_VISIBLE_DEVICES": "-1"}).implementations(
    "MirroredStrategy", "graph", {name: f"tf.distribute.MirroredStrategy().run: {loss}" for name, (_, _, loss) in VARIANTS.items()}
)


def _run(task: ReplicasTask, variant: str) -> Sequence[Replica]:
    """All replicas."""
    loss_of, operator, _ = VARIANTS[variant]
    shards = list(task.split())
    cpu = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(cpu) is None:  # the first order
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * len(shards))
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(len(shards))])
    with strategy.scope():
        parameters = tf.Variable(constant(task.parameters))
        # What a function returns may be moved to one device: a variable stays on that of its replica.
        on_read = {"synchronization": tf.VariableSynchronization.ON_READ, "dtype": parameters.dtype}
        gradient, loss = tf.Variable(tf.zeros_like(parameters), **on_read), tf.Variable(0, **on_read)
    eagerly: set[bool] = set()

    def on_one(inputs: Any, targets: Any) -> None:
        eagerly.add(tf.executing_eagerly())
        with tf.GradientTape() as tape:
            own = loss_of(tf.square(tf.matmul(inputs, parameters) - targets), len(task.inputs))
        reduced = tf.distribute.get_replica_context().all_reduce(operator, [tape.gradient(own, parameters), own])
        for variable, result in zip((gradient, loss), reduced):
            variable.assign(result)

    step: Any = tf.function(lambda inputs, targets: strategy.run(on_one, (inputs, targets)))

    def spread(arrays: Sequence[Any]) -> Any:
        return strategy.experimental_distribute_values_from_function(lambda context: constant(arrays[context.replica_id_in_sync_group]))

    step(spread([s.inputs for s in shards]), spread([s.targets for s in shards]))
    mode = "eager" if True in eagerly else "graph"
    held = zip(*map(strategy.experimental_local_results, (gradient, loss)))
    return [Replica(i, place(g), mode, host(g), host(v)) for i, (g, v) in enumerate(held)]


if __name__ == "__main__":
    serve(_run)
