"""The allowed interval of a result: every rounding counted, with its reason."""
