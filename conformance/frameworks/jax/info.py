"""What can be said of JAX without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

PROGRAM = Program(
    "jnp.asarray(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
    imports="import jax\nimport jax.numpy as jnp\n\njax.config.update('jax_enable_x64', True)",
    calls={"jit": "jax.jit({call})"},
    gradient="value, pullback = jax.vjp(loss, {names})\ngradients = pullback(upstream.astype(value.dtype).reshape(value.shape))",
    spread="upstream = upstream * jnp.ones_like({value})",
    imports_where={"optax": "import optax"},
)

INFO = FrameworkInfo(
    "jax",
    adapter="conformance.frameworks.jax.adapter:JaxFramework",
    requires=("jax",),
    extras=("jax",),
    device_kinds=("cpu", "cuda", "tpu"),
    usual_mode="jit",
    compiled_modes=("*",),  # every operation is compiled, outside ``jit`` too
    program=PROGRAM,
    start_rank=3,
    subject_name="jax",
    quick_to_install=True,
)
INFOS = (INFO,)
