"""A distributed run: jobs that can run on any machine; their results are collected by the caller.

``job`` says what a job is to do, ``run_job`` does it in a process of its own, ``node`` is what a machine needs for that (and needs
nothing else for), ``backends`` bring jobs to machines, ``distributed_run`` plans them and keeps what comes back.
"""
