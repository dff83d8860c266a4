"""All that the suite knows of NumPy; ``info`` says it without importing it."""
