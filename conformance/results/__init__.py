"""Results files: JSON lines, a header, one cell a line, a footer."""
