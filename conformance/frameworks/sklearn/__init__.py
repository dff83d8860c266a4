"""All that the suite knows of scikit-learn; ``info`` says it without importing it."""
