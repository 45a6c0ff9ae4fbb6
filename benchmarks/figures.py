"""`python -m benchmarks.figures demo demo docs/images/demo.png --scale 3`: the README's image, from `variegate demo`.

`python -m benchmarks.figures run RUN OUT --items 0 3 7`: held-out conditions, their real images and samples of a run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from variegate.core.images import sheet, to_pil, to_uint8
from variegate.evaluation.pages import contact_sheets
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

SAMPLES, LAYOUT = 8, 6


def demo_picture(folder: Path) -> Image.Image:
    """Render one row per method of the demo: a layout, then eight samples."""
    held = RunFolder(folder / "recommended").pairs("test")
    raw, _ = held.raw(LAYOUT)
    rows = []
    for name in ("recommended", "cimle", "pix2pix"):
        model = Model.load(folder / name)
        images = to_uint8(model.decode(raw, model.codes(SAMPLES)) * 2 - 1)
        rows.append([model.condition.to_image(raw), *images])
    return to_pil(sheet(rows))


def run_picture(run: Path, items: list[int]) -> Image.Image:
    """Render one row per item: a held-out condition, its real image and samples 0 to 5 of seed 0."""
    model, held = Model.load(run), RunFolder(run).pairs("held")
    images = contact_sheets.sample(model, held, items, model.codes(SAMPLES - 2))
    return to_pil(contact_sheets.samples_sheet(model, held, items, images))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("what", choices=("demo", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--scale", type=int, default=2)
    chosen = parser.parse_args()
    image = demo_picture(chosen.folder) if chosen.what == "demo" else run_picture(chosen.folder, chosen.items)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    image.resize((image.width * chosen.scale, image.height * chosen.scale), Image.Resampling.NEAREST).save(chosen.out)
    print(chosen.out)


if __name__ == "__main__":
    main()
