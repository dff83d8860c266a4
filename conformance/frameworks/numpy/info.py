"""What can be said of NumPy without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

PROGRAM = Program("np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape})")

INFO = FrameworkInfo(
    "numpy",
    adapter="conformance.frameworks.numpy.adapter:NumpyFramework",
    requires=("numpy",),
    program=PROGRAM,
    start_rank=10,
    subject_name="numpy",
    quick_to_install=True,
)
INFOS = (INFO,)
