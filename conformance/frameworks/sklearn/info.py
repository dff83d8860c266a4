"""What can be said of scikit-learn without importing it: its programs are NumPy's."""

from dataclasses import replace

from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.numpy.info import PROGRAM

INFO = FrameworkInfo(
    "sklearn",
    adapter="conformance.frameworks.sklearn.adapter:SklearnFramework",
    requires=("sklearn",),
    extras=("sklearn",),
    program=replace(PROGRAM, imports="import sklearn.metrics"),
    start_rank=11,
    quick_to_install=True,
)
INFOS = (INFO,)
