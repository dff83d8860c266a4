"""Exact runs of procedures: training, and the gradient of a batch on several replicas."""
