"""Models that ship with the package, by name: `variegate.load("street")` works without training.

`python -m variegate.demos.street_model OUT` made it.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "bundled"
NAMES = ("street",)


def bundled(place: Path) -> Path | None:
    """The folder of the bundled model of this name; None for any other name, and where there is a folder of it."""
    return FOLDER / place if str(place) in NAMES and not place.is_dir() else None
