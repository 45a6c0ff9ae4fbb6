"""`variegate doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Doctor:
    """Diagnose a run in words: is the code ignored, is training progressing, is the model complete?"""

    run_directory: Positional[Path]

    def run(self) -> None:
        from ..evaluation.doctor.diagnosis import diagnose

        healthy, lines = diagnose(self.run_directory)
        print("\n".join(lines))
        if not healthy:
            raise SystemExit(1)
