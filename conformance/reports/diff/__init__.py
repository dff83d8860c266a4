"""What changed between two runs, cell by cell: what it means that an outcome changed, the changes in groups, and their renderings.

``transitions`` says what each pair of outcomes means, ``model`` holds the changes, ``terminal`` and ``markdown`` render them.
"""
