"""What can be said of PaddlePaddle without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

INFO = FrameworkInfo(
    "paddle",
    adapter="conformance.frameworks.paddle.adapter:PaddleFramework",
    requires=("paddle",),
    extras=("paddle",),
    program=Program(
        "paddle.to_tensor({floats}, dtype='float64').astype('{name}').reshape({shape})",
        imports="import paddle",
        calls={"graph": "paddle.jit.to_static(paddle.jit.not_to_static({call}), full_graph=True)"},  # nothing is rewritten
        gradient="for argument in ({names}):\n    argument.stop_gradient = False\nvalue = loss({names})\n"
        "gradients = paddle.grad([value], [{names}], [upstream.astype(value.dtype).reshape(value.shape)], allow_unused=True)",
        spread="upstream = upstream * paddle.ones_like({value})",
    ),
    start_rank=7,
)
INFOS = (INFO,)
