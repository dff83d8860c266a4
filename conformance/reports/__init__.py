"""Reports: one table model, made from results files only, rendered for a terminal, a page, Markdown and programs.

``table`` holds the model; ``terminal``, ``markdown`` and ``html`` render it; ``write_all`` writes the files. A framework is never
imported here, and every string of a results file is shown as text, whatever is in it.
"""
