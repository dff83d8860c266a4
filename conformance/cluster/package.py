"""The suite as bytes: its package and its specs, so that a machine needs no copy of its own."""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import conformance

NAME = "mse-conformance"
_LEFT_OUT = {"__pycache__", "_specs", "_mutants", "_variants"}


def packed(specs_root: Path) -> bytes:
    """A zip file: the package, and ``specs`` beside it. The same suite makes the same bytes."""
    held = io.BytesIO()
    package = Path(conformance.__file__).resolve().parent
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for root, inside in ((package, "conformance"), (specs_root, "specs")):
            for path in sorted(root.rglob("*")):
                if path.is_file() and not _LEFT_OUT & set(path.relative_to(root).parts):
                    _add(archive, f"{inside}/{path.relative_to(root).as_posix()}", path.read_bytes())
    return held.getvalue()


def dependencies() -> list[str]:
    """What the suite itself needs to be installed, as requirements."""
    try:
        needs = distribution(NAME).requires
    except PackageNotFoundError:
        return []
    return [need for need in needs or [] if "extra ==" not in need]


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
