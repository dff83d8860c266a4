"""The exact value: rational arithmetic, alone and on many numbers at once, and whether a format can hold all that leads to it."""
