"""Training of a small network in each framework's own way: implementations of the procedures of the family ``training``."""
