"""`python -m benchmarks.scale [--count [METHOD ...]] [--measure] [--price 2.5] [--assume utilisation=0.4 ...]`

Writes the tables and the plot of docs/scale.md from results/: scale_counts.json (`--count` makes it anew, from the
networks), scale_parts.json (`--measure`, on this machine), real/facades.json, and gpu.json where there is one. With
`--price` or `--assume` the tables are printed, and the page stays as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from variegate.core.files import write_text

from ..speed.results import machine, versions
from ..table import fill
from . import counting, page, parts
from .model import DEFAULT, Assumptions

RESULTS = Path(__file__).parents[1] / "results"
PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "facades"
COUNTS, PARTS = "scale_counts.json", "scale_parts.json"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--count", nargs="*", choices=counting.METHODS, help="count anew, a minute for all methods")
    parser.add_argument("--measure", action="store_true", help="measure PNGs on this machine anew: seconds")
    parser.add_argument("--price", type=float, help="of a GPU for an hour, in your currency")
    parser.add_argument("--assume", nargs="+", default=[], metavar="NAME=VALUE", help="other assumptions")
    parser.add_argument("--photographs", type=Path, default=PHOTOGRAPHS, help="folder of images for --measure")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    try:
        given = assumptions(chosen.assume)
        if chosen.count is not None:
            count(chosen.count or list(counting.METHODS), chosen.results / COUNTS)
        if chosen.measure:
            save(chosen.results / PARTS, {"sizes": measured(chosen)})
        contents = read(chosen.results)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    tables = made(contents, given, chosen.price)
    if chosen.price is not None or chosen.assume:
        print("\n\n".join(tables.values()))
        return 0
    text = chosen.page.read_text() if chosen.page.is_file() else "# Scale\n"
    for marker, body in tables.items():
        text = fill(text, marker, body)
    write_text(chosen.page, text)
    picture = chosen.page.parent / "images" / "scale.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.picture(page.sampled(contents, given)).save(picture)
    print(f"written to {chosen.page} and {picture}")
    return 0


def made(contents: dict[str, Any], given: Assumptions, price: float | None) -> dict[str, str]:
    """The tables by their markers in the page."""
    return {
        "here": page.here(contents),
        "images": page.images(contents, given, price),
        "trainings": page.trainings(contents, given, price),
        "assumptions": page.assumed(given),
    }


def assumptions(typed: Sequence[str]) -> Assumptions:
    """DEFAULT with some values replaced; raises ValueError for a name or a value that makes no sense."""
    values: dict[str, Any] = DEFAULT._asdict()
    for one in typed:
        name, _, value = one.partition("=")
        if name not in values:
            raise ValueError(f"--assume {one}: there is no assumption {name!r}; known: {', '.join(values)}")
        try:
            values[name] = type(values[name])(value)
        except ValueError:
            raise ValueError(f"--assume {one}: {value!r} is not a number; give {name}={values[name]:g}") from None
        if values[name] <= 0:
            raise ValueError(f"--assume {one}: {name} must be above 0, got {value}")
    return Assumptions(**values)


def read(results: Path) -> dict[str, Any]:
    """What the tables are made from."""
    named = {"counts": COUNTS, "parts": PARTS, "real": "real/facades.json"}
    for file in named.values():
        if not (results / file).is_file():
            raise FileNotFoundError(f"there is no {results / file}; run `python -m benchmarks.scale --count --measure`")
    found = {name: json.loads((results / file).read_text()) for name, file in named.items()}
    gpu = results / "gpu.json"
    if gpu.is_file() and not (content := json.loads(gpu.read_text()))["quick"]:
        found["gpu"] = content
    return found


def count(names: Sequence[str], path: Path) -> None:
    """Count methods, and keep those that the file has of others."""
    found = json.loads(path.read_text())["methods"] if path.is_file() else {}
    for name in names:
        found[name] = counting.counts(name)
        save(path, {"methods": {one: found[one] for one in counting.METHODS if one in found}})
        print(f"counted {name}", flush=True)


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    sizes = {family.large for _, family in counting.METHODS.values()}
    found = {}
    for height, width in sorted(sizes):
        found[f"{height}x{width}"] = parts.parts(parts.photographs(chosen.photographs, (height, width)))
    return found


def save(path: Path, content: dict[str, Any]) -> None:
    about = {"versions": versions(), "machine": machine()}
    write_text(path, json.dumps(about | content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
