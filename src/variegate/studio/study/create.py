"""Make a study of folders of images."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from ...core.errors import ConfigError, DataError
from ...core.files import replacing_folder, write_text
from .design import most_trials
from .schema import (
    ANSWERS,
    FEWEST_RANKED,
    IMAGES,
    MOST_RANKED,
    MOST_TRIALS,
    REAL,
    STUDY,
    AsksFor,
    Kind,
    Study,
    StudyImage,
    image_file,
)
from .sources import Source, choose, destroy, real_images_of, samples_of
from .store import Store

logger = logging.getLogger(__name__)
METHOD = re.compile(r"\w[\w .+()-]{0,59}")
USUAL_TRIALS = 40
LONGEST_QUESTION, LONGEST_CONSENT = 300, 20_000  # characters
MOST_REPEATED = 0.5  # share of the trials: the first half is repeated in the second
EXPOSURES = (0.5, 1.0)  # seconds, for real or fake: Lee et al. 2019 showed images for 0.5 s or 1 s
QUESTIONS = {
    ("real-or-fake", "artefacts"): "Was this image real or fake?",
    ("two-alternative", "artefacts"): "Which image shows more obvious synthetic patterns?",  # Li et al. 2019, 4.3
    ("two-alternative", "quality"): "Which image looks more realistic?",
    ("ranking", "artefacts"): "Order the images from most to fewest artefacts.",
    ("ranking", "quality"): "Order the images from most to least realistic.",
}
CONSENT = """This is a study of computer-generated images. You will look at images and answer one question about each.

Your answers, how long each image was shown and how long you took are stored under a random number. Your name, your \
address and your browser are not.

Taking part is voluntary. You may stop at any time by closing this page; what you answered until then is kept. If you \
come back in the same browser, you go on where you stopped."""


@dataclass(frozen=True)
class StudyOptions:
    """How a study is made.

    Attributes:
        images: the folder of each method.
        reference: the folder of real images.
        exposures: seconds; empty: 0.5 and 1 for real-or-fake, else until answered.
        question, asks_for, consent: None: the usual ones of the kind.
        per_participant: None: as many as there are, at most USUAL_TRIALS.
        repeats: share of the trials.
        attention: number of trials with a known answer.
    """

    kind: Kind
    images: Mapping[str, Path]
    reference: Path | None = None
    exposures: Sequence[float] = ()
    question: str | None = None
    asks_for: AsksFor | None = None
    consent: Path | None = None
    per_participant: int | None = None
    repeats: float = 0.1
    attention: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Shown:
    """An image under the name that participants see."""

    source: Source
    destroyed: bool = field(default=False)


def create_study(folder: Path, options: StudyOptions) -> Study:
    """Write a study into a new folder: its images without names or metadata, `study.json` and an empty database.

    Raises:
        ConfigError: an option makes no sense for this kind.
        DataError: images are missing or have different sizes, or the folder holds something else, or answers.
    """
    check_options(options)
    check_folder(folder)
    consent = CONSENT if options.consent is None else read_consent(options.consent)
    reference = None if options.reference is None else real_images_of(options.reference)
    samples = {name: samples_of(place, reference or ()) for name, place in options.images.items()}
    nearest = options.kind != "real-or-fake"
    sources, left_out = choose(samples, reference, nearest, options.seed)
    if left_out:
        logger.warning(f"{left_out} conditions have no image in some folder and are left out")
    if nearest:  # real images have done their service
        sources = [source for source in sources if source.method is not None]
    conditions = tuple(dict.fromkeys(source.condition for source in sources))
    if options.attention > len(conditions):
        raise ConfigError(
            f"--attention {options.attention}: each check needs a condition of its own, and there are "
            f"{len(conditions)}; give fewer checks or more images"
        )
    images = named(sources, options)
    study = study_of(options, images, conditions, consent)
    try:
        write_study(folder, study, images)
    except OSError as error:
        raise DataError(
            f"{folder}: could not be written ({error.strerror or error}); nothing was changed, free some space or "
            "choose another folder"
        ) from None
    return study


def check_options(options: StudyOptions) -> None:
    """Raise ConfigError for the first option that makes no sense."""
    kind, count = options.kind, len(options.images)
    fewest = {"real-or-fake": 1, "two-alternative": 2, "ranking": FEWEST_RANKED}[kind]
    if count < fewest:
        raise ConfigError(f"{kind} needs --images of at least {fewest} methods, got {count}; add NAME=FOLDER")
    if kind == "ranking" and count > MOST_RANKED:
        raise ConfigError(f"--images: at most {MOST_RANKED} can be ranked at once, got {count}; leave some out")
    for name in options.images:
        if not METHOD.fullmatch(name) or name == REAL:
            raise ConfigError(
                f"--images {name}=...: a name has up to 60 letters, digits, spaces or .+-() and is not {REAL!r}"
            )
    if kind == "real-or-fake" and options.reference is None:
        raise ConfigError("real-or-fake needs real images, too; give their folder as --reference")
    for exposure in options.exposures:
        if not 0 < exposure <= 60:
            raise ConfigError(f"--exposure {exposure:g}: must be above 0 and at most 60 seconds, such as 0.5")
    if len(set(options.exposures)) < len(options.exposures):
        raise ConfigError("--exposure: one is given twice; give different ones")
    if options.exposures and kind == "ranking":
        raise ConfigError("--exposure: images are ranked while they are seen; leave it out, or use two-alternative")
    if options.question is not None and not 1 <= len(options.question.strip()) <= LONGEST_QUESTION:
        raise ConfigError(f"--question: give 1 to {LONGEST_QUESTION} characters")
    if options.question is not None and kind != "real-or-fake" and options.asks_for is None:
        raise ConfigError(
            "--question: say what yours asks for, so that the images chosen can be counted: --asks-for artefacts "
            "or --asks-for quality"
        )
    if not 0 <= options.repeats <= MOST_REPEATED:
        raise ConfigError(f"--repeats {options.repeats:g}: is a share of the trials from 0 to {MOST_REPEATED}")
    if options.seed < 0:
        raise ConfigError(f"--seed {options.seed}: give 0 or more")
    if not 0 <= options.attention <= MOST_TRIALS:
        raise ConfigError(f"--attention {options.attention}: give a number from 0 to {MOST_TRIALS}")


def check_folder(folder: Path) -> None:
    """Raise DataError if a folder must not be replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / STUDY).is_file() or not (folder / ANSWERS).is_file():
        raise DataError(f"{folder}: exists and is not a study; choose a new folder")
    with Store(folder / ANSWERS) as store:
        answers, people = len(store.answers()), len(store.participants())
    if answers or people:
        raise DataError(
            f"{folder}: has participants ({people}) and answers ({answers}), which are not overwritten; "
            "choose a new folder"
        )


