"""`variegate doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import ConfigError


@dataclass(frozen=True)
class Doctor:
    """Diagnose a run in words: is the code ignored, are there few modes or copies, who won the game, and what to do.

    Or diagnose data: can they teach diversity at all? See also `variegate data check`.
    """

    run_or_data: Positional[str]
    """a run directory, or data as for `variegate train --data`"""
    size: int | None = None
    """data: the shorter side at which images are compared; default: as for training"""
    condition: str | None = None
    """data: how conditions are derived, as for `variegate train`"""

    def run(self) -> None:
        from ..runs.saved_model import alone

        if (Path(self.run_or_data) / "config.yaml").is_file() or (Path(self.run_or_data) / "model").is_dir():
            from ..evaluation.doctor.diagnosis import diagnose

            healthy, lines = diagnose(self.run_or_data)
        elif what := alone(self.run_or_data):
            raise ConfigError(
                f"{self.run_or_data}: is {what}, and no data; give a run directory or data, or measure the model: "
                f"variegate evaluate {self.run_or_data} --data DIR"
            )
        else:
            from ..evaluation.doctor.data import examine

            given = {"size": self.size, "condition": self.condition}
            healthy, lines = examine(self.run_or_data, **{k: v for k, v in given.items() if v is not None})
        print("\n".join(lines))
        if not healthy:
            raise SystemExit(1)
