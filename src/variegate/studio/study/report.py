"""The results of a study: as a mapping for JSON, as CSV, and as a page."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from ...core.files import write_text
from ...evaluation.pages.page import write_report
from .analysis import Analysis, analyse
from .answers import FRAMES_OFF, RULE, Responses, as_csv, read_responses
from .page import report_page
from .preference import NO_STRENGTHS
from .statistics import LEVEL, RESAMPLED
from .timing import timings

RESULTS, PAGE = "results.json", "report.html"  # in the folder of the study
SETTINGS = ("id", "created", "kind", "question", "asks_for", "methods", "exposures", "per_participant", "repeats")


def report_study(folder: Path, table: Path | None = None) -> dict[str, Any]:
    """Analyse the answers so far; write `results.json` and `report.html` into the folder; returns the former.

    Args:
        table: a CSV file for the answers, one line each.

    Raises:
        DataError: the folder is not a study, or something cannot be written.
    """
    responses = read_responses(folder)
    excluded = responses.excluded()
    included, everyone = analyse(responses, excluded), analyse(responses)
    content = as_mapping(responses, included, everyone)
    try:
        if table is not None:
            write_text(table, as_csv(responses))
        write_text(folder / RESULTS, json.dumps(content, indent=2, allow_nan=False))
        write_report(folder / PAGE, report_page(responses, included, everyone, folder))
    except OSError as error:
        where = error.filename or folder
        raise DataError(
            f"{where}: cannot be written ({error.strerror or error}); the answers are untouched, free some space or "
            "change its permissions"
        ) from None
    return content


def as_mapping(responses: Responses, included: Analysis, everyone: Analysis) -> dict[str, Any]:
    """All results, for JSON."""
    study, excluded = responses.study, responses.excluded()
    settings = study.model_dump(mode="json", include=set(SETTINGS) | {"attention", "seed"})
    return {
        "study": {**settings, "conditions": len(study.conditions)},
        "participants": {
            "joined": len(responses.lengths),
            "started": responses.started(),
            "finished": responses.finished(),
            "excluded": [
                {"participant": who, "passed": right, "checks": seen} for who, (right, seen) in excluded.items()
            ],
            "rule": RULE,
        },
        "answers": len(responses.judgements),
        "included": asdict(included),
        "everyone": asdict(everyone),
        "exposures": [asdict(one) for one in timings(responses.judgements)],
        "protocol": {
            "intervals": f"{LEVEL:.0%}: Wilson, and percentile bootstrap over participants ({RESAMPLED} samples)",
            "off": f"measured exposure differs by more than {FRAMES_OFF} frames; flagged and not left out",
            "strengths": NO_STRENGTHS if getattr(included, "strengths", 0) is None else "Bradley-Terry, mean 0",
        },
    }
