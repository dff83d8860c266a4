"""All that the suite knows of PaddlePaddle; ``info`` says it without importing it."""
