"""The processes that hold specs, expectations and verdicts: one for each framework, which asks its runner. A run asks them."""
