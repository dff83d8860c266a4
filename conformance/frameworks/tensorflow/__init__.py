"""All that the suite knows of TensorFlow; ``info`` says it without importing it."""
