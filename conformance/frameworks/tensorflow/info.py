"""What can be said of TensorFlow without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

PROGRAM = Program(
    "tf.constant(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
    imports="import tensorflow as tf",
    calls={"graph": "tf.function({call})", "xla": "tf.function({call}, jit_compile=True)"},
    gradient="with tf.GradientTape() as tape:\n    tape.watch(({names}))\n    value = loss({names})\n"
    "gradients = tape.gradient(value, ({names}), tf.cast(tf.reshape(upstream, tf.shape(value)), value.dtype))",
    spread="upstream = tf.fill(tf.shape({value}), upstream)",
)

INFO = FrameworkInfo(
    "tensorflow",
    adapter="conformance.frameworks.tensorflow.adapter:TensorflowFramework",
    requires=("tensorflow",),
    extras=("tensorflow",),
    device_kinds=("cpu", "gpu", "tpu"),
    program=PROGRAM,
    start_rank=1,
    subject_name="tensorflow",
    tox_requirement="tensorflow-cpu",
)
INFOS = (INFO,)
