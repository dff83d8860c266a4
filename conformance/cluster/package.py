"""The suite as bytes: its package, its specs and what names its frameworks, so that a machine needs no copy of its own."""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import conformance

NAME = "mse-conformance"
_LEFT_OUT = {"__pycache__", "_specs", "_mutants", "_variants"}


def packed(specs_root: Path) -> bytes:
    """A zip file: the package, ``specs`` beside it, and the metadata by which frameworks are found. The same suite makes the same bytes."""
    held = io.BytesIO()
    package = Path(conformance.__file__).resolve().parent
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for root, inside in ((package, "conformance"), (specs_root, "specs")):
            for path in sorted(root.rglob("*")):
                if path.is_file() and not _LEFT_OUT & set(path.relative_to(root).parts):
                    _add(archive, f"{inside}/{path.relative_to(root).as_posix()}", path.read_bytes())
        if metadata := _metadata():
            for name in ("METADATA", "entry_points.txt"):
                _add(archive, f"mse_conformance-{metadata.version}.dist-info/{name}", (metadata.read_text(name) or "").encode())
    return held.getvalue()


def dependencies() -> list[str]:
    """What the suite itself needs to be installed, as requirements."""
    metadata = _metadata()
    return [need for need in (metadata.requires if metadata else None) or [] if "extra ==" not in need]


def _metadata() -> Distribution | None:
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        return None


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
