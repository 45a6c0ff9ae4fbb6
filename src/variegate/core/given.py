"""What components of a method may ask about the data."""

from __future__ import annotations

from typing import Protocol


class Given(Protocol):
    """What a component may ask about the data's conditions; implemented in `data.conditions`."""

    @property
    def channels(self) -> int:
        """K of encoded conditions."""

    @property
    def noun(self) -> str:
        """What a user would call one condition."""

    @property
    def spelling(self) -> str:
        """How `--condition` spells it, such as superres:4 or class+edges; its kind if the data come with it."""
