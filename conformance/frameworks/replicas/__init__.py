"""Replicas in each framework: what runs in this process, and what in child processes of it. Imports no framework by itself."""
