"""`python -m benchmarks.quadrants`: one, two or three quadrants of a digit are given; how likely is the rest?

The task of Sohn, Lee and Yan (NIPS 2015) on the digits that come with scikit-learn, 8x8 in 16 levels, or with --data on
any .npz of grey digits. All numbers are nats of the pixels that are not given, and each says what it is: exact for a
PixelCNN, bounds by kernels for methods that only draw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from variegate import train
from variegate.core.images import sheet, to_pil, unit_to_uint8
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.pairs import Pairs
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from ..claims.runs import say
from ..speed.results import machine, versions
from .estimates import around_samples, around_training, dequantised

FILE = Path(__file__).parents[1] / "results" / "quadrants.json"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "quadrants.png"
LEVELS, SAMPLES, TESTED, TUNED = 15, 200, 100, 60
# what is given, as in the paper's figure: the lower left quadrant; the left half; all but the upper right quadrant
GIVEN = {1: ("lower left",), 2: ("lower left", "upper left"), 3: ("lower left", "upper left", "lower right")}
METHODS: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"layers": 4, "width": 24, "bits": 4, "steps": 1500, "ema_decay": 0.99},
    "flow": {"scale": 0.5, "steps": 3000},
    "cimle": {
        "generator.widths": [48, 32],
        "randomness.vector": 8,
        "objective.perceptual": "laplacian",
        "objective.candidates": 32,
        "objective.chunk": 1024,
        "objective.inner_steps": 32,
        "objective.inner_batch": 16,
        "learning_rate.generator": 1e-3,
        "batch_size": 128,
        "restart.at": 0,
        "ema_decay": 0.98,
        "steps": 60,
    },
}
SHOWN, DRAWN = 4, 6


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quadrants", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "quadrants")
    parser.add_argument("--quick", action="store_true", help="a few steps, to check that it runs")
    chosen = parser.parse_args(arguments)
    rows: dict[str, dict[str, Any]] = {}
    shown: list[list[Tensor]] = []
    data = sixteen_levels(chosen.data, chosen.cache)
    side = min(DataConfig(path=data).open().size)
    for given in (1, 2) if chosen.quick else GIVEN:
        folder = mask_folder(given, chosen.cache / f"side-{side}", side)
        runs = {name: trained(name, given, folder, data, chosen.cache, chosen.quick) for name in METHODS}
        for name, (nats, how) in scores(runs, 20 if chosen.quick else TESTED).items():
            half = 1.96 * float(nats.std()) / len(nats) ** 0.5
            rows.setdefault(name, {"how": {}, "nats": {}, "interval": {}})
            rows[name]["how"][given], rows[name]["nats"][given] = how, float(nats.mean())
            rows[name]["interval"][given] = half
            say(f"{given} given, {name}: {float(nats.mean()):.2f} ± {half:.2f} nats, {how}")
        shown += pictures(runs)
    content = {
        "command": "python -m benchmarks.quadrants",
        "data": f"{chosen.data}, {20 if chosen.quick else TESTED} test images",
        "settings": METHODS,
        "versions": versions(),
        "machine": machine(),
        "rows": rows,
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(content, indent=1) + "\n")
    image = to_pil(sheet(shown, gap=2))
    image.resize((image.width * 4, image.height * 4), Image.Resampling.NEAREST).save(chosen.picture)
    print(f"written to {chosen.out} and {chosen.picture}")
    return 0


def sixteen_levels(data: str, cache: Path) -> str:
    """Digits as they are; of an .npz file and its other splits, a copy whose values are multiples of 17."""
    if data == "digits":
        return data
    file, out = Path(data), cache / "levels"
    out.mkdir(parents=True, exist_ok=True)
    stem = file.stem.removesuffix("train")
    for one in [file, *(file.with_name(f"{stem}{split}.npz") for split in ("val", "test") if stem != file.stem)]:
        if one.is_file():
            arrays = dict(np.load(one, allow_pickle=False))
            arrays["images"] = (np.round(arrays["images"] / 17) * 17).astype(np.uint8)
            np.savez_compressed(out / one.name, **arrays)
    return str(out / file.name)


def mask_folder(given: int, cache: Path, side: int = 8) -> Path:
    """A folder with the one mask that leaves these quadrants, white where the hole is."""
    mask, half = np.full((side, side), 255, dtype=np.uint8), side // 2
    places = {"lower left": (half, 0), "upper left": (0, 0), "lower right": (half, half)}
    for name in GIVEN[given]:
        top, left = places[name]
        mask[top : top + half, left : left + half] = 0
    folder = cache / f"given-{given}"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(folder / "mask.png")
    return folder


def trained(name: str, given: int, mask: Path, data: str, cache: Path, quick: bool) -> RunFolder:
    """The run of a method, from the cache if it is there and whole."""
    settings = {**METHODS[name], "seed": 0, "quiet": True, "condition": f"inpaint:{mask.resolve()}", "flip": False}
    if quick:
        settings["steps"] = 2
    content = json.dumps([name, data, given, settings], sort_keys=True, default=str)
    out = cache / f"{name}-{given}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
    if not (out / "model").is_dir():
        shutil.rmtree(out, ignore_errors=True)
        train(name, data, out, **settings)
    return RunFolder(out)


def scores(runs: dict[str, RunFolder], tested: int) -> dict[str, tuple[Tensor, str]]:
    """Nats of each test digit by every method, with what they are."""
    one = next(iter(runs.values()))
    held, training, tuning = one.pairs("test"), one.pairs(), one.pairs("val")  # on the last, no method is trained
    hole = held.raw(0)[0][3] > 127
    test = range(min(tested, len(held)))
    tuned = range(min(TUNED, len(tuning)))

    def parts(pairs: Pairs, items: range) -> tuple[Tensor, Tensor]:
        levels = torch.stack([pairs.raw(i)[1][0] for i in items]).double() / 255 * LEVELS
        return levels[:, ~hole], dequantised(levels[:, hole])

    own = parts(training, range(len(training)))
    found = {"nearest neighbours": around_training(own, parts(tuning, tuned), parts(held, test))}
    for name, run in runs.items():
        model = Model.load(run.path)
        if name == "gated-pixelcnn":
            found[name] = exact(model, held, test, hole), "exact"
            continue
        drawn = [
            (parts(pairs, items)[1], samples(model, pairs, items, hole))
            for pairs, items in ((tuning, tuned), (held, test))
        ]
        found[name] = around_samples(*drawn)
    return found


def exact(model: Model, held: Pairs, items: range, hole: Tensor) -> Tensor:
    """Nats of the unknown pixels, each given the known ones and the unknown ones before it."""
    each = [model.surprisal(held.raw(i)[1][None], held.raw(i)[0])[0].double()[hole].sum() for i in items]
    return torch.stack(each) * float(np.log(2))


def samples(model: Model, pairs: Pairs, items: range, hole: Tensor) -> Tensor:
    """Unknown pixels of SAMPLES samples of each digit, in levels, not rounded: (n, S, P)."""
    codes = model.codes(SAMPLES)
    return torch.stack([model.decode(pairs.raw(i)[0], codes)[:, 0, hole].double() * LEVELS for i in items])


def pictures(runs: dict[str, RunFolder]) -> list[list[Tensor]]:
    """Rows of test digits: what is given, the digit, then samples of each method."""
    held = next(iter(runs.values())).pairs("test")
    rows = [[held.condition.to_image(held.raw(i)[0]), held.raw(i)[1].expand(3, -1, -1)] for i in range(SHOWN)]
    for run in runs.values():
        model = Model.load(run.path)
        for i, row in enumerate(rows):
            drawn = model.decode(held.raw(i)[0], model.codes(DRAWN, first=DRAWN * i))
            row += [one.expand(3, -1, -1) for one in unit_to_uint8(drawn)]
    return rows


if __name__ == "__main__":
    sys.exit(main())
