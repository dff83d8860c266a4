"""All that the suite knows of Keras; ``info`` says it without importing it."""
