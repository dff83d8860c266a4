"""Formats, exact values, bounds and exact runs of procedures: the mathematics, importing no framework and no other part."""
