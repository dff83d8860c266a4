"""A run in slots: parts that can be worked on anywhere, and are put together where they were asked for.

``order`` says what a slot is to do, ``perform`` does it in a process of its own, ``node`` is what a machine needs for that (and needs
nothing else for), ``executors`` bring slots to machines, ``run`` plans them and keeps what comes back.
"""
