"""Exact relations between results, one module per theme; a further law is one decorated function in any of them."""
