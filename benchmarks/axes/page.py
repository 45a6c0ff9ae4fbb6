"""The table and the heat map of every randomness with every objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

from variegate.core.images import heat, to_pil

from ..speed.results import measured_with

PANELS = {"coverage": "higher", "energy_score": "lower", "spread_over_error": "nearer to 1"}
LISTED = (*PANELS, "precision", "total_variation", "lpips", "diversity_pixel", "averaging_gain")
CELL, LEFT, TOP, GAP = (92, 34), 150, 86, 28
INK, SOFT, PAPER, NONE = (29, 28, 26), (120, 116, 108), (255, 255, 255), (236, 233, 226)


def section(content: dict[str, Any]) -> str:
    """One line for each combination that trained, the best coverage first; then those that are refused, and why."""
    done = {name: row for name, row in content["rows"].items() if "refused" not in row}
    columns = [*LISTED, "steps", "seconds", "milliseconds_per_image"]
    lines = ["| randomness x objective | " + " | ".join(name.replace("_", " ") for name in columns) + " |"]
    lines.append("|" + "---|" * (len(columns) + 1))
    for name, row in sorted(done.items(), key=lambda one: (-one[1]["coverage"], -one[1]["precision"])):
        cells = [f"{row[column]:.3g}" if column in row else "" for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    cells = [f"{content['truth'][column]:.3g}" if column in content["truth"] else "" for column in columns]
    lines.append("| *the truth, 200 draws* | " + " | ".join(cells) + " |")
    refused: dict[str, list[str]] = {}
    for name, row in content["rows"].items():
        if "refused" in row:
            refused.setdefault(row["refused"].partition(": ")[2], []).append(name)
    lines += ["", *(f"* {', '.join(names)}: {why}." for why, names in refused.items())]
    lines += ["", f"`{content['command']}`: {content['data']}; {measured_with(content)}."]
    return "\n".join(lines)


def picture(content: dict[str, Any]) -> Image.Image:
    """A panel for each metric: brighter is better; grey is refused."""
    down, across = list(content["randomness"]), list(content["objectives"])
    width, height = LEFT + CELL[0] * len(across) + 12, TOP + CELL[1] * len(down) + GAP
    page = Image.new("RGB", (width, height * len(PANELS)), PAPER)
    pen, small, large = ImageDraw.Draw(page), ImageFont.load_default(13), ImageFont.load_default(17)
    for number, (metric, better) in enumerate(PANELS.items()):
        top = number * height
        values = {name: row[metric] for name, row in content["rows"].items() if metric in row}
        if not values:
            continue
        pen.text((12, top + 10), f"{metric.replace('_', ' ')}, {better} is better", INK, large)
        for column, objective in enumerate(across):
            for line, word in enumerate(objective.replace("_", " ").replace(",", "").split(" ")[:2]):
                pen.text((LEFT + CELL[0] * column + CELL[0] // 2, top + 46 + 15 * line), word, SOFT, small, "mm")
        for row, randomness in enumerate(down):
            middle = top + TOP + CELL[1] * row + CELL[1] // 2
            pen.text((LEFT - 10, middle), randomness.replace("_", " "), INK, small, "rm")
            for column, objective in enumerate(across):
                left = LEFT + CELL[0] * column
                box = (left, middle - CELL[1] // 2 + 1, left + CELL[0] - 2, middle + CELL[1] // 2 - 1)
                value = values.get(f"{randomness} x {objective}")
                if value is None:
                    pen.rectangle(box, NONE)
                    continue
                share = goodness(value, list(values.values()), better)
                colour = to_pil(heat(torch.tensor([[share]]), 1)).getpixel((0, 0))
                pen.rectangle(box, colour)
                ink = INK if share > 0.6 else PAPER
                pen.text((left + CELL[0] // 2, middle), f"{value:.3g}", ink, small, "mm")
    return page


def goodness(value: float, values: Sequence[float], better: str) -> float:
    """0 for the worst of the values, 1 for the best."""
    faults = {"higher": lambda one: -one, "lower": lambda one: one, "nearer to 1": lambda one: abs(one - 1)}
    fault = faults[better]
    worst, best = max(map(fault, values)), min(map(fault, values))
    return (worst - fault(value)) / max(worst - best, 1e-9)
