"""The statistical power of the suite: its checks must reject every mutant, whatever the seed, and no equivalent variant."""
