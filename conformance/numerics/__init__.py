"""Formats, exact values, bounds and grades: the mathematics, importing no framework and no other part."""
