"""What can be said of MLX without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

INFO = FrameworkInfo(
    "mlx",
    adapter="conformance.frameworks.mlx.adapter:MlxFramework",
    requires=("mlx",),
    extras=("mlx",),
    device_kinds=("cpu", "metal"),
    program=Program(
        "mx.array(np.array({floats}, dtype=np.float64).reshape({shape}), dtype=mx.float64).astype(mx.{name})",
        imports="import mlx.core as mx\nimport mlx.nn",
        calls={"compile": "mx.compile({call})"},
        gradient="value = loss({names})\n_, gradients = mx.vjp(loss, [{names}], [upstream.astype(value.dtype).reshape(value.shape)])",
        spread="upstream = upstream * mx.ones_like({value})",
    ),
    start_rank=8,
)
INFOS = (INFO,)
