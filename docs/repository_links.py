# noqa: INP001 - a part of the site, of no package
"""Links between the documents of the repository, as pages of the site.

On a code host they lead from file to file. Here some files are a page, some are several, and some are none: a link to a figure's results
file says where the figure is from, and the site does not carry all results along.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "index",
    "README.md#run-it": "start",
    "README.md#read-the-matrix": "matrix",
    "README.md#test-your-own-loss": "own-loss",
    "README.md#pytest": "automation",
    "README.md#tox": "automation",
    "README.md#commands": "cli",
    "CONTRIBUTING.md": "contributing",
    "CONTRIBUTING.md#add-a-framework": "framework",
    "CHANGELOG.md": "changelog",
    "docs/example-framework/README.md": "framework",
    "specs/README.md": "specs",
}
"""Which page shows a document of the repository, or one of its sections."""


def lead_to_pages(app: Sphinx, document: nodes.document) -> None:
    """Every link to a file of the repository, relative to the file it stands in: to a page, to a copy, or to nothing but its title."""
    links = [*document.findall(addnodes.pending_xref), *document.findall(addnodes.download_reference)]
    for link in links:
        if link.get("reftype") == "myst" and (file := _file(app, link)) is not None:
            _lead(app, link, file)
    for image in document.findall(nodes.image):
        found = Path(image.source or "").parent / image["uri"]
        if image.source and found.is_file():
            image["uri"] = f"/{found.resolve().relative_to(app.srcdir.resolve()).as_posix()}"


def _file(app: Sphinx, link: nodes.Element) -> Path | None:
    """The file a link leads to; None for a page of the site and for what is no file."""
    target = link["reftarget"].partition("#")[0]
    if link.get("refdomain") == "doc":
        found = (app.srcdir / f"{target}.md").resolve()
        own_page = found.is_relative_to(app.srcdir.resolve()) and found.relative_to(ROOT).as_posix() not in PAGES
        return None if own_page else found
    found = Path(link.source or "").parent / target
    return found.resolve() if target and found.is_file() else None


def _lead(app: Sphinx, link: nodes.Element, file: Path) -> None:
    name = file.relative_to(ROOT).as_posix()
    anchor = link.get("reftargetid") or link["reftarget"].partition("#")[2]
    is_page = name.startswith("docs/") and name.endswith(".md") and name not in PAGES
    inside = Path(name).with_suffix("").relative_to("docs").as_posix() if is_page else ""
    page = inside or PAGES.get(f"{name}#{anchor}") or PAGES.get(name)
    if page:
        to = addnodes.pending_xref(
            "",
            *(child.deepcopy() for child in link.children),
            refdomain="doc",
            reftype="myst",
            refexplicit=True,
            refdoc=app.env.docname,
            reftarget=page,
            reftargetid=anchor if inside and anchor else None,
        )
        to.source, to.line = link.source, link.line
        link.replace_self(to)
    elif name.startswith("reports/"):
        title = link.get("reftitle", name)
        link.replace_self(nodes.abbreviation("", "", *(child.deepcopy() for child in link.children), explanation=f"{title} ({name})"))
    else:
        copy = addnodes.download_reference(
            "", "", *(child.deepcopy() for child in link.children), reftype="myst", refdomain=None, refexplicit=True, refdoc=app.env.docname
        )
        copy["reftarget"] = f"/../{name}"
        link.replace_self(copy)


def setup(app: Sphinx) -> None:
    """Before anything collects links from what was read."""
    app.connect("doctree-read", lead_to_pages, priority=1)
