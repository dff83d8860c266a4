"""All that the suite knows of JAX; ``info`` says it without importing it."""
