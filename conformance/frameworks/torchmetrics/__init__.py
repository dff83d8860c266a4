"""All that the suite knows of torchmetrics; ``info`` says it without importing it."""
