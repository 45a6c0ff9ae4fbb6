"""`variegate push`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Push:
    """Upload a run's model to the hub, with a card that has its measured numbers. Others load it by its name."""

    run_directory: Positional[Path]
    name: Positional[str]
    """user/name; made if there is no such repository"""
    private: bool = False
    """others do not see it; of a repository that exists, this stays as it is"""
    revision: str | None = None
    """a branch, made if there is none"""
    license: str = "other"
    """by the hub's name for it, such as cc-by-4.0; mind the terms of the data"""

    def run(self) -> None:
        from ..model.model import Model

        print(Model.load(self.run_directory).push_to_hub(self.name, self.private, self.revision, self.license))
