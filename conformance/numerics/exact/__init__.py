"""The exact value: rational arithmetic, alone and on many numbers at once."""
