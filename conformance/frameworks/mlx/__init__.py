"""All that the suite knows of MLX; ``info`` says it without importing it."""
