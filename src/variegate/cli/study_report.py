"""`variegate study report`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class StudyReport:
    """Analyse the answers to a study so far, also while it is served; write report.html and results.json into it."""

    study: Positional[Path]
    csv: Path | None = None
    """file for the answers, one line each"""
    json: bool = False
    """print the results, and nothing else, to standard output as JSON"""

    def run(self) -> None:
        from ..studio.study.report import PAGE, report_study

        content = report_study(self.study, self.csv)
        if self.json:
            import json

            print(json.dumps(content, indent=2))
            return
        people = content["participants"]
        print(
            f"{content['answers']} answers of {people['started']} participants, of whom {people['finished']} finished "
            f"and {len(people['excluded'])} are excluded\nresults: {self.study / PAGE}"
        )
