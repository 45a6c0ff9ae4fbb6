"""One JSON file per benchmark: rows of ratios with their limits, and what they were measured with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table

from .measure import Comparison, Task, compare, processor_seconds

FOLDER = Path(__file__).parents[1] / "results" / "speed"
LIBRARIES = ("variegate", "torch", "torchvision", "lpips")
COLUMNS = {
    "encode_once": [
        "case",
        "size",
        "layout",
        "speed_up",
        "bound",
        "time_bound",
        "prefix_runs",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "basisgan_host": ["case", "layout", "basisgan", "host", "ratio", "spread", "limit", "holds"],
    "branches": [
        "case",
        "size",
        "speed_up",
        "bound",
        "millions_shared",
        "millions_separate",
        "seconds_matching",
        "seconds_step",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "bulk": ["case", "images_per_second", "seconds_first", "ratio", "limit", "holds"],
    "evaluation": ["case", "seconds", "beside", "ratio", "limit", "holds"],
    "family": [
        "case",
        "size",
        "speed_up",
        "bound",
        "seconds_ours",
        "seconds_plain",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "large_images": [
        "case",
        "n",
        "megabytes",
        "predicted",
        "seconds",
        "seconds_predicted",
        "ratio",
        "limit",
        "holds",
    ],
    "loading": ["case", "share", "seconds", "images", "allowed", "predicted", "ratio", "limit", "holds"],
    "matching": [
        "case",
        "size",
        "speed_up",
        "bound",
        "candidates_per_second",
        "kilobytes_kept_ours",
        "kilobytes_kept_fields",
        "megabytes_ours",
        "megabytes_fields",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "moments": [
        "case",
        "size",
        "seconds_ours",
        "seconds_public",
        "megabytes_ours",
        "megabytes_public",
        "images_per_second",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "neighbours": [
        "case",
        "seconds_ours",
        "seconds_distances",
        "megabytes_ours",
        "megabytes_data",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "pairwise_lpips": ["case", "weights", "seconds_pairs", "seconds_passes", "ratio", "spread", "limit", "holds"],
    "pixelcnn": [
        "case",
        "size",
        "seconds_drawn",
        "seconds_pass",
        "speed_up",
        "megabytes_drawn",
        "megabytes_pass",
        "ratio",
        "spread",
        "limit",
        "holds",
    ],
    "startup": ["case", "seconds", "allowed", "ratio", "limit", "holds"],
    "studio": [
        "case",
        "clients",
        "p50",
        "p95",
        "beside",
        "ratio",
        "spread",
        "limit",
        "right",
        "refused",
        "wrong",
        "failed",
        "holds",
    ],
}  # columns shown in tables; the JSON contains all of them

Row = dict[str, Any]  # has `case`, `ratio`, `limit`, `holds`; the rest is specific to the benchmark
Result = dict[str, Any]  # `name`, `ratio`, `limit`, `holds`, `rows`, ...


@dataclass(frozen=True)
class Settings:
    """How much to measure.

    Attributes:
        quick: tiny sizes and few repeats.
        every: all sizes and memory layouts.
        clock: wall time or processor time; the latter is less sensitive to other load, and meant for a single thread.
    """

    quick: bool = False
    every: bool = False
    clock: Literal["wall", "processor"] = "wall"
    seed: int = 0

    def compare(self, first: Task, second: Task, pairs: int = 7, seconds: float = 0.0) -> Comparison:
        """Compare two tasks with at least `pairs` pairs, and as many as fit into `seconds`."""
        now = perf_counter if self.clock == "wall" else processor_seconds
        return compare(first, second, 2 if self.quick else pairs, 0.0 if self.quick else seconds, now)


def row(case: str, ratio: float | None, limit: float | None, **details: Any) -> Row:
    """Build a row; `holds` is None if there is no limit or nothing could be measured."""
    holds = None if ratio is None or limit is None else ratio <= limit
    return {"case": case, "ratio": ratio, "limit": limit, "holds": holds, **details}


def result(name: str, rows: list[Row], settings: Settings, arguments: Sequence[str]) -> Result:
    """Build a result, whose `ratio` and `limit` are those of the row closest to its limit or furthest above it."""
    limited = [r for r in rows if r["holds"] is not None]
    worst = max(limited, key=lambda r: r["ratio"] / r["limit"]) if limited else row("", None, None)
    return {
        "name": name,
        "ratio": worst["ratio"],
        "limit": worst["limit"],
        "holds": all(r["holds"] for r in limited) if limited else None,
        "case": worst["case"],
        "rows": rows,
        "quick": settings.quick,
        "clock": settings.clock,
        "seed": settings.seed,
        "versions": versions(),
        "machine": machine(),
        "command": " ".join(["python -m benchmarks.speed", *arguments]),
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def machine() -> dict[str, Any]:
    """Describe the machine; the load shows whether anything else was running during the benchmark."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "load": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def measured_with(content: Mapping[str, Any]) -> str:
    """The processor and the versions of a result, for the line below its table."""
    versions = content["versions"]
    return f"{content['machine']['processor']}, Python {versions['python']}, torch {versions['torch']}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write(measured: Result, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{measured['name']}.json"
    path.write_text(json.dumps(measured, indent=2) + "\n")
    return path


def show(measured: Result) -> str:
    """Format the main columns as a table for the terminal."""
    table = Table(title=measured["name"] + (" (quick)" if measured["quick"] else ""), title_justify="left")
    keys = COLUMNS[measured["name"]]
    for key in keys:
        table.add_column(key.replace("_", " "))
    for r in measured["rows"]:
        table.add_row(*(text(r.get(key)) for key in keys))
    console = Console(width=200, file=StringIO())
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def text(value: Any) -> str:
    """Format a cell: short numbers, yes and no, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, list):
        return " - ".join(text(part) for part in value)
    return str(value)
