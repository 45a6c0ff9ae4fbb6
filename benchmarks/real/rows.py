"""One method on one data set for some minutes, trained and measured once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from variegate import train
from variegate.core.errors import Interrupted, VariegateError
from variegate.core.images import sheet, to_float, to_pil, to_uint8
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.metrics.calibration import averaging_gain
from variegate.methods.registry import RECOMMENDED
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from ..claims.runs import say, training_images

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SIZE = 64
GAIN_INPUTS, GAIN_SAMPLES = 50, 8
SHOWN_CONDITIONS, SHOWN_SAMPLES, GAP = 4, 8, 2
SHEET = "gallery.png"
METRICS = {
    "lpips": "LPIPS",
    "frechet_squeezenet": "Fréchet",
    "rmse_best": "best of 5",
    "rmse_bicubic": "bicubic",
    "reduced_error": "made small",
    "averaging_gain": "calibration",
    "coverage": "coverage",
    "rare_recall": "rare recall",
    "precision": "precision",
    "total_variation": "variation",
}

DATA: dict[str, dict[str, Any]] = {
    "streets": {"data": "streets:6000"},
    "facades": {"data": SHARED / "facades", "direction": "BtoA", "flip": True},
    "camvid": {"data": SHARED / "camvid", "size": (64, 96)},
    "faces": {"data": SHARED / "faces_landmarks", "condition": "landmarks"},
    "holes": {"data": SHARED / "photos", "condition": "inpaint"},
    "superres": {"data": SHARED / "faces_landmarks", "condition": "superres:4"},
}
PERCEPTUAL = {"objective.perceptual": "squeeze"}  # weights of 5 MB, where VGG-19's are not at hand
EARLIER = {"generator.earlier_at": RECOMMENDED[1]["generator.earlier_at"]}
DISCRIMINATOR = {"objective.adversarial": 0.05, "learning_rate.discriminator": 4e-4}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "recommended": ("flow", EARLIER),
    "flow": ("flow", EARLIER),
    "flow-student": ("flow-student", {}),
    "cimle": ("cimle", PERCEPTUAL),
    "cimle + discriminator": (
        "cimle",
        {**PERCEPTUAL, **DISCRIMINATOR},
    ),
    "basisgan-dsgan": ("basisgan-dsgan", {}),
    "bicyclegan": ("bicyclegan", {}),
    "mrgan": ("mrgan", {}),
    "rcgan": ("rcgan", {}),
    "latent-dropout": ("latent-dropout", PERCEPTUAL),
}
OTHERWISE: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("streets", "cimle + discriminator"): (
        "cimle",
        {**PERCEPTUAL, **DISCRIMINATOR, "rebalance": "data", "rebalance_classes": 1},
    ),
    ("holes", "mrgan"): ("mrgan-inpainting", {}),
    ("holes", "rcgan"): ("rcgan", {"task": "inpainting"}),
    ("superres", "mrgan"): ("mrgan-superres", {}),
    ("superres", "rcgan"): ("rcgan", {"task": "superres"}),
    ("faces", "latent-dropout"): ("latent-dropout", {**PERCEPTUAL, "task": "landmarks"}),
}
MIRROR = ("basisgan-dsgan", "bicyclegan", "mrgan", "rcgan")  # by default; landmarks are left or right
OTHERWISE |= {("faces", name): (METHODS[name][0], {**METHODS[name][1], "flip": False}) for name in MIRROR}
SAMPLER = "generator.sampler."
# rows of flow's run, whose training knows nothing of the guidance
SOLVED_ANEW = {
    "recommended": {
        name.removeprefix(SAMPLER): value for name, value in RECOMMENDED[1].items() if name.startswith(SAMPLER)
    }
}


@dataclass(frozen=True)
class Row:
    """One method on one data set with one seed."""

    data: str
    method: str
    seed: int
    minutes: float
    cache: Path

    @property
    def settings(self) -> dict[str, Any]:
        method, options = OTHERWISE.get((self.data, self.method)) or METHODS[self.method]
        return {
            "method": method,
            "size": SIZE,
            **DATA[self.data],
            **options,
            "seed": self.seed,
            "minutes": self.minutes,
        }

    @property
    def sampler(self) -> dict[str, Any]:
        return SOLVED_ANEW.get(self.method, {})

    @property
    def folder(self) -> Path:
        """The run's."""
        content = json.dumps(self.settings, sort_keys=True, default=lambda path: Path(path).name)
        name = "flow" if self.sampler else self.method.replace(" ", "")
        return self.cache / f"{self.data}-{name}-{sha256(content.encode()).hexdigest()[:8]}"

    @property
    def place(self) -> Path:
        """The folder of the row's numbers and sheet."""
        return self.folder / self.method if self.sampler else self.folder

    def run(self) -> dict[str, Any]:
        """Train and measure, unless that was done before. Rows of another row's run want it to be done."""
        path = self.place / "row.json"
        if not path.is_file():
            say(f"{self.data}, {self.method}, seed {self.seed}: training")
            began = time.monotonic()
            try:
                train(out=self.folder, resume=self.folder.exists(), quiet=True, **self.settings)
                trained = {} if self.sampler else {"trained_s": round(time.monotonic() - began)}
                found = trained | measure_run(self.folder, self.place, self.sampler)
            except Interrupted:
                raise
            except VariegateError as error:
                found = {"problem": str(error)}
            self.place.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found))
            say(f"{self.data}, {self.method}, seed {self.seed}: {found}")
        content: dict[str, Any] = json.loads(path.read_text())
        return {"data": self.data, "method": self.method, "seed": self.seed, **content}


