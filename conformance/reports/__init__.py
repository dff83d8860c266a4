"""Reports: one table model, made from results files only, rendered for a terminal, a page, Markdown and programs.

``table`` holds the model; ``terminal``, ``markdown`` and ``page`` render it; ``write`` writes the files. None of the suite's own
frameworks is imported here, and every string of a results file is shown as text, whatever is in it.
"""
