"""docs/scale.md's tables, and its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..table import number
from .model import GPUS, MEANINGS, MILLION, Assumptions, Outcome, sample, train

Contents = Mapping[str, Any]  # "counts", "parts", "real", and "gpu" where that was measured
INK, SOFT, PAPER = (29, 28, 26), (120, 116, 108), (255, 255, 255)
COLOURS = {
    "arithmetic": (45, 98, 163),
    "kernel launches": (200, 120, 30),
    "GPU, measured": (45, 98, 163),
    "PNG encoding": (160, 60, 120),
    "disk": (60, 140, 90),
    "shared storage": (60, 140, 90),
    "reading": (150, 150, 60),
}
SIZE, LEFT, TOP, RIGHT, BELOW = (900, 560), 70, 64, 190, 84


def measured_row(contents: Contents, name: str, task: str) -> Mapping[str, Any] | None:
    """A method's row of gpu.json at its published size, in bf16 if there is one; None if there is none."""
    rows = list(contents.get("gpu", {}).get("rows", {}).values())
    own = [row for row in rows if row["method"] == name and row["published"] and row["task"] == task]
    for switch in ("bf16", "plain"):
        for row in own:
            if row["switch"] == switch and "seconds" in row:
                return dict(row)
    return None


def parts_of(contents: Contents, size: Sequence[int]) -> Mapping[str, float]:
    return dict(contents["parts"]["sizes"]["x".join(map(str, size))])


def sampled(contents: Contents, given: Assumptions) -> dict[str, list[Outcome]]:
    """Of every method, a million images on each number of GPUs."""
    found = {}
    for name, counted in contents["counts"]["methods"].items():
        row = measured_row(contents, name, "sampling")
        seconds = row["seconds_per_image"] if row else 0.0
        parts = parts_of(contents, counted["size"])
        found[name] = [sample(counted["sampling"], parts, gpus, given, seconds) for gpus in GPUS]
    return found


def trained(contents: Contents, given: Assumptions) -> dict[str, list[Outcome]]:
    """Of every method whose steps were counted, a training on each number of GPUs."""
    found = {}
    for name, counted in contents["counts"]["methods"].items():
        if "training" in counted:
            row = measured_row(contents, name, "training")
            seconds = row["seconds"] if row else 0.0
            parts = parts_of(contents, counted["size"])
            found[name] = [train(counted["training"], parts, gpus, given, seconds) for gpus in GPUS]
    return found


def here(contents: Contents) -> str:
    """A million images at what one core of this machine needs: measured, times a million."""
    lines = ["| method | networks of | ms per image, one core | core-hours per million |", "|---|---|---|---|"]
    real = contents["real"]
    for row in real["rows"]:
        if "seconds_per_image" in row:
            seconds, (height, width) = row["seconds_per_image"], row["size"]
            parameters = f"{row['parameters'] / 1e6:.2g} M, {height}x{width}"
            lines.append(f"| {row['method']} | {parameters} | {1000 * seconds:.3g} | {hours(MILLION * seconds)} |")
    told = f"{real['machine']['processor']}, torch {real['versions']['torch']}, `{real['command']}`"
    return "\n".join([*lines, "", f"Measured: {told}; the last column is the one before it, times a million."])


def images(contents: Contents, given: Assumptions, price: float | None) -> str:
    """Simulated: hours of the clock, GPU-hours and the bottleneck of a million images."""
    columns = ["method", "size", "multiply-adds of an image", *columns_of(price)]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for name, outcomes in sampled(contents, given).items():
        counted = contents["counts"]["methods"][name]
        adds = counted["sampling"]["multiply_adds_encode"] / given.images_per_condition
        adds += counted["sampling"]["multiply_adds_decode"]
        lines.append(
            " | ".join([f"| {name}", size_of(counted), f"{number(adds / 1e9)} G", *cells(outcomes, price)]) + " |"
        )
    return "\n".join([*lines, "", source(contents, "sampling")])


def trainings(contents: Contents, given: Assumptions, price: float | None) -> str:
    """Simulated: a preset's whole training, with its batch on every GPU."""
    columns = ["method", "size", "batch x steps", "learns, weights", "multiply-adds of a step", *columns_of(price)]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for name, outcomes in trained(contents, given).items():
        counted = contents["counts"]["methods"][name]
        own = counted["training"]
        described = [
            f"| {name}{''.join(f' `--{key} {value}`' for key, value in counted['options'].items())}",
            size_of(counted),
            f"{own['batch']} x {own['steps']:,}",
            f"{own['parameters'] / 1e6:.3g} M",
            f"{number(own['multiply_adds'] / 1e9)} G",
        ]
        lines.append(" | ".join([*described, *cells(outcomes, price)]) + " |")
    return "\n".join([*lines, "", source(contents, "training")])


