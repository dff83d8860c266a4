"""All that the suite knows of CuPy; ``info`` says it without importing it."""
