"""All that the suite knows of PyTorch; ``info`` says it without importing it."""
