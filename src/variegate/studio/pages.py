"""The files of a web page, read once: what a request names is looked up here, and never becomes a path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

WEB = Path(__file__).parent / "web"
SHARED = WEB / "element.js"  # of all pages
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def read_pages(files: Iterable[Path]) -> dict[str, tuple[bytes, str]]:
    """Content and kind by name; files of other kinds are left out."""
    return {file.name: (file.read_bytes(), KINDS[file.suffix]) for file in files if file.suffix in KINDS}