def columns_of(price: float | None) -> list[str]:
    cost = [] if price is None else [f"cost, {price:g} an hour"]
    return [f"{word}, {gpus} GPU{'s' * (gpus > 1)}" for gpus in GPUS for word in ("hours", "bottleneck", *cost)]


def cells(outcomes: Sequence[Outcome], price: float | None) -> list[str]:
    found = []
    for one in outcomes:
        found += [hours(one.seconds), one.bottleneck]
        found += [] if price is None else [f"{price * one.gpu_hours:,.2f}"]
    return found


def source(contents: Contents, task: str) -> str:
    """Which numbers of a table were measured on a GPU."""
    names = [name for name in contents["counts"]["methods"] if measured_row(contents, name, task)]
    if not names:
        return "Simulated throughout: no number of this table was measured on a GPU."
    card = contents["gpu"]["card"]["name"]
    return f"Simulated, from seconds measured on one {card} for {', '.join(names)}; all others from counts."


def assumed(given: Assumptions) -> str:
    """The assumptions, by the names that `--assume` takes."""
    lines = ["| assumption | value | meaning |", "|---|---|---|"]
    values = given._asdict()
    return "\n".join([*lines, *(f"| `{name}` | {values[name]:g} | {told} |" for name, told in MEANINGS.items())])


def size_of(counted: Mapping[str, Any]) -> str:
    return "x".join(map(str, counted["size"]))


def hours(seconds: float) -> str:
    return f"{seconds / 3600:,.0f}" if seconds >= 3600 * 100 else f"{seconds / 3600:.2g}"


def picture(outcomes: Mapping[str, Sequence[Outcome]]) -> Image.Image:
    """Hours of a million images against the number of GPUs, both by powers; a dot's colour is the bottleneck."""
    from math import log10

    page = Image.new("RGB", SIZE, PAPER)
    pen, small, large = ImageDraw.Draw(page), ImageFont.load_default(13), ImageFont.load_default(17)
    every = [one.seconds / 3600 for line in outcomes.values() for one in line]
    low, high = 10.0 ** int(log10(min(every)) - 1), 10.0 ** int(log10(max(every)) + 1)
    width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BELOW

    def place(gpus: int, value: float) -> tuple[float, float]:
        across = log10(gpus) / log10(GPUS[-1])
        return LEFT + 20 + across * (width - 40), TOP + height * (1 - log10(value / low) / log10(high / low))

    pen.text((LEFT, 14), "Simulated hours for a million images", INK, large)
    pen.text(
        (LEFT, 38), "published sizes and assumptions as in the tables; the colour of a dot: its bottleneck", SOFT, small
    )
    tick = low
    while tick <= high * 1.001:
        y = place(1, tick)[1]
        pen.line((LEFT, y, LEFT + width, y), (226, 223, 216))
        pen.text((LEFT - 8, y), f"{tick:g} h", SOFT, small, "rm")
        tick *= 10
    for gpus in GPUS:
        x = place(gpus, low)[0]
        pen.text((x, TOP + height + 12), f"{gpus} GPU{'s' * (gpus > 1)}", INK, small, "mm")
    ends = []
    for name, line in outcomes.items():
        points = [place(one.gpus, one.seconds / 3600) for one in line]
        pen.line([*points], (190, 186, 178), 2)
        for (x, y), one in zip(points, line):
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), COLOURS[one.bottleneck], PAPER)
        ends.append((points[-1], name))
    for y, (x, at), name in apart(ends):
        pen.line((x + 8, at, x + 22, y), (190, 186, 178))
        pen.text((x + 26, y), name, INK, small, "lm")
    legend(pen, small, {one.bottleneck for line in outcomes.values() for one in line})
    return page


def apart(
    ends: Sequence[tuple[tuple[float, float], str]], gap: float = 16
) -> list[tuple[float, tuple[float, float], str]]:
    """Heights of labels from the top, at least `gap` from each other, with where their lines end."""
    found: list[tuple[float, tuple[float, float], str]] = []
    for point, name in sorted(ends, key=lambda one: one[0][1]):
        found.append((max(point[1], found[-1][0] + gap) if found else point[1], point, name))
    below = SIZE[1] - BELOW + gap
    for i, (y, point, name) in reversed(list(enumerate(found))):  # those that went too far push back
        below = min(y, below - gap)
        found[i] = (below, point, name)
    return found


def legend(pen: ImageDraw.ImageDraw, letters: Any, shown: set[str]) -> None:
    x, y = LEFT, SIZE[1] - 26
    for name in COLOURS:
        if name in shown:
            pen.ellipse((x, y - 6, x + 12, y + 6), COLOURS[name], PAPER)
            pen.text((x + 18, y), name, INK, letters, "lm")
            x += 40 + pen.textlength(name, letters)
