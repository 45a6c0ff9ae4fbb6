"""`python -m benchmarks.depth`: does the signal reach the end of 21 gated layers of 5x5, and the gradient their start?

Untrained networks on random images, before the first step; standard deviations over all values of a layer's maps, and
of the gradients of bits per dimension with respect to its weights. Writes `benchmarks/results/depth.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from variegate.core.interfaces import Shapes
from variegate.generators.pixelcnn import PixelCNN, PixelCNNConfig
from variegate.networks.pixelcnn.gated_stacks import GatedLayer
from variegate.randomness.none import NoRandomness

from .speed.results import machine, versions

FILE = Path(__file__).parent / "results" / "depth.json"
LAYERS, FILTER, SIDE, IMAGES = 21, 5, 32, 2
SHOWN = (1, 2, 3, 6, 11, 16, 21)  # layers, from the one that reads the image
Row = dict[str, Any]


def built(scaled: bool, width: int, seed: int) -> PixelCNN:
    torch.manual_seed(seed)
    config = PixelCNNConfig(layers=LAYERS, filter=FILTER, width=width, head=2 * width, scaled=scaled)
    return config.build(NoRandomness(), Shapes(0, 3, (SIDE, SIDE)))


def measure(generator: PixelCNN, images: Tensor) -> dict[str, list[float]]:
    """Deviations by layer, of the maps and of the weights' gradients, in the vertical and the horizontal stack."""
    found: dict[str, list[float]] = {"vertical": [], "horizontal": []}
    layers = [layer for layer in generator.stack.modules() if isinstance(layer, GatedLayer)]

    def keep(_: nn.Module, __: object, maps: tuple[Tensor, Tensor]) -> None:
        for name, one in zip(("vertical", "horizontal"), maps):
            found[name].append(float(one.detach().std()))

    for layer in layers:
        layer.register_forward_hook(keep)
    (-generator.log_prob(images.new_zeros(len(images), 0, SIDE, SIDE), images)).mean().backward()  # type: ignore[no-untyped-call]
    for name in ("vertical", "horizontal"):
        gradients = [getattr(layer, name).weight.grad for layer in layers]
        found[f"{name} gradient"] = [float(gradient.std()) for gradient in gradients]
    return found


def rows(width: int, seeds: Sequence[int]) -> list[Row]:
    """One row for each initialisation: means over the seeds."""
    made = []
    for scaled, name in ((True, "scaled by what masks leave"), (False, "Glorot")):
        each = []
        for seed in seeds:
            generator = built(scaled, width, seed)
            images = torch.randint(256, (IMAGES, 3, SIDE, SIDE)) / 127.5 - 1
            each.append(measure(generator, images))
        values = {key: torch.tensor([one[key] for one in each]).mean(dim=0).tolist() for key in each[0]}
        made.append({"initialisation": name, **values})
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.depth", description=__doc__)
    parser.add_argument("--width", type=int, default=48, help="maps; deviations hardly depend on them")
    parser.add_argument("--out", type=Path, default=FILE)
    chosen = parser.parse_args(arguments)
    seeds = (0, 1, 2)
    network = {"layers": LAYERS, "filter": FILTER, "width": chosen.width, "size": [SIDE, SIDE], "images": IMAGES}
    typed = sys.argv[1:] if arguments is None else arguments
    content = {
        "command": " ".join(["python -m benchmarks.depth", *typed]),
        "network": network,
        "seeds": list(seeds),
        "rows": rows(chosen.width, seeds),
        "versions": versions(),
        "machine": machine(),
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(content, indent=2) + "\n")
    for row in content["rows"]:  # type: ignore[attr-defined]
        print(row["initialisation"])
        for key in ("vertical", "horizontal", "vertical gradient", "horizontal gradient"):
            print(f"  {key}: " + ", ".join(f"layer {i} {row[key][i - 1]:.1e}" for i in SHOWN))
    print(f"written to {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
