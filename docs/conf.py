# noqa: INP001 - the configuration of Sphinx, part of no package
"""The documentation as a site: ``sphinx-build -W --keep-going -b html docs build``.

The documents of the repository are the source, and are included, not copied. The site adds two things: a link from one of them to another
leads to the page that shows it, and the list of deviations is made from the specs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import conformance

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

project = "mse-conformance"
author = copyright = "The mse-conformance authors"  # noqa: A001 - Sphinx's own name for it
release = version = conformance.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["build", "example-framework"]  # the latter is included where frameworks are added
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # a section that is included begins at the level it has in its own document

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True


def setup(app: Sphinx) -> None:
    """Enter what this site adds."""
    import deviations_page
    import repository_links

    deviations_page.setup(app)
    repository_links.setup(app)
