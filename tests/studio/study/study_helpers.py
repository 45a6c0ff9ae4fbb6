"""Small studies, and participants who answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from variegate.studio.study.create import StudyOptions, create_study
from variegate.studio.study.design import plan
from variegate.studio.study.schema import ANSWERS, PLAN, Choice, Kind, Study, StudyImage, Trial
from variegate.studio.study.store import Store

FRAME = 1000 / 60
Judge = Callable[[int, Trial], Choice]


def write_images(folder: Path, names: Sequence[str], seed: int = 0, size: tuple[int, int] = (16, 24)) -> Path:
    """Random images `NAME.png`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


def study_in(root: Path, kind: Kind = "real-or-fake", methods: int = 2, conditions: int = 8, **options: Any) -> Path:
    """The folder of a study of random images."""
    names = [f"street{i:03d}" for i in range(conditions)]
    images = {f"m{at}": write_images(root / f"m{at}", names, at + 1) for at in range(methods)}
    if kind == "real-or-fake":
        options["reference"] = write_images(root / "real", names)
    create_study(root / "study", StudyOptions(kind=kind, images=images, **options))
    return root / "study"


def study_of(kind: Kind, methods: int = 2, conditions: int = 8, **fields: Any) -> Study:
    """A study that has no files."""
    names = [f"m{at}" for at in range(methods)]
    sources: list[str | None] = [*names, *([None] if kind == "real-or-fake" else [])]
    shown = [StudyImage(condition=f"c{at}", method=method) for method in sources for at in range(conditions)]
    destroyed = [
        StudyImage(condition=f"c{at}", method=None, destroyed=True) for at in range(fields.get("attention", 0))
    ]
    plain: dict[str, Any] = {
        "id": f"{0:020x}",
        "created": "2026-01-01",
        "kind": kind,
        "question": "Which?",
        "asks_for": "quality" if kind == "ranking" else "artefacts",
        "consent": "Yes.",
        "exposures": (0.5, 1.0) if kind == "real-or-fake" else (),
        "size": (8, 8),
        "methods": names,
        "conditions": [f"c{at}" for at in range(conditions)],
        "per_participant": conditions,
        "repeats": 0,
        "attention": 0,
        "seed": 0,
        "images": {f"{at:020x}": one for at, one in enumerate([*shown, *destroyed])},
    }
    return Study(**{**plain, **fields})


def content_of(trial: Trial, choice: Choice, late: float = 0.0) -> dict[str, Any]:
    """An answer as the page sends it, whose images were hidden `late` frames late."""
    timed = trial.exposure is not None
    shown = None if trial.exposure is None else 1000 * trial.exposure + late * FRAME
    return {
        "choice": choice,
        "shown_ms": shown,
        "frames": round(shown / FRAME) if shown is not None else None,
        "frame_ms": FRAME if timed else None,
        "hidden": False,
        "answer_ms": 700.0,
    }


def answer(folder: Path, study: Study, participants: int, judge: Judge, late: float = 0.0) -> None:
    """Participants who answer all of their trials."""
    with Store(folder / ANSWERS) as store:
        store.connection.execute("PRAGMA synchronous = OFF")  # thousands of commits
        for _ in range(participants):
            one = store.join(lambda number: PLAN.dump_json(plan(study, number)).decode())
            for trial in PLAN.validate_json(one.plan):
                store.add(one.number, trial.number, content_of(trial, judge(one.number, trial), late))