def read_consent(file: Path) -> str:
    """The text that participants agree to.

    Raises:
        DataError: the file cannot be read, is no text, empty or too long.
    """
    try:
        text = file.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); give a text file with --consent") from None
    except UnicodeDecodeError:
        raise DataError(f"{file}: is not text in UTF-8; save it as such") from None
    if not 1 <= len(text) <= LONGEST_CONSENT:
        raise DataError(f"{file}: has {len(text)} characters; a consent text has 1 to {LONGEST_CONSENT}")
    return text


def named(sources: Sequence[Source], options: StudyOptions) -> dict[str, Shown]:
    """All images under names that reveal nothing: the same for the same images and seed, and unpredictable without
    them.
    """
    rng = np.random.default_rng(options.seed)
    by_condition = {source.condition: source for source in sources}
    checked = rng.permutation(sorted(by_condition))[: options.attention]
    ruined = [Source(None, str(one), destroy(by_condition[str(one)].pixels, rng)) for one in checked]
    key = hashlib.sha256(str(options.seed).encode())
    for source in sources:
        key.update(f"{source.method}/{source.condition}/".encode() + source.pixels.tobytes())
    found = {}
    for shown in [*map(Shown, sources), *(Shown(source, destroyed=True) for source in ruined)]:
        text = f"{shown.source.method}/{shown.source.condition}/{shown.destroyed}"
        found[hmac.new(key.digest(), text.encode(), "sha256").hexdigest()[:20]] = shown
    return dict(sorted(found.items()))


def study_of(options: StudyOptions, images: Mapping[str, Shown], conditions: tuple[str, ...], consent: str) -> Study:
    """The content of `study.json`.

    Raises:
        ConfigError: participants cannot have that many trials.
    """
    asks_for = options.asks_for or ("quality" if options.kind == "ranking" else "artefacts")
    if options.kind == "real-or-fake":
        asks_for = "artefacts"
    first = next(iter(images.values())).source.pixels
    created = datetime.now(UTC).isoformat(timespec="seconds")
    study = Study(
        id=hashlib.sha256(f"{created} {list(images)}".encode()).hexdigest()[:20],
        created=created,
        kind=options.kind,
        question=(options.question or QUESTIONS[options.kind, asks_for]).strip(),
        asks_for=asks_for,
        consent=consent,
        exposures=tuple(options.exposures) or (EXPOSURES if options.kind == "real-or-fake" else ()),
        size=first.shape[:2],
        methods=tuple(options.images),
        conditions=conditions,
        per_participant=1,
        repeats=0,
        attention=options.attention,
        seed=options.seed,
        images={
            name: StudyImage(condition=one.source.condition, method=one.source.method, destroyed=one.destroyed)
            for name, one in images.items()
        },
    )
    most = min(most_trials(study), MOST_TRIALS)
    count = min(most, USUAL_TRIALS) if options.per_participant is None else options.per_participant
    if not 2 <= count <= most:
        raise ConfigError(
            f"{count} trials of a participant with {len(conditions)} common conditions: give --per-participant from 2 "
            f"to {most}, or more images, since nobody is to see the same twice"
        )
    repeats = round(count * options.repeats)
    return study.model_copy(update={"per_participant": count, "repeats": repeats})


def write_study(folder: Path, study: Study, images: Mapping[str, Shown]) -> None:
    """Raises DataError if the folder has got participants meanwhile."""
    with replacing_folder(folder) as aside:
        (aside / IMAGES).mkdir()
        for name, shown in images.items():
            Image.fromarray(shown.source.pixels).save(image_file(aside, name))
        Store.create(aside / ANSWERS).close()
        write_text(aside / STUDY, study.model_dump_json(indent=2))
        check_folder(folder)
