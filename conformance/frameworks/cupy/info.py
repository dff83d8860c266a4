"""What can be said of CuPy without importing it."""

from conformance.frameworks.info import FrameworkInfo

INFO = FrameworkInfo(
    "cupy",
    adapter="conformance.frameworks.cupy.adapter:CupyFramework",
    requires=("cupy",),
    extras=("cupy",),
    device_kinds=("cuda",),
)
INFOS = (INFO,)
