"""What can be said of torchmetrics without importing it: its programs are PyTorch's."""

from dataclasses import replace

from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.torch.info import PROGRAM

INFO = FrameworkInfo(
    "torchmetrics",
    adapter="conformance.frameworks.torchmetrics.adapter:TorchmetricsFramework",
    requires=("torchmetrics", "torch"),
    extras=("torchmetrics", "torch"),
    device_kinds=("cpu", "cuda"),
    program=replace(PROGRAM, imports=f"{PROGRAM.imports}\nimport torchmetrics"),
    start_rank=9,
)
INFOS = (INFO,)