def measure_run(folder: Path, place: Path, sampler: dict[str, Any]) -> dict[str, Any]:
    """Metrics, what was trained, and a sheet of samples, written to `place`."""
    run, model = RunFolder(folder), Model.load(folder, sampler=sampler)
    held, training = run.pairs("held"), run.config.method.training
    evaluation = measure(model.generator, held, training_images(folder), "quick", 0, extractor="squeezenet")
    values = {name: measured.value for name, measured in evaluation.results.measured.items() if name in METRICS}
    values["averaging_gain"] = averaging_gain(drawn(model, held))
    place.mkdir(exist_ok=True)
    show(model, held).save(place / SHEET)
    return {
        "steps": training.steps,
        "size": list(run.record.size),
        "parameters": sum(p.numel() for p in model.generator.parameters()),
        "seconds_per_image": seconds_per_image(model, held),
        "metrics": {name: round(value, 4) for name, value in values.items()},
        "skipped": evaluation.skipped,
    }


def drawn(model: Model, held: Pairs) -> Iterator[tuple[Tensor, Tensor]]:
    codes = model.codes(GAIN_SAMPLES)
    for i in range(min(GAIN_INPUTS, len(held))):
        condition, truth = held.raw(i)
        yield model.decode(condition, codes)[None] * 2 - 1, to_float(truth[None])


def seconds_per_image(model: Model, held: Pairs) -> float:
    """The shortest of three draws of eight images of one condition, over eight."""
    codes, times = model.codes(8), []
    for _ in range(3):
        began = time.perf_counter()
        model.decode(held.raw(0)[0], codes)
        times.append((time.perf_counter() - began) / 8)
    return min(times)


def show(model: Model, held: Pairs) -> Any:
    """Rows of a condition and its samples, of evenly spaced held-out conditions."""
    codes, rows = model.codes(SHOWN_SAMPLES), []
    for i in range(SHOWN_CONDITIONS):
        condition = held.raw(i * len(held) // SHOWN_CONDITIONS)[0]
        rows.append([held.condition.to_image(condition), *to_uint8(model.decode(condition, codes) * 2 - 1)])
    return to_pil(sheet(rows, GAP))


def side_by_side(rows: Sequence[Row], condition: int) -> Image.Image | None:
    """The samples of one condition, a line for each row that was trained; None if there are none."""
    sheets = [Image.open(row.place / SHEET) for row in rows if (row.place / SHEET).is_file()]
    if not sheets:
        return None
    width, height = sheets[0].width, (sheets[0].height - (SHOWN_CONDITIONS - 1) * GAP) // SHOWN_CONDITIONS
    page = Image.new("RGB", (width, len(sheets) * (height + GAP) - GAP), "white")
    for line, whole in enumerate(sheets):
        top = condition * (height + GAP)
        page.paste(whole.crop((0, top, width, top + height)), (0, line * (height + GAP)))
    return page
